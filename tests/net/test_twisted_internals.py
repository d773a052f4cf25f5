"""
Tests of L{openclaw.net.twisted_internals}.  If one fails with a new release of Twisted,
that module has to be adapted.
"""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket, socketpair

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import TransportProxyProducer
from twisted.web.http import Request

from openclaw.net.twisted_internals import (
    TRIED_VERSIONS,
    AdoptedUNIXPort,
    ExtensibleHTTPChannel,
    abortResponse,
    adoptPort,
    hasUnsentBytes,
)
from twisted import version

PROJECT = Path(__file__).parents[2]


class VersionTests(SynchronousTestCase):
    """
    The installed Twisted is one that was tested.
    """

    def test_installed(self) -> None:
        """
        The installed release is in the list.
        """
        self.assertIn(f"{version.major}.{version.minor}", TRIED_VERSIONS)

    def test_bounds(self) -> None:
        """
        C{pyproject.toml} allows the oldest release of the list, up to the next major
        version of the newest.
        """
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        above = int(TRIED_VERSIONS[-1].partition(".")[0]) + 1
        self.assertIn(
            f"twisted[tls]>={TRIED_VERSIONS[0]},<{above}", project["dependencies"]
        )


class SilentRequest(Request):
    """
    A request without a response.
    """

    def process(self) -> None:
        """
        Do nothing.
        """


class Channel(ExtensibleHTTPChannel):
    """
    A channel that records the calls of its hooks.

    @ivar announced: The headers that delimit the body, and whether each is the first.
    @ivar trailers: The trailers of each body.
    @ivar bad: The number of bad requests.
    @ivar within: The value of C{isReceiving} at each line.
    @ivar accepts: The return value of the hooks.
    """

    requestFactory = SilentRequest

    def __init__(self) -> None:
        super().__init__()
        self.announced: list[tuple[bytes, bytes, bool]] = []
        self.trailers: list[list[bytes]] = []
        self.bad = 0
        self.within: list[bool] = []
        self.accepts = True

    def lineReceived(self, line: bytes) -> None:
        self.within.append(self.isReceiving)
        super().lineReceived(line)

    def badRequest(self) -> None:
        self.bad += 1

    def bodyAnnounced(self, header: bytes, value: bytes, isFirst: bool) -> bool:
        self.announced.append((header, value, isFirst))
        return self.accepts

    def trailersReceived(self, trailers: Sequence[bytes]) -> bool:
        self.trailers.append([bytes(line) for line in trailers])
        return self.accepts


class ChannelTests(SynchronousTestCase):
    """
    An HTTP connection exposes its state, and calls its hooks.
    """

    def setUp(self) -> None:
        self.channel = self.connected(Channel())

    def connected(self, channel: ExtensibleHTTPChannel) -> ExtensibleHTTPChannel:
        """
        Connect a channel to a transport in memory.
        """
        channel.timeOut = None
        self.transport = StringTransport()
        channel.makeConnection(self.transport)
        return channel

    def test_firstLine(self) -> None:
        """
        The parts of the request line are available until the end of the request.
        """
        channel = self.channel
        self.assertEqual((channel.method, channel.hasInput), (b"", False))
        channel.dataReceived(b"PUT /a HT")
        self.assertEqual((channel.method, channel.hasInput), (b"", True))
        channel.dataReceived(b"TP/1.0\r\n")
        self.assertEqual(
            (channel.method, channel.target, channel.version, channel.hasInput),
            (b"PUT", b"/a", b"HTTP/1.0", False),
        )
        channel.dataReceived(b"\r\n")
        self.assertEqual(channel.method, b"")

    def test_target(self) -> None:
        """
        A replaced target is that of the request.
        """
        self.channel.dataReceived(b"GET http://a/b HTTP/1.1\r\n")
        self.channel.target = b"/b"
        self.channel.dataReceived(b"\r\n")
        [request] = self.channel.requests
        self.assertEqual(request.uri, b"/b")

    def test_receiving(self) -> None:
        """
        C{isReceiving} is true only within a read.
        """
        self.channel.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(self.channel.within, [True, True])
        self.assertFalse(self.channel.isReceiving)

    def test_ahead(self) -> None:
        """
        A pipelined request waits for the response to the previous one.
        """
        channel = self.channel
        channel.dataReceived(b"GET /1 HTTP/1.1\r\n")
        self.assertFalse(channel.isAnswering)
        channel.dataReceived(b"\r\n")
        self.assertTrue(channel.isAnswering)
        self.assertFalse(channel.hasPipelinedInput)
        channel.keepPipelined(b"GET /2 HTTP/1.1\r\n\r\n")
        self.assertTrue(channel.hasPipelinedInput)
        channel.requests[0].finish()
        self.assertFalse(channel.hasPipelinedInput)
        self.assertEqual([each.uri for each in channel.requests], [b"/2"])

    def test_reading(self) -> None:
        """
        Reading can be paused.
        """
        self.channel.pauseReading()
        self.assertEqual(self.transport.producerState, "paused")
        self.channel.resumeReading()
        self.assertEqual(self.transport.producerState, "producing")

    def test_full(self) -> None:
        """
        C{isWriteBlocked} shows whether the transport accepts more data.
        """
        self.assertFalse(self.channel.isWriteBlocked)
        self.channel.pauseProducing()
        self.assertTrue(self.channel.isWriteBlocked)
        self.channel.resumeProducing()
        self.assertFalse(self.channel.isWriteBlocked)

    def test_largeHeaders(self) -> None:
        """
        Headers are too large by size or by number, counted for each request.
        """
        self.channel.maxHeaders = 2
        self.channel.dataReceived(b"GET / HTTP/1.1\r\na: 1\r\nb: 2\r\n\r\n")
        self.assertFalse(self.channel.hasLargeHeaders)
        self.channel.requests[0].finish()
        self.channel.dataReceived(b"GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\n")
        self.assertFalse(self.channel.hasLargeHeaders)
        self.channel.dataReceived(b"\r\n")
        self.assertTrue(self.channel.hasLargeHeaders)
        other = self.connected(Channel())
        other.dataReceived(b"GET / HTTP/1.1\r\na: " + b"x" * 20_000)
        self.assertTrue(other.hasLargeHeaders)
        self.assertEqual((self.channel.bad, other.bad), (1, 1))

    def test_badRequest(self) -> None:
        """
        The subclass or Twisted responds to a malformed request.
        """
        self.channel.dataReceived(b"nonsense\r\n")
        self.assertEqual(self.channel.bad, 1)
        self.assertEqual(self.transport.value(), b"")
        self.connected(ExtensibleHTTPChannel()).dataReceived(b"nonsense\r\n")
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 400 "))

    def test_body(self) -> None:
        """
        The hook is called once for each header that delimits a body.
        """
        self.channel.dataReceived(
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self.assertEqual(
            self.channel.announced,
            [
                (b"Content-Length", b"3", True),
                (b"Transfer-Encoding", b"chunked", False),
            ],
        )

    def test_refusedBody(self) -> None:
        """
        A refused body is neither received nor parsed as headers.
        """
        self.channel.accepts = False
        self.channel.dataReceived(b"POST / HTTP/1.1\r\nContent-Length: 3\r\na: b\r\n")
        [request] = self.channel.requests
        self.assertFalse(request.requestHeaders.hasHeader(b"content-length"))
        self.assertEqual(self.channel.bad, 0)

    def test_trailers(self) -> None:
        """
        Trailers are passed to the hook before the request is complete.
        """
        sent = (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\na: b\r\n\r\n"
        )
        self.channel.dataReceived(sent)
        self.assertEqual(self.channel.trailers, [[b"a: b"]])
        self.assertTrue(self.channel.isAnswering)
        other = self.connected(Channel())
        other.dataReceived(sent[: sent.index(b"1\r\nx")])
        other.accepts = False
        other.dataReceived(sent[sent.index(b"1\r\nx") :])
        self.assertFalse(other.isAnswering)


class TransportTests(SynchronousTestCase):
    """
    The other private names work.
    """

    def test_unsentBytes(self) -> None:
        """
        Bytes are unsent until the socket has accepted them.
        """
        ours, theirs = socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        transport = Connection(ours, Protocol(), MemoryReactorClock())
        transport.connected = 1
        self.assertFalse(hasUnsentBytes(transport))
        transport.write(b"a")
        self.assertTrue(hasUnsentBytes(transport))
        transport.doWrite()
        self.assertFalse(hasUnsentBytes(transport))

    def test_abortResponse(self) -> None:
        """
        A response's connection is closed at once, if it still has one.
        """
        real = StringTransport()
        proxy = TransportProxyProducer(real)
        abortResponse(proxy)
        self.assertTrue(real.disconnected)
        proxy.stopProxying()
        abortResponse(proxy)

    def test_adoptedPort(self) -> None:
        """
        A listening socket accepts connections, and its file stays when it is closed
        here.
        """
        path = self.mktemp()
        listening = socket(AF_UNIX, SOCK_STREAM)
        self.addCleanup(listening.close)
        listening.bind(path)
        listening.listen()
        reactor = MemoryReactorClock()
        port = adoptPort(AdoptedUNIXPort, reactor, listening.fileno(), Factory())
        port.startListening()
        self.assertEqual(reactor.getReaders(), [port])
        port.connectionLost(Failure(ConnectionError()))
        self.assertTrue(os.path.exists(path))
        other = socket(AF_UNIX, SOCK_STREAM)
        self.addCleanup(other.close)
        other.connect(path)
