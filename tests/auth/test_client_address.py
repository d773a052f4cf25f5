"""
Tests of L{openclaw.auth.client_address}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.client_address import ClientAddress, TrustedProxies
from openclaw.net.proxy_protocol import ProxyProtocolFactory
from tests.auth.doorkeeper_doubles import headersOf, lineFrom

PROXY = "192.0.2.1"
PROXIES = TrustedProxies([PROXY, "198.51.100.0/24", "2001:db8:1::/48"])


def behind(near: object, header: bytes) -> object:
    """
    Return a connection by C{haproxy:} that began with this header.

    @param near: The address of the peer.
    """
    factory = ProxyProtocolFactory(Factory.forProtocol(Protocol), Clock())
    wrapper = factory.buildProtocol(near)
    wrapper.makeConnection(StringTransport(peerAddress=near))
    wrapper.dataReceived(header)
    return wrapper


class DirectTests(SynchronousTestCase):
    """
    Connections without a proxy.
    """

    def origin(
        self, host: str, proxies: TrustedProxies = PROXIES, **headers
    ) -> ClientAddress:
        """
        Return the address of a request's client.
        """
        kind = IPv6Address if ":" in host else IPv4Address
        line = lineFrom(peer=kind("TCP", host, 4711))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return proxies.origin(line, headersOf(named))

    def test_address(self) -> None:
        """
        The name is the address.
        """
        self.assertEqual(self.origin("203.0.113.5"), ClientAddress(name="203.0.113.5"))

    def test_ipv6(self) -> None:
        """
        All addresses of a /64 network count as one.
        """
        first, second = self.origin("2001:db8:2::1"), self.origin("2001:db8:2::ffff:2")
        self.assertEqual(first, second)
        self.assertEqual(first.name, "2001:db8:2::/64")
        self.assertNotEqual(first, self.origin("2001:db8:2:1::1"))

    def test_mapped(self) -> None:
        """
        An IPv4-mapped address is the same as the IPv4 address.
        """
        self.assertEqual(self.origin("::ffff:203.0.113.5"), self.origin("203.0.113.5"))
        self.assertTrue(self.origin(f"::ffff:{PROXY}").trusted)
        self.assertTrue(self.origin("::ffff:127.0.0.1").local)

    def test_zone(self) -> None:
        """
        The scope of a link-local address is ignored.
        """
        self.assertEqual(self.origin("fe80::1%eth0").name, "fe80::/64")

    def test_local(self) -> None:
        """
        This machine is recognised, and not trusted as a proxy.
        """
        for host in ("127.0.0.1", "127.9.9.9", "::1"):
            found = self.origin(host)
            self.assertTrue(found.local)
            self.assertFalse(found.trusted)

    def test_localProxy(self) -> None:
        """
        Clients of an unconfigured proxy on this machine are not exempt, and count
        separately from this machine's users.
        """
        for header in ("x_forwarded_for", "forwarded", "x_real_ip"):
            found = self.origin("127.0.0.1", **{header: "203.0.113.5"})
            self.assertEqual(found, ClientAddress(name="127.0.0.1 (forwarded)"))

    def test_unix(self) -> None:
        """
        The client of a UNIX socket is on this machine, and a trusted proxy if that is
        configured.
        """
        line = lineFrom(peer=UNIXAddress(None))
        found = PROXIES.origin(line, headersOf())
        self.assertEqual(found, ClientAddress(name="unix", local=True))
        found = TrustedProxies(["unix"]).origin(
            line, headersOf({"x-forwarded-for": "203.0.113.5"})
        )
        self.assertEqual(found, ClientAddress(name="203.0.113.5", trusted=True))

    def test_said(self) -> None:
        """
        Forwarding headers of untrusted clients are ignored.
        """
        found = self.origin("203.0.113.5", x_forwarded_for=PROXY)
        self.assertEqual(found, ClientAddress(name="203.0.113.5"))


class ForwardedTests(SynchronousTestCase):
    """
    Forwarding headers of a trusted proxy.
    """

    def clientOf(self, *lines: bytes) -> str:
        """
        Return the client's address.
        """
        headers = headersOf()
        for line in lines:
            headers.addRawHeader(b"X-Forwarded-For", line)
        found = PROXIES.origin(lineFrom(PROXY), headers)
        self.assertTrue(found.trusted)
        self.assertFalse(found.local)
        return found.name

    def test_last(self) -> None:
        """
        The last address that is not a proxy's is used: clients can send any addresses
        before it.
        """
        for lines in (
            [b"203.0.113.5"],
            [b"1.1.1.1, 203.0.113.5"],
            [b"127.0.0.1,203.0.113.5, 198.51.100.7"],
            [b"1.1.1.1", b"203.0.113.5", b"192.0.2.1"],
            [b"203.0.113.5:4711"],
            [b"rubbish, 203.0.113.5"],
        ):
            self.assertEqual(self.clientOf(*lines), "203.0.113.5")

    def test_ipv6(self) -> None:
        """
        IPv6 addresses are recognised in all forms.
        """
        for text in (b"2001:db8:2::5", b"[2001:db8:2::5]", b"[2001:db8:2::5]:443"):
            self.assertEqual(self.clientOf(text), "2001:db8:2::/64")

    def test_nonsense(self) -> None:
        """
        An invalid address ends the chain: the proxy after it is the client.
        """
        for lines in (
            [],
            [b""],
            [b"203.0.113.5, unknown"],
            [b"\xff"],
            [b"203.0.113.5,"],
        ):
            self.assertEqual(self.clientOf(*lines), PROXY)
        self.assertEqual(self.clientOf(b"1.1.1.1, x, 198.51.100.7"), "198.51.100.7")

    def test_proxiesOnly(self) -> None:
        """
        A proxy may send its own requests.
        """
        self.assertEqual(self.clientOf(b"198.51.100.7, 198.51.100.8"), "198.51.100.7")

    def test_loopback(self) -> None:
        """
        A client that claims a loopback address is not exempt.
        """
        self.assertEqual(self.clientOf(b"127.0.0.1"), "127.0.0.1")

    @given(line=st.binary(max_size=60).filter(lambda line: b"\n" not in line))
    def test_anything(self, line) -> None:
        """
        Any header results in a name of one line.
        """
        self.assertTrue(self.clientOf(line.replace(b"\r", b"")).isprintable())


class ProxyProtocolTests(SynchronousTestCase):
    """
    Connections by C{haproxy:}.
    """

    near = IPv4Address("TCP", PROXY, 4711)

    def origin(
        self, header: bytes, near: object = near, **headers: str
    ) -> ClientAddress:
        """
        Return the address of a request's client.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return PROXIES.origin(behind(near, header), headersOf(named))

    def test_stated(self) -> None:
        """
        The address from a trusted proxy is used, in both versions of the protocol.
        """
        text = b"PROXY TCP4 203.0.113.5 192.0.2.9 4712 443\r\n"
        binary = (
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
            b"\xcb\x00\x71\x05\xc0\x00\x02\x09\x12\x34\x01\xbb"
        )
        for header in (text, binary):
            self.assertEqual(self.origin(header), ClientAddress(name="203.0.113.5"))

    def test_chain(self) -> None:
        """
        If that address is a trusted proxy's, too, its forwarding header is used.
        """
        found = self.origin(
            b"PROXY TCP4 198.51.100.7 192.0.2.9 4712 443\r\n",
            x_forwarded_for="203.0.113.5",
        )
        self.assertEqual(found, ClientAddress(name="203.0.113.5", trusted=True))

    def test_ipv6(self) -> None:
        """
        The same applies to IPv6.
        """
        found = self.origin(b"PROXY TCP6 2001:db8:2::5 2001:db8::9 4712 443\r\n")
        self.assertEqual(found, ClientAddress(name="2001:db8:2::/64"))

    def test_forged(self) -> None:
        """
        An untrusted client can't claim the address of a trusted proxy or of this
        machine.
        """
        stranger = IPv4Address("TCP", "203.0.113.66", 4711)
        for claimed in (PROXY, "198.51.100.7", "127.0.0.1"):
            found = self.origin(
                b"PROXY TCP4 %b 192.0.2.9 4712 443\r\n" % claimed.encode(),
                stranger,
                x_forwarded_for="198.51.100.7",
            )
            self.assertEqual(found, ClientAddress(name="203.0.113.66"))

    def test_unknown(self) -> None:
        """
        A proxy that does not know its client's address makes no one trusted.
        """
        local = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
        for header in (b"PROXY UNKNOWN x\r\n", local, b"PROXY TCP4 x y 1 2\r\n"):
            found = self.origin(header, x_forwarded_for="198.51.100.7")
            self.assertEqual(found, ClientAddress(name=PROXY))

    def test_loopback(self) -> None:
        """
        No address from a proxy counts as this machine.
        """
        found = self.origin(b"PROXY TCP4 127.0.0.1 127.0.0.1 4712 443\r\n")
        self.assertEqual(found, ClientAddress(name="127.0.0.1"))
