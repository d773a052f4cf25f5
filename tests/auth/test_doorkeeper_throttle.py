"""
Tests of L{openclaw.auth.doorkeeper}: repeated invalid credentials.
"""

from twisted.cred.error import UnauthorizedLogin
from twisted.logger import capturedLogs, formatEvent

from openclaw.auth.doorkeeper import UNGUESSABLE_LENGTH, Doorkeeper
from openclaw.errors import PermissionDenied
from tests.auth.access_case import (
    HERE,
    LONG_TOKEN,
    PASSWORD,
    THERE,
    BrokenChecker,
    DoorkeeperTestCase,
    SlowChecker,
)
from tests.auth.doorkeeper_doubles import addToken
from tests.auth.test_authorization_header import basic


class GuessingTests(DoorkeeperTestCase):
    """
    Guessing of credentials.
    """

    def guess(self, doorkeeper: Doorkeeper, header: bytes, count: int = 10) -> None:
        """
        Send invalid credentials up to the limit.
        """
        for _ in range(count):
            self.refused(self.asking(doorkeeper, header))

    def test_token(self) -> None:
        """
        A client with wrong tokens must wait, but not one with the right token: it can't
        be guessed, and its owner may share the address.
        """
        doorkeeper = self.make(secret=LONG_TOKEN)
        named = b"Bearer " + addToken(self.state, "ci").encode()
        self.guess(doorkeeper, b"Bearer wrong", 5)
        self.guess(doorkeeper, b"Bearer oct_wrong", 5)
        self.assertLockedOut(self.asking(doorkeeper, b"Bearer wrong"))
        self.assertLockedOut(self.asking(doorkeeper, b"Bearer oct_wrong"))
        self.authenticate(doorkeeper, b"Bearer " + LONG_TOKEN.encode())
        self.authenticate(doorkeeper, named)
        self.refused(self.asking(doorkeeper, b"Bearer wrong", host=THERE))
        self.clock.advance(300)
        self.refused(self.asking(doorkeeper, b"Bearer wrong"))

    def test_password(self) -> None:
        """
        After wrong passwords the right one is not checked until the lockout ends; from
        other addresses it is.
        """
        doorkeeper = self.make(secret=LONG_TOKEN, mode="password")
        right = b"Bearer " + LONG_TOKEN.encode()
        self.guess(doorkeeper, b"Bearer wrong")
        for header in (right, b"Bearer wrong", b"Bearer oct_wrong"):
            self.assertLockedOut(self.asking(doorkeeper, header))
        self.authenticate(doorkeeper, right, host=THERE)
        self.clock.advance(300)
        self.authenticate(doorkeeper, right)

    def test_namedTokenAndPassword(self) -> None:
        """
        A named token can't be guessed, so it is accepted from there, too.
        """
        doorkeeper = self.make(mode="password")
        named = b"Bearer " + addToken(self.state, "ci").encode()
        self.guess(doorkeeper, b"Bearer wrong")
        self.authenticate(doorkeeper, named)

    def test_shortToken(self) -> None:
        """
        A short token is handled like a password.
        """
        for length, guessable in (
            (UNGUESSABLE_LENGTH - 1, True),
            (UNGUESSABLE_LENGTH, False),
        ):
            doorkeeper = self.make(secret="x" * length)
            self.guess(doorkeeper, b"Bearer wrong")
            asking = self.asking(doorkeeper, b"Bearer " + b"x" * length)
            if guessable:
                self.assertLockedOut(asking)
            else:
                self.successResultOf(asking)

    def test_basic(self) -> None:
        """
        The passwords of all users count together; the operator's token is not affected.
        """
        doorkeeper = self.make(self.users(), secret=LONG_TOKEN)
        self.guess(doorkeeper, basic(b"ada", b"wrong"), 5)
        self.guess(doorkeeper, basic(b"bob", b"wrong"), 5)
        self.assertLockedOut(self.asking(doorkeeper, basic(b"ada", PASSWORD)))
        self.authenticate(doorkeeper, b"Bearer " + LONG_TOKEN.encode())

    def test_manyAtOnce(self) -> None:
        """
        A thousand concurrent guesses are not more than the limit.
        """
        checker = SlowChecker()
        doorkeeper = self.make(checker)
        asking = [self.asking(doorkeeper, basic(b"ada", PASSWORD)) for _ in range(20)]
        for asked in checker.asked[:10]:
            asked.errback(UnauthorizedLogin())
        for asked in checker.asked[10:15]:
            asked.errback(UnauthorizedLogin())
        for asked in checker.asked[15:]:
            asked.callback(b"ada")
        for each in asking[:10]:
            self.refused(each)
        for each in asking[10:]:
            self.assertLockedOut(each)

    def test_notCounted(self) -> None:
        """
        Missing credentials, those that can't be checked, and failures of a checker do
        not count.
        """
        doorkeeper = self.make(BrokenChecker())
        with capturedLogs():
            for header in (
                None,
                b"",
                b"Bearer",
                b"Digest x",
                b"Basic !",
                basic(b"a", b"b"),
            ):
                self.guess(doorkeeper, header, 20)
        self.authenticate(doorkeeper, b"Bearer t0ken")

    def test_local(self) -> None:
        """
        This machine is never locked out.
        """
        doorkeeper = self.make(mode="password")
        for _ in range(30):
            self.refused(self.asking(doorkeeper, b"Bearer wrong", host="127.0.0.1"))
        self.authenticate(doorkeeper, b"Bearer t0ken", host="127.0.0.1")

    def test_behindProxy(self) -> None:
        """
        Behind a trusted proxy, clients count separately; forged addresses of untrusted
        clients have no effect.
        """
        doorkeeper = self.make(mode="password", proxies=["192.0.2.1"])
        for _ in range(10):
            self.refused(
                self.asking(
                    doorkeeper,
                    b"Bearer x",
                    host="192.0.2.1",
                    x_forwarded_for="1.1.1.1, " + HERE,
                )
            )
        self.assertLockedOut(
            self.asking(
                doorkeeper, b"Bearer t0ken", host="192.0.2.1", x_forwarded_for=HERE
            )
        )
        self.authenticate(
            doorkeeper, b"Bearer t0ken", host="192.0.2.1", x_forwarded_for=THERE
        )
        for number in range(10):
            self.refused(
                self.asking(
                    doorkeeper,
                    b"Bearer x",
                    host=THERE,
                    x_forwarded_for=f"1.1.1.{number}",
                )
            )
        self.assertLockedOut(self.asking(doorkeeper, b"Bearer t0ken", host=THERE))

    def test_proxy(self) -> None:
        """
        A request that does not come from the trusted proxy has an audit line, too; one
        without a user has no credential to reject.
        """
        doorkeeper = self.make(
            mode="trusted-proxy", proxies=[THERE], header="X-Forwarded-User"
        )
        with capturedLogs() as events:
            self.failureResultOf(
                self.asking(doorkeeper, x_forwarded_user="ann"), PermissionDenied
            )
            self.refused(self.asking(doorkeeper, host=THERE))
        [event] = events
        self.assertEqual(event["log_namespace"], "openclaw.audit")
        self.assertEqual(
            (event["address"], event["kind"], event["store"]),
            (HERE, "proxy's user", "gateway.auth.trustedProxy"),
        )

    def test_log(self) -> None:
        """
        The log line has the address, and no credential.
        """
        with capturedLogs() as events:
            self.guess(self.make(mode="password"), b"Bearer gu3ss")
        refused, assertLockedOut = events
        self.assertEqual(refused["log_namespace"], "openclaw.audit")
        self.assertEqual(
            formatEvent(refused),
            f"refused credential address={HERE} kind='password' store='gateway.auth'"
            " more_before=0",
        )
        self.assertIn(HERE, formatEvent(assertLockedOut))
        self.assertNotIn("gu3ss", repr(events))
