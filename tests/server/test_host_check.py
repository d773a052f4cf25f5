"""
Tests of L{openclaw.server.host_check}, and of its use by the access check.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from openclaw.server.host_check import isHostAllowed, parseHost
from tests.server.memory_gateway import AUTHORIZATION, GatewayTestCase, configOf

HERE = IPv4Address("TCP", "127.0.0.1", 18789)

OURS = (
    "localhost",
    "LOCALHOST:18789",
    "localhost.",
    "chat.localhost:1",
    "127.0.0.1",
    "127.0.0.1:18789",
    "192.0.2.7:80",
    "[::1]:18789",
    "[2001:db8::1]",
)
FOREIGN = (
    "evil.example",
    "evil.example:18789",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "xlocalhost",
    "",
    ":",
    ":18789",
    ".",
    "[::1",
    "[evil.example]",
    "localhost:port",
    "localhost:1:2",
    "local host",
    "user@localhost",
    "localhost/",
    "\xff",
)


class HostTests(SynchronousTestCase):
    """
    Host names that are always the gateway's, and those that anybody can register.
    """

    def test_ours(self):
        """
        Addresses and C{localhost} are always allowed.
        """
        for host in OURS:
            self.assertTrue(isHostAllowed(host.encode(), ()), host)

    def test_foreign(self):
        """
        Other names are rejected, even similar ones.
        """
        for host in FOREIGN:
            self.assertFalse(isHostAllowed(host.encode("latin-1"), ()), host)

    def test_configured(self):
        """
        Configured names match in any case and with any port; a pattern matches the
        names below it.
        """
        allowed = ("gateway.example", "*.Inner.example")
        for host in (b"GATEWAY.example:1", b"a.inner.example", b"a.b.inner.example."):
            self.assertTrue(isHostAllowed(host, allowed), host)
        for host in (b"a.gateway.example", b"inner.example", b"xinner.example"):
            self.assertFalse(isHostAllowed(host, allowed), host)

    @given(st.binary(max_size=40))
    def test_anything(self, header):
        """
        No bytes break the check, and the resulting name is printable.
        """
        host = parseHost(header)
        isHostAllowed(header, ("*.example",))
        if host is not None:
            self.assertEqual(host, host.lower())
            self.assertNotIn("[", host)

    @given(st.from_regex(r"[a-z]{1,9}(\.[a-z]{2,9}){1,3}", fullmatch=True))
    def test_names(self, name):
        """
        No name that can be registered is allowed by default.
        """
        if not name.endswith("localhost"):
            self.assertFalse(isHostAllowed(name.encode(), ()))


class LoopbackTests(GatewayTestCase):
    """
    On a loopback port, a web page can't impersonate the gateway.
    """

    def setUp(self):
        """
        Start a gateway on such a port.
        """
        super().setUp()
        self.gateway.site.loopback = {(HERE.host, HERE.port)}

    def answerTo(self, host, where=HERE, path="/healthz"):
        """
        Return the response to a request for this host.
        """
        caller = self.gateway.connect()
        caller.leave()
        line = caller.line
        line.connected, line.hostAddr = True, where
        line.protocol = self.gateway.site.buildProtocol(HERE)
        line.protocol.makeConnection(line)
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{': '.join(AUTHORIZATION)}"
        caller.send(f"{head}\r\n\r\n".encode("latin-1"))
        answer = caller.answer
        caller.leave()
        return answer

    def test_ours(self):
        """
        Requests to the gateway's own addresses are served.
        """
        for host in OURS:
            self.assertEqual(self.answerTo(host).status, 200, host)

    def test_foreign(self):
        """
        Other hosts get an error that names the key, on every path, with and without a
        token.
        """
        for path in ("/healthz", "/v1/models", "/nowhere"):
            answer = self.answerTo("evil.example", path=path)
            self.assertRefused(answer, 403, "host_not_allowed")
            self.assertIn("gateway.http.allowedHosts", answer.error["message"])

    def test_absoluteForm(self):
        """
        The host of a target in absolute form is used instead of the header's, whether
        it is allowed or not.
        """
        for target, host, status in (
            ("http://localhost/v1/models", "evil.example", 200),
            ("HTTP://127.0.0.1:18789/v1/models?x=1", "127.0.0.1:18789", 200),
            ("https://localhost?x", "localhost", 200),
            ("http://evil.example/v1/models", "localhost", 403),
            ("http://evil.example", "localhost", 403),
        ):
            answer = self.answerTo(host, path=target)
            self.assertEqual(answer.status, status, target)

    def test_elsewhere(self):
        """
        On other ports and UNIX sockets, any name is allowed.
        """
        for where in (IPv4Address("TCP", "192.0.2.1", 80), UNIXAddress(b"/run/s")):
            self.assertEqual(self.answerTo("gateway.example", where).status, 200)

    def test_configured(self):
        """
        Configured names apply immediately, and also to other ports.
        """
        self.gateway.stand(configOf(http={"allowedHosts": ["gateway.example"]}))
        for where in (HERE, IPv4Address("TCP", "192.0.2.1", 80)):
            self.assertEqual(self.answerTo("gateway.example", where).status, 200)
            answer = self.answerTo("evil.example", where)
            self.assertRefused(answer, 403, "host_not_allowed")
        socket = UNIXAddress(b"/run/s")
        self.assertEqual(self.answerTo("evil.example", socket).status, 200)
