"""
Tests of L{openclaw.auth.revocation}, and of the audit lines for changes of tokens.
"""

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent

from openclaw.auth.named_tokens import NamedTokens
from openclaw.auth.revocation import CHECK_SECONDS, RevocationWatcher
from tests.auth.doorkeeper_doubles import addToken
from tests.auth.test_named_tokens import TokensTestCase


class AuditTests(TokensTestCase):
    """
    A daemon that checks the tokens once a second.
    """

    def told(self) -> list[str]:
        """
        Return the lines since the last call.
        """
        self.tokens.refresh()
        events, self.events[:] = list(self.events), []
        self.assertLessEqual({e["log_namespace"] for e in events}, {"openclaw.audit"})
        return [formatEvent(event) for event in events]

    def test_changes(self) -> None:
        """
        Each token that was added or revoked has a line; those at the start have none.
        """
        addToken(self.state, "old")
        self.assertEqual(self.told(), [])
        addToken(self.state, "new", agents=("main",))
        added = "token added label=new scopes=operator.write agents=main"
        self.assertEqual(self.told(), [added])
        self.assertEqual(self.told(), [])
        self.revoke("old")
        self.assertEqual(self.told(), ["token revoked label=old"])

    def test_betweenTwoLooks(self) -> None:
        """
        Tokens that were added and revoked between two checks have a line, too.
        """
        self.assertEqual(self.told(), [])
        for _ in range(2):
            addToken(self.state, "ci")
            self.revoke("ci")
        self.assertEqual(self.told(), ["token added and revoked label=ci times=2"])
        addToken(self.state, "ci")
        self.told()
        self.revoke("ci")
        addToken(self.state, "ci")
        added = "token added label=ci scopes=operator.write agents=all"
        self.assertEqual(self.told(), ["token revoked label=ci", added])

    def test_oneProcess(self) -> None:
        """
        Workers leave these lines to the daemon's main process.
        """
        self.tokens = NamedTokens(
            self.state,
            self.clock.seconds,
            Logger(observer=self.events.append),
            audits=False,
        )
        self.told()
        addToken(self.state, "ci")
        self.assertEqual(self.told(), [])


class WatchTests(TokensTestCase):
    """
    The watch for revoked tokens.
    """

    def setUp(self) -> None:
        """
        Start the watch.
        """
        super().setUp()
        self.ended = 0
        self.fault: Exception | None = None
        clock = Clock()
        watch = RevocationWatcher(self.tokens, self.endRevoked, clock)
        watch.start()
        self.addCleanup(watch.stop)
        self.watchClock = clock

    def endRevoked(self) -> None:
        """
        Count calls.
        """
        self.ended += 1
        if self.fault is not None:
            raise self.fault

    def test_first(self) -> None:
        """
        A change in the first second is noticed.
        """
        addToken(self.state, "ci")
        self.watchClock.advance(CHECK_SECONDS)
        [event] = self.events
        self.assertIn("token added label=ci", formatEvent(event))

    def test_each(self) -> None:
        """
        Runs of revoked tokens are ended each second, whether or not the file has
        changed.
        """
        for _ in range(3):
            self.watchClock.advance(CHECK_SECONDS)
        self.assertEqual(self.ended, 4)

    def test_goesOn(self) -> None:
        """
        An exception is logged, and the watch continues.
        """
        self.fault = ValueError("a fault")
        self.watchClock.advance(CHECK_SECONDS)
        self.watchClock.advance(CHECK_SECONDS)
        self.assertEqual(self.ended, 3)
        self.assertEqual(len(self.events), 2)
