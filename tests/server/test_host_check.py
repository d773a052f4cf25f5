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
    Names that lead here, and names that anybody can have lead here.
    """

    def test_ours(self):
        """
        Addresses and C{localhost} are always right.
        """
        for host in OURS:
            self.assertTrue(isHostAllowed(host.encode(), ()), host)

    def test_foreign(self):
        """
        Nothing else is, however much it looks like that.
        """
        for host in FOREIGN:
            self.assertFalse(isHostAllowed(host.encode("latin-1"), ()), host)

    def test_configured(self):
        """
        Configured names are right in any case and with any port; a pattern is for
        what is below it.
        """
        allowed = ("gateway.example", "*.Inner.example")
        for host in (b"GATEWAY.example:1", b"a.inner.example", b"a.b.inner.example."):
            self.assertTrue(isHostAllowed(host, allowed), host)
        for host in (b"a.gateway.example", b"inner.example", b"xinner.example"):
            self.assertFalse(isHostAllowed(host, allowed), host)

    @given(st.binary(max_size=40))
    def test_anything(self, header):
        """
        No bytes break it, and what is found is plain.
        """
        host = parseHost(header)
        isHostAllowed(header, ("*.example",))
        if host is not None:
            self.assertEqual(host, host.lower())
            self.assertNotIn("[", host)

    @given(st.from_regex(r"[a-z]{1,9}(\.[a-z]{2,9}){1,3}", fullmatch=True))
    def test_names(self, name):
        """
        No name that somebody could register is right by itself.
        """
        if not name.endswith("localhost"):
            self.assertFalse(isHostAllowed(name.encode(), ()))


class LoopbackTests(GatewayTestCase):
    """
    On a port of this machine alone, a web page can't pass itself off as the gateway.
    """

    def setUp(self):
        """
        Let the port be such a one.
        """
        super().setUp()
        self.gateway.site.loopback = {(HERE.host, HERE.port)}

    def answerTo(self, host, where=HERE, path="/healthz"):
        """
        The answer to a request for that host.
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
        A request to the gateway's own address is served.
        """
        for host in OURS:
            self.assertEqual(self.answerTo(host).status, 200, host)

    def test_foreign(self):
        """
        Others are told what to configure, on every path, with and without a token.
        """
        for path in ("/healthz", "/v1/models", "/nowhere"):
            answer = self.answerTo("evil.example", path=path)
            self.assertRefused(answer, 403, "host_not_allowed")
            self.assertIn("gateway.http.allowedHosts", answer.error["message"])

    def test_absoluteForm(self):
        """
        A request target may name the host, which then counts in place of the header's,
        in both directions.
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
        A port that is open to others may be called anything, as may a socket.
        """
        for where in (IPv4Address("TCP", "192.0.2.1", 80), UNIXAddress(b"/run/s")):
            self.assertEqual(self.answerTo("gateway.example", where).status, 200)

    def test_configured(self):
        """
        Configured names hold at once, and for a port that is open to others as well.
        """
        self.gateway.stand(configOf(http={"allowedHosts": ["gateway.example"]}))
        for where in (HERE, IPv4Address("TCP", "192.0.2.1", 80)):
            self.assertEqual(self.answerTo("gateway.example", where).status, 200)
            answer = self.answerTo("evil.example", where)
            self.assertRefused(answer, 403, "host_not_allowed")
        socket = UNIXAddress(b"/run/s")
        self.assertEqual(self.answerTo("evil.example", socket).status, 200)
