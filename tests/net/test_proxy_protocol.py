"""
Tests of L{openclaw.net.proxy_protocol}.
"""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import AccumulatingProtocol, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.proxy_protocol import HEADER_SECONDS, ProxyProtocolFactory

NEAR = IPv4Address("TCP", "192.0.2.1", 4711)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = b"\xcb\x00\x71\x05\xc0\x00\x02\x09\x12\x34\x01\xbb"
SIX = ip_address("2001:db8::5").packed + ip_address("2001:db8::9").packed + b"\0\1\0\2"

VALID = {
    b"PROXY TCP4 203.0.113.5 192.0.2.9 4712 443\r\n": "203.0.113.5",
    b"PROXY TCP6 2001:db8::5 2001:db8::9 4712 443\r\n": "2001:db8::5",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n": None,
    SIGNATURE + b"\x21\x11\x00\x0c" + FOUR: "203.0.113.5",
    SIGNATURE + b"\x21\x11\x00\x10" + FOUR + b"\x04\x00\x01x": "203.0.113.5",
    SIGNATURE + b"\x21\x21\x00\x24" + SIX: "2001:db8::5",
    SIGNATURE + b"\x20\x00\x00\x00": None,
    SIGNATURE + b"\x20\x11\x00\x0c" + FOUR: None,
    SIGNATURE + b"\x21\x00\x00\x00": None,
    SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216): None,
}
"""
Headers, and the client's address that each states.
"""

INVALID = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 x y 1 2\r\n",
    b"PROXY TCP4 203.0.113.5 192.0.2.9 4712\r\n",
    b"PROXY TCP4 203.0.113.5 192.0.2.9 x 443\r\n",
    b"PROXY TCP4 203.0.113.5 192.0.2.9 4712 65536\r\n",
    b"PROXY TCP4 203.0.113.5 192.0.2.9 4712 443 5\r\n",
    b"PROXY TCP4 2001:db8::5 2001:db8::9 4712 443\r\n",
    b"PROXY TCP6 203.0.113.5 192.0.2.9 4712 443\r\n",
    b"PROXY UDP4 203.0.113.5 192.0.2.9 4712 443\r\n",
    b"PROXY TCP4 " + b"9" * 107,
    b"proxy UNKNOWN\r\n",
    SIGNATURE + b"\x11\x11\x00\x0c" + FOUR,
    SIGNATURE + b"\x22\x11\x00\x0c" + FOUR,
    SIGNATURE + b"\x21\x11\x00\x04" + FOUR,
    SIGNATURE + b"\x21\x21\x00\x0c" + FOUR,
)


class ProxyProtocolTests(SynchronousTestCase):
    """
    Headers of the PROXY protocol are parsed.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def connect(self):
        """
        Open a connection.

        @return: Its protocol, and its transport.
        """
        factory = ProxyProtocolFactory(
            Factory.forProtocol(AccumulatingProtocol), self.clock
        )
        factory.wrappedFactory.protocolConnectionMade = None
        protocol = factory.buildProtocol(NEAR)
        transport = StringTransport(peerAddress=NEAR)
        protocol.makeConnection(transport)
        return protocol, transport

    def test_everySplit(self) -> None:
        """
        A header is parsed in any splits, and the data after it is passed on.
        """
        rest = b"GET / HTTP/1.1\r\n"
        for header, address in VALID.items():
            sent = header + rest
            for cut in range(1, len(sent)):
                protocol, transport = self.connect()
                protocol.dataReceived(sent[:cut])
                protocol.dataReceived(sent[cut:])
                self.assertFalse(transport.disconnecting, header)
                source = None if protocol.source is None else str(protocol.source)
                self.assertEqual(source, address)
                self.assertEqual(protocol.wrappedProtocol.data, rest)
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_invalid(self) -> None:
        """
        Without a valid header the connection is aborted, and nothing is passed on.
        """
        for header in INVALID:
            protocol, transport = self.connect()
            protocol.dataReceived(header)
            self.assertTrue(transport.disconnected, header)
            protocol.dataReceived(b"more")
            self.assertEqual(protocol.wrappedProtocol.data, b"")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    @given(
        start=st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, *VALID]),
        rubbish=st.lists(st.binary(max_size=300), max_size=4),
    )
    def test_anything(self, start: bytes, rubbish: list[bytes]) -> None:
        """
        Arbitrary data raises no exception.
        """
        protocol, _ = self.connect()
        protocol.dataReceived(start[:-1])
        for each in rubbish:
            protocol.dataReceived(each)

    def test_unfinished(self) -> None:
        """
        An incomplete header times out, whatever was received.
        """
        for header in (b"", *VALID):
            protocol, transport = self.connect()
            protocol.dataReceived(header[:3])
            self.clock.advance(HEADER_SECONDS / 2)
            protocol.dataReceived(header[3:-1])
            self.assertFalse(transport.disconnected)
            self.clock.advance(HEADER_SECONDS / 2)
            self.assertTrue(transport.disconnected)

    def test_left(self) -> None:
        """
        A disconnect before the header leaves no timer.
        """
        protocol, _ = self.connect()
        protocol.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])
