"""
Tests of L{openclaw.auth.checkers}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import (
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from openclaw.auth.authorization_header import BearerToken, NamedToken
from openclaw.auth.checkers import (
    SHARED_SECRET,
    NamedTokenChecker,
    SharedSecretChecker,
    mergeCheckers,
)
from openclaw.config import Secret
from tests.auth.doorkeeper_doubles import addToken
from tests.auth.test_named_tokens import TokensTestCase

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


class SharedSecretTests(SynchronousTestCase):
    """
    The gateway's own token or password.
    """

    def isKnown(self, secret: str, shown: bytes) -> bool:
        """
        Return whether a secret is accepted where another one is configured.
        """
        checker = SharedSecretChecker(Secret(secret))
        asked = checker.requestAvatarId(BearerToken(shown))
        outcome: list[object] = []
        asked.addBoth(outcome.append)
        if outcome == [SHARED_SECRET]:
            return True
        self.assertTrue(outcome[0].check(UnauthorizedLogin))
        return False

    def test_interface(self) -> None:
        """
        The checker provides the interface.
        """
        verifyObject(ICredentialsChecker, SharedSecretChecker(Secret("s3cr3t")))

    @given(secret=SECRETS)
    def test_right(self, secret) -> None:
        """
        The right secret is accepted, with any characters, which are UTF-8 in the
        header.
        """
        self.assertTrue(self.isKnown(secret, secret.encode()))

    @given(secret=SECRETS, shown=st.binary() | SECRETS.map(str.encode))
    def test_wrong(self, secret, shown) -> None:
        """
        No other secret is accepted.
        """
        self.assertEqual(self.isKnown(secret, shown), shown == secret.encode())

    def test_nearlyRight(self) -> None:
        """
        Similar secrets are rejected.
        """
        for shown in (b"s3cr3", b"s3cr3t3", b"S3cr3t", b"", b" s3cr3t", b"s3cr3t\x00"):
            self.assertFalse(self.isKnown("s3cr3t", shown))

    def test_environment(self) -> None:
        """
        A secret from an environment that is not UTF-8 is compared by its bytes.
        """
        self.assertTrue(self.isKnown("p\udce4ss", b"p\xe4ss"))
        self.assertFalse(self.isKnown("p\udce4ss", "p\xe4ss".encode()))

    def test_hidden(self) -> None:
        """
        Neither the checker nor its error shows the secret or the credential.
        """
        checker = SharedSecretChecker(Secret("s3cr3t"))
        refusal = self.failureResultOf(checker.requestAvatarId(BearerToken(b"gu3ss")))
        self.assertNotIn("s3cr3t", refusal.getTraceback(detail="verbose"))
        self.assertNotIn("gu3ss", refusal.getTraceback(detail="verbose"))
        self.assertNotIn("s3cr3t", repr(checker) + repr(vars(checker)))


class NamedTokenTests(TokensTestCase):
    """
    Named tokens.
    """

    def test_interface(self) -> None:
        """
        The checker provides the interface.
        """
        verifyObject(ICredentialsChecker, NamedTokenChecker(self.tokens))

    def test_known(self) -> None:
        """
        A token's avatar ID is its label, and differs from all others.
        """
        checker = NamedTokenChecker(self.tokens)
        token = addToken(self.state, SHARED_SECRET.decode())
        asked = checker.requestAvatarId(NamedToken(token.encode()))
        self.assertEqual(self.successResultOf(asked), b"token:shared-secret")

    def test_unknown(self) -> None:
        """
        Other tokens are rejected, without showing them.
        """
        checker = NamedTokenChecker(self.tokens)
        asked = checker.requestAvatarId(NamedToken(b"oct_gu3ss"))
        refusal = self.failureResultOf(asked, UnauthorizedLogin)
        self.assertNotIn("gu3ss", refusal.getTraceback(detail="verbose"))


@implementer(ICredentialsChecker)
class BrokenChecker:
    """
    A checker that fails.
    """

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: object) -> object:
        """
        Fail.
        """
        raise ConnectionError


class SeveralCheckersTests(SynchronousTestCase):
    """
    Several checkers for one kind of credential.
    """

    def ask(self, name: bytes, password: bytes, *checkers: object) -> object:
        """
        Check a user's credentials with them.
        """
        [checker] = [
            each
            for each in mergeCheckers(checkers)
            if IUsernamePassword in each.credentialInterfaces
        ]
        verifyObject(ICredentialsChecker, checker)
        return checker.requestAvatarId(UsernamePassword(name, password))

    def test_inOrder(self) -> None:
        """
        All are used, and the first that accepts the user decides.
        """
        first = InMemoryUsernamePasswordDatabaseDontUse(ann=b"1", bob=b"2")
        second = InMemoryUsernamePasswordDatabaseDontUse(bob=b"3", eve=b"4")
        for name, password in (
            (b"ann", b"1"),
            (b"bob", b"2"),
            (b"bob", b"3"),
            (b"eve", b"4"),
        ):
            found = self.ask(name, password, first, second)
            self.assertEqual(self.successResultOf(found), name)
        self.failureResultOf(self.ask(b"ann", b"2", first, second), UnauthorizedLogin)

    def test_broken(self) -> None:
        """
        A failing checker does not affect users of another one; for others it is an
        error.
        """
        users = InMemoryUsernamePasswordDatabaseDontUse(ann=b"1")
        found = self.ask(b"ann", b"1", BrokenChecker(), users)
        self.assertEqual(self.successResultOf(found), b"ann")
        refused = self.ask(b"ann", b"2", BrokenChecker(), users)
        self.failureResultOf(refused, ConnectionError)
