"""
Tests of L{openclaw.server.channel}: arbitrary bytes.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ITCPTransport
from zope.interface import implementer

from openclaw.server.admission import LINGER_SECONDS
from openclaw.server.channel import MAX_CONSECUTIVE_REQUESTS, MAX_PIPELINED_BYTES
from tests.server.memory_connection import Line
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    STREAMED,
    GatewayTestCase,
)

ALIVE = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"

pieces = st.one_of(
    st.sampled_from(
        [
            b"GET",
            b"POST",
            b" ",
            b"/healthz",
            COMPLETIONS.encode(),
            b"HTTP/1.1",
            b"HTTP/1.0",
            b"\r\n",
            b"\n",
            b"\r\n\r\n",
            b":",
            b"Host: gateway\r\n",
            ": ".join(AUTHORIZATION).encode() + b"\r\n",
            b"Content-Length: ",
            b"Content-Length: 4\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"0\r\n\r\n",
            b"4\r\nabcd\r\n",
            b"{}",
            b"\0",
            ALIVE,
        ]
    ),
    st.binary(max_size=9),
)
rubbish = st.lists(pieces, max_size=14)


class HeadTests(GatewayTestCase):
    """
    HEAD requests that can't be parsed.
    """

    def received(self, *written: bytes) -> bytes:
        """
        Return the error response, also if the rest of the headers never comes.
        """
        line = self.gateway.connect().line
        for data in written:
            line.protocol.dataReceived(data)
        self.gateway.clock.advance(12)
        return line.value()

    def test_noBody(self) -> None:
        """
        They are answered without a body, which would be taken for the next response.
        """
        unfinished = b"HEAD /healthz HTTP/1.1\r\nHost: gateway\r\n"
        for data in (
            b"HEAD / HTTP/9.9\r\n\r\n",
            b"HEAD /\r\n\r\n",
            b"HEAD / HTTP/1.1 x\r\n\r\n",
            b"HEAD  / HTTP/1.1\r\n\r\n",
            b"HEAD /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"HEAD /" + b"a" * 20_000,
            b"HEAD /healthz HT",
            unfinished,
            unfinished + b"junk\r\n\r\n",
            unfinished + b"a: " + b"b" * 70_000,
            ALIVE + b"HEAD / HTTP/9.9\r\n\r\n",
        ):
            for written in ([data], [data[:9], data[9:]]):
                head, _, body = self.received(*written).rpartition(b"\r\n\r\n")
                self.assertIn(b"HTTP/1.1 4", head, data[:50])
                self.assertEqual(body, b"", data[:50])


class RubbishTests(GatewayTestCase):
    """
    Bytes that are not HTTP.
    """

    @given(rubbish, st.data())
    def test_anything(self, sent, data):
        """
        For any bytes in any pieces, each response is complete JSON, has an id, and is
        not an internal error; and other clients are served.
        """
        whole = b"".join(sent)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        ends = [*cuts, len(whole)]
        caller = self.gateway.connect()
        for start, end in zip([0, *cuts], ends, strict=True):
            if start < end:
                caller.send(whole[start:end])
        self.gateway.clock.advance(11)
        for answer in caller.answers:
            self.assertTrue(answer.complete)
            self.assertIn("x-request-id", answer.headers)
            self.assertLess(answer.status, 500)
            if answer.body:
                self.assertIn("error" if answer.status != 200 else "ok", answer.json)
        caller.leave()
        other = self.gateway.connect()
        other.send(ALIVE)
        self.assertEqual(other.answer.status, 200)
        other.leave()
        self.assertEqual(self.gateway.site.bodyBudget.used, 0)

    @given(st.data())
    def test_sameInPieces(self, data):
        """
        The error does not depend on the pieces in which the bytes arrive.
        """
        whole = b"".join(data.draw(rubbish))
        cut = data.draw(st.integers(0, len(whole)))
        seen = []
        for parts in ([whole], [whole[:cut], whole[cut:]]):
            caller = self.gateway.connect()
            caller.send(*[part for part in parts if part])
            self.gateway.clock.advance(11)
            seen.append([answer.status for answer in caller.answers])
            caller.leave()
        self.assertEqual(*seen)


class TrailerTests(GatewayTestCase):
    """
    Trailers after the last chunk of a body.
    """

    def answerTo(self, trailers):
        """
        Return the response to a request with these trailers.
        """
        caller = self.gateway.connect()
        caller.send(
            b"POST %b HTTP/1.1\r\nHost: gateway\r\n%b\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n%b\r\n"
            % (COMPLETIONS.encode(), ": ".join(AUTHORIZATION).encode(), trailers)
        )
        return caller.answer

    def test_headers(self):
        """
        Valid trailers are ignored: the body is read, and is invalid.
        """
        for trailers in (b"", b"X-Sum: 1\r\n", b"a:\r\nb:\t c\xff \r\n"):
            self.assertRefused(self.answerTo(trailers), 400, None, "messages")

    def test_others(self):
        """
        Other bytes are rejected: a proxy could have read a request from them.
        """
        for trailers in (
            b"GET /v1/models HTTP/1.1\r\n",
            b"no header\r\n",
            b": nameless\r\n",
            b"a b: c\r\n",
            b"a : c\r\n",
            b" folded: c\r\n",
            b"a: b\x00c\r\n",
            b"a: b\rc\r\n",
            b"a: b\nGET / HTTP/1.1\r\n",
            b"a: b\r\n" * 1000,
        ):
            self.assertRefused(self.answerTo(trailers), 400, "malformed_request")


@implementer(ITCPTransport)
class TCPLine(Line):
    """
    The gateway's end of a TCP connection, which can be closed in one direction.

    @ivar halfClosed: Whether the gateway has closed its direction.
    """

    halfClosed = False

    def loseWriteConnection(self):
        self.halfClosed = True

    def setTcpNoDelay(self, enabled):
        """
        Do nothing.
        """


class LastWordTests(GatewayTestCase):
    """
    The response to malformed bytes arrives.
    """

    def test_readOn(self):
        """
        The connection is closed in one direction, and further bytes are read and
        dropped: otherwise the client's system could drop the response.  If the client
        does not close it, it is aborted.
        """
        caller = self.gateway.connect()
        caller.leave()
        address = IPv4Address("TCP", "127.0.0.1", 4711)
        caller.line = line = TCPLine(self.gateway.site.buildProtocol(address))
        caller.send(b"no HTTP\r\n")
        self.assertRefused(caller.answer, 400, "malformed_request")
        self.assertTrue(line.halfClosed)
        for _ in range(int(LINGER_SECONDS)):
            caller.send(ALIVE)
            self.assertFalse(caller.closed)
            self.gateway.clock.advance(1)
        self.assertEqual(len(caller.answers), 1)
        self.assertTrue(line.aborted)
        self.assertTrue(caller.closed)


class AheadTests(GatewayTestCase):
    """
    Pipelined requests.
    """

    def test_inTurns(self):
        """
        A few are answered immediately, and more after other connections had their turn,
        all in order.
        """
        caller = self.gateway.connect()
        count = 3 * MAX_CONSECUTIVE_REQUESTS
        caller.send(ALIVE * count)
        self.assertEqual(len(caller.answers), MAX_CONSECUTIVE_REQUESTS)
        self.assertEqual(caller.line.producerState, "paused")
        for _ in range(3):
            self.gateway.clock.advance(0)
        self.assertEqual(len(caller.answers), count)
        self.assertEqual(caller.line.producerState, "producing")
        caller.leave()

    def test_goneMeanwhile(self):
        """
        A disconnect in between leaves nothing behind.
        """
        before = len(self.gateway.clock.getDelayedCalls())
        caller = self.gateway.connect()
        caller.send(ALIVE * 3 * MAX_CONSECUTIVE_REQUESTS)
        self.assertGreater(len(self.gateway.clock.getDelayedCalls()), before)
        caller.leave()
        self.assertEqual(len(self.gateway.clock.getDelayedCalls()), before)

    def test_cut(self):
        """
        The bytes after a request in progress are limited, without a pause in reading;
        with one byte more, the connection is aborted and the run cancelled.
        """
        caller = self.gateway.post(STREAMED)
        for _ in range(4):
            caller.send(b"x" * (MAX_PIPELINED_BYTES // 4))
            self.assertEqual(caller.line.producerState, "producing")
        self.assertFalse(caller.line.aborted)
        self.assertFalse(self.gateway.call.cancelled)
        caller.send(b"x")
        self.assertTrue(caller.line.aborted)
        self.assertTrue(caller.closed)
        self.assertTrue(self.gateway.call.cancelled)
