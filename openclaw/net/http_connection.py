"""
HTTP/1.1 client connections to providers, which carry one request after the other.

The parser is llhttp, by httptools.  Twisted's client delivers each transfer chunk
separately and creates a dozen objects for a request; this took a third of a request's
cost (see docs/performance.md).
"""

from collections.abc import Sequence
from typing import Protocol as Shape

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from openclaw.net.batched_writes import WriteBatcher
from openclaw.net.content_coding import ContentDecoder, ContentError, replaceUnprintable

MAX_BYTES_WITHOUT_BODY = 64 * 1024
"""
Limit of bytes without any part of the body, such as headers.
"""

MAX_OVERHEAD_BYTES = 16 * 1024 * 1024
"""
Limit of bytes beyond the body: headers, and the framing of chunks.
"""

MAX_MEMBERS = 100
"""
Limit of the members of a gzip body in one read.
"""

MAX_INFLATED_BYTES = 8 * 1024 * 1024
"""
Limit of the bytes that one read may inflate to.
"""

Header = tuple[bytes, bytes]
Address = tuple[str, str, int]
"""
Scheme, host and port.
"""


class UnrequestedCoding(ContentError):
    """
    The content has a coding that was not requested.
    """


class ResponseReceiver(Shape):
    def connected(self) -> None:
        """
        The connection is established, and the request is being sent.
        """

    def headersReceived(self, status: int, headers: Sequence[Header]) -> None:
        """
        The status and headers of the response were received.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Receive a part of the body: all of one read.
        """

    def responseEnded(self) -> None:
        """
        The body has ended, or the connection was closed without damage; a compressed
        body is complete.  Nothing follows.
        """

    def failed(self, reason: Failure) -> None:
        """
        There is no response, or the response is damaged.  Nothing follows.

        @param reason: No connection could be made, it was lost, its data is not HTTP,
            or a L{ContentError}.
        """


class Exchange:
    """
    One request and its response.

    @ivar pooled: Whether it uses a connection that was idle in the pool.
    @ivar complete: Whether the response is complete, so that C{responseEnded} follows
        the current C{dataReceived}.
    @ivar damaged: Whether the same read is damaged after this data, so that C{failed}
        follows.
    """

    __slots__ = (
        "_connecting",
        "_connection",
        "complete",
        "damaged",
        "pooled",
        "receiver",
        "request",
    )

    def __init__(self, receiver: ResponseReceiver, request: Sequence[bytes]) -> None:
        """
        @param request: The pieces of the encoded request.
        """
        self.receiver = receiver
        self.request = request
        self.pooled = False
        self.complete = False
        self.damaged = False
        self._connecting: Deferred[None] | None = None
        self._connection: Connection | None = None

    def connect(self, connecting: "Deferred[Connection]") -> None:
        self._connecting = connecting.addCallbacks(self.attach, self._connectFailed)

    def attach(self, connection: "Connection") -> None:
        self._connecting = None
        self._connection = connection
        request, self.request = self.request, ()
        connection.send(self, request)

    def _connectFailed(self, reason: Failure) -> None:
        self._connecting = None
        self.request = ()
        self.receiver.failed(reason)

    def detach(self) -> None:
        self._connection = None

    def cancel(self) -> None:
        """
        Close the connection, or stop connecting.
        """
        if self._connecting is not None:
            self._connecting.cancel()
        elif self._connection is not None:
            self._connection.abort()

    def pauseProducing(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resumeProducing(self) -> None:
        if self._connection is not None:
            self._connection.resume()


class ConnectionOwner(Shape):
    """
    The owner of idle connections.
    """

    def connectionIdle(self, address: Address, connection: "Connection") -> None:
        """
        The connection can send another request.
        """

    def connectionClosed(self, address: Address, connection: "Connection") -> None:
        """
        The connection is closed.
        """


class Connection(Protocol):
    """
    A connection to a provider.

    @ivar idleSince: The end of its last request, by the reactor's clock.
    """

    idleSince = 0.0

    def __init__(
        self, writes: WriteBatcher, owner: ConnectionOwner, address: Address
    ) -> None:
        self._batcher = writes
        self._owner = owner
        self._address = address
        self._exchange: Exchange | None = None
        self._fault: Failure | None = None
        self._closing = False
        self._reset()

    def _reset(self) -> None:
        self._headers: list[Header] = []
        self._status: int | None = None
        self._reported = False
        self._body: list[bytes] = []
        self._complete = False
        self._keptAlive = False
        self._bytesWithoutBody = 0
        self._overhead = 0
        self._decoder: ContentDecoder | None = None
        self._unrequested: str | None = None

    def connectionMade(self) -> None:
        self._batcher.wrapTransport(self)
        self._parser = HttpResponseParser(self)
        # Like browsers and Twisted's own client.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    def send(self, exchange: Exchange, request: Sequence[bytes]) -> None:
        self._exchange = exchange
        exchange.receiver.connected()
        assert self.transport is not None
        self.transport.writeSequence(request)

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        self._batcher.run(self._read, data)

    def _read(self, data: bytes) -> None:
        exchange = self._exchange
        if self._closing:
            return
        if exchange is None:
            # There is no request.
            self.abort()
            return
        fault: Exception | None = None
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self._complete:
                # Invalid data after a response does not affect it.
                self._keptAlive = False
            else:
                fault = error
        if self._status is not None and not self._reported:
            self._reported = True
            headers, self._headers = self._headers, []
            exchange.receiver.headersReceived(self._status, headers)
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        hasBody = bool(body)
        if hasBody:
            self._bytesWithoutBody = 0
            self._overhead += len(data) - len(body)
        else:
            self._bytesWithoutBody += len(data)
        if self._decoder is not None:
            try:
                body = _inflate(self._decoder, body, isLast=self._complete)
            except ContentError as error:
                fault, body = error, b""
        elif self._unrequested is not None:
            fault, body = UnrequestedCoding(self._unrequested), b""
        if hasBody and not self._closing:
            exchange.complete = self._complete and fault is None
            exchange.damaged = fault is not None
            exchange.receiver.dataReceived(body)
        if self._complete and fault is None and not self._closing:
            self._end(exchange)
        elif (
            fault is not None
            or self._bytesWithoutBody > MAX_BYTES_WITHOUT_BODY
            or self._overhead > MAX_OVERHEAD_BYTES
        ):
            self._fault = Failure(
                fault or HttpParserError("too much data without a body")
            )
            self.abort()

    def _end(self, exchange: Exchange) -> None:
        keptAlive = self._keptAlive
        self._exchange = None
        self._reset()
        exchange.detach()
        if keptAlive:
            self._owner.connectionIdle(self._address, self)
        else:
            self.abort()
        exchange.receiver.responseEnded()

    # Callbacks of the parser, which wraps every exception raised in them.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._complete:
            return  # A further response, without a request.
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []  # An interim response.
            return
        self._status = status
        self._keptAlive = self._parser.should_keep_alive()
        codings = [
            value.strip().lower()
            for name, value in self._headers
            if name.lower() == b"content-encoding"
        ]
        # The request asks for none, but some servers use gzip nevertheless.
        if len(codings) == 1 and codings[0] in _GZIP:
            self._decoder = ContentDecoder(codings, MAX_MEMBERS)
        elif any(coding not in (b"", b"identity") for coding in codings):
            shown = replaceUnprintable(b", ".join(codings)[:100].decode("latin-1"))
            self._unrequested = f"a content coding that was not requested ({shown})"

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = self._status is not None

    def on_message_begin(self) -> None:
        self._keptAlive = False

    # Flow control and closing

    def pause(self) -> None:
        assert self.transport is not None
        self.transport.pauseProducing()  # type: ignore[attr-defined]

    def resume(self) -> None:
        assert self.transport is not None
        self.transport.resumeProducing()  # type: ignore[attr-defined]

    def abort(self) -> None:
        """
        Close at once.  An orderly shutdown may never end: over TLS it waits for the
        server's.
        """
        if not self._closing:
            self._closing = True
            assert self.transport is not None
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._closing = True
        del self._parser
        exchange, self._exchange = self._exchange, None
        self._owner.connectionClosed(self._address, self)
        if exchange is None:
            return
        exchange.detach()
        if self._decoder is not None and self._fault is None:
            # The end of the connection may end such a body.
            try:
                self._decoder.finish()
            except ContentError:
                self._fault = Failure()
        if self._reported and self._fault is None:
            exchange.receiver.responseEnded()
        else:
            exchange.receiver.failed(self._fault or reason)


def _inflate(decoder: ContentDecoder, data: bytes, *, isLast: bool) -> bytes:
    """
    Decode the part of a body that one read contains.

    @raise ContentError: It is damaged, or exceeds a limit.
    """
    decoder.members = 0
    pieces = [decoder.decode(data)]
    room = MAX_INFLATED_BYTES - len(pieces[0])
    while decoder.pending and room >= 0:
        pieces.append(decoder.decode())
        room -= len(pieces[-1])
    if room < 0:
        raise ContentError("compressed content that inflates to far more than its size")
    if isLast:
        decoder.finish()
    return b"".join(pieces)


_GZIP = (b"gzip", b"x-gzip")
