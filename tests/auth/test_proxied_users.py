"""
Tests of L{openclaw.auth.proxied_users}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.auth.client_address import ClientAddress
from openclaw.auth.proxied_users import MAX_USER_BYTES, ProxiedUsers
from openclaw.auth.realm import NamespacedCaller
from openclaw.config import TrustedProxy
from openclaw.errors import (
    AuthenticationFailed,
    OpenClawError,
    PermissionDenied,
    ProxyRequired,
)

TRUSTED = ClientAddress(name="203.0.113.5", trusted=True)


class ProxiedUsersTests(SynchronousTestCase):
    """
    A trusted proxy sends the user in C{X-Forwarded-User}.
    """

    def caller(
        self,
        *names: bytes,
        origin: ClientAddress = TRUSTED,
        more: tuple = (),
        **settings,
    ) -> NamespacedCaller:
        """
        Return the caller of a request.
        """
        users = ProxiedUsers(TrustedProxy(userHeader="X-Forwarded-User", **settings))
        headers = Headers()
        for name, value in [(b"x-forwarded-user", each) for each in names] + [*more]:
            headers.addRawHeader(name, value)
        return users.caller(origin, headers)

    def assertRefused(self, kind: type[OpenClawError], *names: bytes, **more) -> None:
        """
        Assert that a request is rejected.
        """
        error = self.assertRaises(kind, self.caller, *names, **more)
        self.assertIs(type(error), kind)

    def test_user(self) -> None:
        """
        A user from a trusted proxy is accepted, with sessions of their own, and is not
        an operator.
        """
        caller = self.caller(b" ann@example.com ")
        self.assertEqual(caller.label, "user:ann@example.com")
        self.assertEqual(caller.namespace, caller.label)
        self.assertTrue(caller.hasScope("operator.write"))
        self.assertFalse(caller.hasScope("operator.admin"))

    def test_stranger(self) -> None:
        """
        The header of an untrusted client is ignored.
        """
        for origin in (
            ClientAddress(name="203.0.113.5"),
            ClientAddress(name="127.0.0.1", local=True),
        ):
            for names in ([b"ann"], []):
                self.assertRefused(ProxyRequired, *names, origin=origin)

    def test_code(self) -> None:
        """
        The error has the code of the original.
        """
        error = self.assertRaises(
            ProxyRequired, self.caller, b"ann", origin=ClientAddress(name="203.0.113.5")
        )
        self.assertEqual(
            (error.status, error.code), (403, "proxy_attribution_required")
        )

    def test_nobody(self) -> None:
        """
        The user must not be empty.
        """
        for names in ([], [b""], [b"  "]):
            self.assertRefused(AuthenticationFailed, *names)

    def test_several(self) -> None:
        """
        Two users are rejected, since one may be the client's own.
        """
        self.assertRefused(ProxyRequired, b"ann", b"bob")
        self.assertRefused(ProxyRequired, b"ann", b"ann")
        self.assertRefused(ProxyRequired, b"ann", b"")

    def test_odd(self) -> None:
        """
        Names that are not printable, or too long, are rejected.
        """
        for name in (b"a\x00b", b"a\x1bb", b"a\x7fb", b"a\tb", b"\xff", b"a\xc2\x85b"):
            self.assertRefused(ProxyRequired, name)
        self.caller(b"a" * MAX_USER_BYTES)
        self.assertRefused(ProxyRequired, b"a" * (MAX_USER_BYTES + 1))

    def test_required(self) -> None:
        """
        The configured required headers must be present.
        """
        settings = {"requiredHeaders": ("X-Proxy-Secret", "X-Id")}
        full = ((b"x-proxy-secret", b"s"), (b"x-id", b"1"))
        self.caller(b"ann", more=full, **settings)
        for more in (full[:1], full[1:], (), (full[0], (b"x-id", b""))):
            self.assertRefused(ProxyRequired, b"ann", more=more, **settings)

    def test_allowed(self) -> None:
        """
        If users are configured, no others are accepted.
        """
        settings = {"allowUsers": ("ann", "Zo\u00eb")}
        self.caller(b"ann", **settings)
        self.caller("Zo\u00eb".encode(), **settings)
        for name in (b"bob", b"ANN", b"ann ", b"an", b"Zoe"):
            if name.strip() != b"ann":
                self.assertRefused(PermissionDenied, name, **settings)

    @given(name=st.binary(min_size=1, max_size=80))
    def test_anything(self, name) -> None:
        """
        Any header results in one name that differs from all others.
        """
        try:
            caller = self.caller(name.replace(b"\r", b"").replace(b"\n", b""))
        except OpenClawError:
            return
        self.assertTrue(caller.label.startswith("user:"))
        self.assertEqual(caller.label.count(":"), 1)
        self.assertTrue(caller.label.isascii() and caller.label.isprintable())
