"""
Tests of L{openclaw.auth.doorkeeper}: callers other than the operator.
"""

from openclaw.errors import (
    ProxyRequired,
    QuotaExceeded,
)
from tests.auth.access_case import HERE, PASSWORD, DoorkeeperTestCase
from tests.auth.doorkeeper_doubles import addToken
from tests.auth.test_authorization_header import basic


class NamedTokenTests(DoorkeeperTestCase):
    """
    Named tokens exist.
    """

    def named(self, label: str = "ci", **more: object) -> bytes:
        """
        Return the header with a named token.
        """
        return b"Bearer " + addToken(self.state, label, **more).encode()

    def test_everyMode(self) -> None:
        """
        They are valid beside a token, a password, users and a proxy, and their holders
        are not operators.
        """
        header = self.named()
        for doorkeeper in (
            self.make(),
            self.make(mode="password"),
            self.make(self.users()),
            self.make(secret=None, mode="trusted-proxy", header="X-User"),
        ):
            caller = self.authenticate(doorkeeper, header)
            self.assertEqual((caller.label, caller.namespace), ("token:ci",) * 2)
            self.assertFalse(caller.hasScope("operator.admin"))
        self.assertEqual(self.authenticate(self.make(secret=None)).label, "anonymous")

    def test_ownSecretLooksLikeOne(self) -> None:
        """
        The gateway's own secret may have the same prefix.
        """
        for mode in ("token", "password"):
            doorkeeper = self.make(secret="oct_pus", mode=mode)
            self.assertEqual(
                self.authenticate(doorkeeper, b"Bearer oct_pus").label, "operator"
            )
            self.refused(self.asking(doorkeeper, b"Bearer oct_opus"))

    def test_revoked(self) -> None:
        """
        A revoked token is invalid.
        """
        header, doorkeeper = self.named(), self.make()
        self.authenticate(doorkeeper, header)
        (self.state / "tokens.json").unlink()
        self.refused(self.asking(doorkeeper, header))

    def test_expired(self) -> None:
        """
        An expired token is invalid.
        """
        header, doorkeeper = self.named(expiresAt=self.clock.seconds() + 5), self.make()
        self.authenticate(doorkeeper, header)
        self.clock.advance(5)
        self.refused(self.asking(doorkeeper, header))

    def test_notBasic(self) -> None:
        """
        A token is not a user's password.
        """
        token = self.named().removeprefix(b"Bearer ")
        doorkeeper = self.make(self.users())
        self.refused(self.asking(doorkeeper, basic(b"ci", token)))
        self.refused(self.asking(doorkeeper, basic(b"token:ci", token)))

    def test_rate(self) -> None:
        """
        Its requests are limited separately.
        """
        header, doorkeeper = self.named(requestsPerMinute=2), self.make()
        for _ in range(2):
            self.authenticate(doorkeeper, header)
        error = self.failureResultOf(
            self.asking(doorkeeper, header), QuotaExceeded
        ).value
        self.assertEqual((error.code, error.retryAfter), ("token_rate", 60))
        self.authenticate(doorkeeper, b"Bearer t0ken")
        self.clock.advance(60)
        self.authenticate(doorkeeper, header)


class ProxiedTests(DoorkeeperTestCase):
    """
    A proxy authenticates the callers.
    """

    def setUp(self) -> None:
        """
        Configure a trusted proxy.
        """
        super().setUp()
        self.doorkeeper = self.make(
            self.users(),
            secret=None,
            mode="trusted-proxy",
            proxies=["192.0.2.1"],
            header="X-User",
        )

    def test_user(self) -> None:
        """
        A user from the proxy is accepted.
        """
        caller = self.authenticate(self.doorkeeper, host="192.0.2.1", x_user="ann")
        self.assertEqual(caller.label, "user:ann")

    def test_narrowed(self) -> None:
        """
        The proxy can reduce the scopes, and not increase them.
        """
        caller = self.authenticate(
            self.doorkeeper,
            None,
            b"operator.read,operator.admin",
            host="192.0.2.1",
            x_user="a",
        )
        self.assertTrue(caller.hasScope("operator.read"))
        self.assertFalse(caller.hasScope("operator.write"))
        self.assertFalse(caller.hasScope("operator.admin"))

    def test_stranger(self) -> None:
        """
        The user header and a forwarded address of an untrusted client are ignored.
        """
        for host in (HERE, "127.0.0.1"):
            for more in ({}, {"x_forwarded_for": "192.0.2.1"}):
                asking = self.asking(self.doorkeeper, host=host, x_user="ann", **more)
                self.failureResultOf(asking, ProxyRequired)

    def test_passedOn(self) -> None:
        """
        A credential that the proxy has checked and forwards is not checked again, and
        authenticates no one.
        """
        for header in (b"Basic x", basic(b"ada", PASSWORD), b"Bearer eyJhbGciOi"):
            caller = self.authenticate(
                self.doorkeeper, header, host="192.0.2.1", x_user="ann"
            )
            self.assertEqual(caller.label, "user:ann")
            self.failureResultOf(self.asking(self.doorkeeper, header), ProxyRequired)

    def test_wrongToken(self) -> None:
        """
        A request with a named token has that token's identity, or none.
        """
        token = b"Bearer " + addToken(self.state, "ci").encode()
        caller = self.authenticate(
            self.doorkeeper, token, host="192.0.2.1", x_user="ann"
        )
        self.assertEqual(caller.label, "token:ci")
        self.refused(
            self.asking(
                self.doorkeeper, b"Bearer oct_x", host="192.0.2.1", x_user="ann"
            )
        )

    def test_otherModes(self) -> None:
        """
        In other modes the header has no effect.
        """
        doorkeeper = self.make(proxies=["192.0.2.1"])
        self.refused(self.asking(doorkeeper, host="192.0.2.1", x_user="ann"))
        caller = self.authenticate(
            doorkeeper, b"Bearer t0ken", host="192.0.2.1", x_user="ann"
        )
        self.assertEqual(caller.label, "operator")
