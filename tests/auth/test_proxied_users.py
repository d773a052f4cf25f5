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
    A trusted proxy names the user in C{X-Forwarded-User}.
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
        Assert that nobody is let in.
        """
        error = self.assertRaises(kind, self.caller, *names, **more)
        self.assertIs(type(error), kind)

    def test_user(self) -> None:
        """
        A user named by a trusted proxy is let in, with sessions of their own, and is no
        operator.
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
        They are told what is missing, in the words of the original.
        """
        error = self.assertRaises(
            ProxyRequired, self.caller, b"ann", origin=ClientAddress(name="203.0.113.5")
        )
        self.assertEqual(
            (error.status, error.code), (403, "proxy_attribution_required")
        )

    def test_nobody(self) -> None:
        """
        The proxy must name somebody.
        """
        for names in ([], [b""], [b"  "]):
            self.assertRefused(AuthenticationFailed, *names)

    def test_several(self) -> None:
        """
        With two names, one may be the caller's own.
        """
        self.assertRefused(ProxyRequired, b"ann", b"bob")
        self.assertRefused(ProxyRequired, b"ann", b"ann")
        self.assertRefused(ProxyRequired, b"ann", b"")

    def test_odd(self) -> None:
        """
        Names that can't be printed, or are too long, are nobody's.
        """
        for name in (b"a\x00b", b"a\x1bb", b"a\x7fb", b"a\tb", b"\xff", b"a\xc2\x85b"):
            self.assertRefused(ProxyRequired, name)
        self.caller(b"a" * MAX_USER_BYTES)
        self.assertRefused(ProxyRequired, b"a" * (MAX_USER_BYTES + 1))

    def test_required(self) -> None:
        """
        The headers that the configuration requires must be there too.
        """
        settings = {"requiredHeaders": ("X-Proxy-Secret", "X-Id")}
        full = ((b"x-proxy-secret", b"s"), (b"x-id", b"1"))
        self.caller(b"ann", more=full, **settings)
        for more in (full[:1], full[1:], (), (full[0], (b"x-id", b""))):
            self.assertRefused(ProxyRequired, b"ann", more=more, **settings)

    def test_allowed(self) -> None:
        """
        If the configuration names users, no others may come in.
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
        Whatever is in the header, the caller has one name that can't be another's.
        """
        try:
            caller = self.caller(name.replace(b"\r", b"").replace(b"\n", b""))
        except OpenClawError:
            return
        self.assertTrue(caller.label.startswith("user:"))
        self.assertEqual(caller.label.count(":"), 1)
        self.assertTrue(caller.label.isascii() and caller.label.isprintable())
