"""
Tests of L{openclaw.auth.doorkeeper}.
"""

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent

from openclaw.auth.authorization_header import CREDENTIAL_REQUIRED
from openclaw.auth.checkers import SHARED_SECRET
from openclaw.errors import (
    AuthenticationFailed,
)
from openclaw.interfaces import IBearerToken
from tests.auth.access_case import (
    PASSWORD,
    TOKEN,
    BrokenChecker,
    DoorkeeperTestCase,
    SlowChecker,
)
from tests.auth.doorkeeper_doubles import headersOf, lineFrom
from tests.auth.test_authorization_header import basic


class TokenTests(DoorkeeperTestCase):
    """
    A token or password is configured.
    """

    def test_right(self) -> None:
        """
        The right token gives all scopes.
        """
        caller = self.authenticate(self.make(), b"Bearer t0ken")
        self.assertEqual(caller.label, "operator")
        self.assertTrue(caller.hasScope("operator.write"))

    def test_spellings(self) -> None:
        """
        The scheme may have any case and more blanks.
        """
        for header in (b"bearer t0ken", b" BEARER   t0ken "):
            self.authenticate(self.make(), header)

    def test_wrong(self) -> None:
        """
        A wrong token is rejected as invalid.
        """
        error = self.refused(self.asking(self.make(), b"Bearer pa55word"))
        self.assertEqual(error.message, "The credential is not valid.")

    def test_none(self) -> None:
        """
        Without a token the error says how to send one.
        """
        for header in (None, b"", b"Bearer", b"Bearer ", b"Digest t0ken", b"t0ken"):
            error = self.refused(self.asking(self.make(), header))
            self.assertEqual(error.message, CREDENTIAL_REQUIRED)

    def test_notASCII(self) -> None:
        """
        A password may contain any characters.
        """
        doorkeeper = self.make(secret="pässwörd 密碼")
        self.authenticate(doorkeeper, b"Bearer " + "pässwörd 密碼".encode())
        self.refused(self.asking(doorkeeper, b"Bearer " + "pässwörd".encode("latin-1")))

    def test_scopesDoNotMatter(self) -> None:
        """
        The header with scopes only applies to callers without a credential.
        """
        caller = self.authenticate(self.make(), b"Bearer t0ken", b"operator.read")
        self.assertTrue(caller.hasScope("operator.write"))

    def test_basicUnwanted(self) -> None:
        """
        Without checkers for users, HTTP Basic gets an error with the expected form.
        """
        asking = self.asking(self.make(), basic(b"ada", PASSWORD))
        self.assertEqual(self.refused(asking).message, CREDENTIAL_REQUIRED)

    def test_tokenIsNoPassword(self) -> None:
        """
        The token is not accepted as a user's password.
        """
        doorkeeper = self.make(self.users())
        self.refused(self.asking(doorkeeper, basic(b"ada", TOKEN.encode())))
        self.refused(self.asking(doorkeeper, basic(SHARED_SECRET, TOKEN.encode())))
        self.refused(self.asking(doorkeeper, b"Bearer " + PASSWORD))


class BasicTests(DoorkeeperTestCase):
    """
    Checkers for users are configured.
    """

    def test_right(self) -> None:
        """
        A known user is accepted, and so is the token.
        """
        doorkeeper = self.make(self.users())
        self.assertEqual(
            self.authenticate(doorkeeper, basic(b"ada", PASSWORD)).label, "user:ada"
        )
        self.assertEqual(
            self.authenticate(doorkeeper, b"Bearer t0ken").label, "operator"
        )

    def test_wrong(self) -> None:
        """
        A wrong password, an unknown user and an empty name are rejected as invalid.
        """
        doorkeeper = self.make(self.users())
        for header in (
            basic(b"ada", b"t0ken"),
            basic(b"bob", PASSWORD),
            basic(b"", b""),
            basic(b"ADA", PASSWORD),
        ):
            error = self.refused(self.asking(doorkeeper, header))
            self.assertEqual(error.message, "The credential is not valid.")

    def test_malformed(self) -> None:
        """
        A malformed value is rejected as malformed.
        """
        asking = self.asking(self.make(self.users()), b"Basic pa55word!")
        self.assertIn("malformed", self.refused(asking).message)

    def test_slow(self) -> None:
        """
        A checker may take time.
        """
        checker = SlowChecker()
        doorkeeper = self.make(checker)
        first = self.asking(doorkeeper, basic(b"ada", PASSWORD))
        second = self.asking(doorkeeper, basic(b"bob", PASSWORD))
        self.assertNoResult(first)
        checker.asked[1].errback(UnauthorizedLogin())
        self.refused(second)
        checker.asked[0].callback(b"ada")
        self.assertEqual(self.successResultOf(first).label, "user:ada")

    def test_cancelled(self) -> None:
        """
        If the client disconnects meanwhile, the check is cancelled; that is neither a
        rejection nor an error.
        """
        checker = SlowChecker()
        asking = self.asking(self.make(checker), basic(b"ada", PASSWORD))
        with capturedLogs() as events:
            asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(checker.cancelled, 1)
        self.assertEqual(events, [])

    def test_ownTokensWin(self) -> None:
        """
        A plug-in can't replace the gateway's own check.
        """
        checker = SlowChecker()
        checker.credentialInterfaces = (IBearerToken,)
        self.authenticate(self.make(checker), b"Bearer t0ken")
        self.assertEqual(checker.asked, [])


class BrokenCheckerTests(DoorkeeperTestCase):
    """
    A checker fails.
    """

    def check(self, checker: Any, kind: str, answer: Any = None) -> None:
        """
        Assert that a failing checker accepts no one, that the log has the type of the
        error, and that it has no secret.
        """
        with capturedLogs() as events:
            asking = self.asking(self.make(checker), basic(b"ada", PASSWORD))
            if answer is not None:
                answer(checker.asked[0])
        error = self.refused(asking)
        self.assertEqual(error.message, "The credential could not be checked.")
        (event,) = events
        self.assertEqual(
            formatEvent(event),
            f"A credentials checker failed with {kind}; the caller was rejected.",
        )
        for secret in (TOKEN, PASSWORD.decode()):
            self.assertNotIn(secret, repr(event))

    def test_raises(self) -> None:
        """
        The checker raises an exception.
        """
        self.check(BrokenChecker(), "LookupError")

    def test_fails(self) -> None:
        """
        The checker's Deferred fails later.
        """
        self.check(
            SlowChecker(),
            "ConnectionError",
            lambda asked: asked.errback(ConnectionError(PASSWORD)),
        )

    def test_nonsense(self) -> None:
        """
        The checker returns an invalid avatar ID.
        """
        self.check(SlowChecker(), "TypeError", lambda asked: asked.callback(object()))


class NoCredentialNeededTests(DoorkeeperTestCase):
    """
    No credential is required.
    """

    def setUp(self) -> None:
        """
        Create a doorkeeper without a secret.
        """
        super().setUp()
        self.doorkeeper = self.make(self.users(), secret=None)

    def test_everybody(self) -> None:
        """
        Every caller is accepted with all scopes, whatever it sends.
        """
        for header in (None, b"", b"Bearer anything", b"Basic !", basic(b"x", b"y")):
            caller = self.authenticate(self.doorkeeper, header)
            self.assertEqual(caller.label, "anonymous")
            self.assertTrue(caller.hasScope("operator.admin"))

    def test_narrowed(self) -> None:
        """
        A caller can reduce its scopes, separated by commas or blanks.
        """
        for scopes in (
            b"operator.read",
            b" operator.read ,, other",
            b"operator.read other",
            b",operator.read,",
        ):
            caller = self.authenticate(self.doorkeeper, None, scopes)
            self.assertTrue(caller.hasScope("operator.read"))
            self.assertFalse(caller.hasScope("operator.write"))

    def test_several(self) -> None:
        """
        Several scopes can be given.
        """
        caller = self.authenticate(
            self.doorkeeper, None, b"operator.read, operator.write"
        )
        self.assertTrue(caller.hasScope("operator.write"))
        self.assertFalse(caller.hasScope("operator.admin"))

    def test_none(self) -> None:
        """
        An empty list, and one of unknown or invalid scopes, leave none.
        """
        for scopes in (b"", b" , ", b"root", b"\xff\xfe", b"OPERATOR.WRITE"):
            caller = self.authenticate(self.doorkeeper, None, scopes)
            self.assertFalse(caller.hasScope("operator.read"))


class NothingShownTests(DoorkeeperTestCase):
    """
    Secrets are not shown.
    """

    def test_log(self) -> None:
        """
        The log has no secret of callers or of the gateway.
        """
        doorkeeper = self.make(self.users(), BrokenChecker())
        with capturedLogs() as events:
            for header in (
                b"Bearer t0ken",
                b"Bearer pa55word",
                b"Basic pa55word",
                basic(b"ada", PASSWORD),
                basic(b"t0ken", PASSWORD),
            ):
                self.asking(doorkeeper, header).addErrback(
                    lambda failure: failure.trap(AuthenticationFailed)
                )
        self.assertEqual(len(events), 2)
        shown = repr(events) + "".join(formatEvent(event) for event in events)
        for secret in (TOKEN, PASSWORD.decode()):
            self.assertNotIn(secret, shown)

    def test_doorkeeper(self) -> None:
        """
        The doorkeeper's C{repr} has none.
        """
        doorkeeper = self.make(self.users())
        shown = (
            repr(doorkeeper)
            + repr(vars(doorkeeper))
            + repr(vars(doorkeeper.state.tokens))
        )
        self.assertNotIn(TOKEN, shown)


class SeveralHeadersTests(DoorkeeperTestCase):
    """
    Two C{Authorization} headers.
    """

    def test_refused(self) -> None:
        """
        A proxy may have checked the other one, so the request is rejected.
        """
        doorkeeper = self.make()
        headers = headersOf({"authorization": "Bearer t0ken"})
        headers.addRawHeader(b"Authorization", b"Bearer t0ken")
        origin = doorkeeper.origin(headers, lineFrom())
        self.refused(Deferred.fromCoroutine(doorkeeper.admit(headers, origin)))
