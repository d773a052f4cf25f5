"""
HTTP/1.1 as a provider is asked in it: one connection, and on it one request after the
other.

The parser is llhttp, by httptools.  Twisted's client hands over each transfer chunk by
itself and makes a dozen objects for a request; this took a third of what a request
costs (see docs/performance.md).
"""

from collections.abc import Sequence
from typing import Protocol as Shape

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from openclaw.net.batched_writes import Writes
from openclaw.net.content_coding import ContentDecoder, ContentError, printable

MAX_BARREN_BYTES = 64 * 1024
"""
Bytes that a server may send without any part of the answer: headers, for one.
"""

MAX_OVERHEAD_BYTES = 16 * 1024 * 1024
"""
Bytes on the wire beyond the body: headers, and the framing of chunks.
"""

MAX_MEMBERS = 100
"""
The most members of a gzip body in one read.
"""

MAX_INFLATED_BYTES = 8 * 1024 * 1024
"""
The most that one read may inflate to.
"""

Header = tuple[bytes, bytes]
Address = tuple[str, str, int]
"""
Scheme, host and port.
"""


class UnaskedCoding(ContentError):
    """
    The content has a coding that was not asked for.
    """


class ResponseReceiver(Shape):
    """
    Sends a request, and receives the answer.
    """

    def connected(self) -> None:
        """
        There is a connection, and the request is on its way.
        """

    def answered(self, status: int, headers: Sequence[Header]) -> None:
        """
        The answer begins.
        """

    def came(self, data: bytes) -> None:
        """
        Some of its body came: all that one read brought.
        """

    def ended(self) -> None:
        """
        The body has ended, or broke off undamaged; a compressed one is whole.  Nothing
        else follows.
        """

    def failed(self, reason: Failure) -> None:
        """
        There is no answer, or the one that began is damaged.  Nothing else follows.

        @param reason: No connection came about, or it was lost, or what came on it
            was no HTTP, or a L{ContentError}.  After the answer began, it is the
            damage.
        """


class Exchange:
    """
    A request and its answer, as who asks holds it.

    @ivar pooled: Is it on a connection that had been idle?
    @ivar complete: Is all of the answer there, so that it will have ended when what
        came last is told?
    @ivar damaged: Is there damage behind what came last, in the same read, so that
        C{failed} will follow?
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
        @param request: All of its bytes.
        """
        self.receiver = receiver
        self.request = request
        self.pooled = False
        self.complete = False
        self.damaged = False
        self._connecting: Deferred[None] | None = None
        self._connection: Connection | None = None

    def connect(self, connecting: "Deferred[Connection]") -> None:
        """
        Wait for a connection.
        """
        self._connecting = connecting.addCallbacks(self.carriedBy, self._unconnected)

    def carriedBy(self, connection: "Connection") -> None:
        """
        There is a connection.
        """
        self._connecting = None
        self._connection = connection
        request, self.request = self.request, ()
        connection.carry(self, request)

    def _unconnected(self, reason: Failure) -> None:
        self._connecting = None
        self.request = ()
        self.receiver.failed(reason)

    def over(self) -> None:
        """
        Hold the connection no more.
        """
        self._connection = None

    def cancel(self) -> None:
        """
        Close the socket now, or do not even open it.
        """
        if self._connecting is not None:
            self._connecting.cancel()
        elif self._connection is not None:
            self._connection.abort()

    def pauseProducing(self) -> None:
        """
        Read no more for now.
        """
        if self._connection is not None:
            self._connection.pause()

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        if self._connection is not None:
            self._connection.resume()


class ConnectionOwner(Shape):
    """
    The owner of idle connections.
    """

    def free(self, address: Address, connection: "Connection") -> None:
        """
        Another request can be sent.
        """

    def gone(self, address: Address, connection: "Connection") -> None:
        """
        None can be sent any more.
        """


class Connection(Protocol):
    """
    A connection to a provider.

    @ivar idleSince: When its last request was over, by the reactor's clock.
    """

    idleSince = 0.0

    def __init__(
        self, writes: Writes, owner: ConnectionOwner, address: Address
    ) -> None:
        self._writes = writes
        self._owner = owner
        self._address = address
        self._exchange: Exchange | None = None
        self._fault: Failure | None = None
        self._closing = False
        self._begin()

    def _begin(self) -> None:
        self._headers: list[Header] = []
        self._status: int | None = None
        self._told = False
        self._body: list[bytes] = []
        self._complete = False
        self._keptAlive = False
        self._barren = 0
        self._overhead = 0
        self._decoder: ContentDecoder | None = None
        self._coding: str | None = None

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        self._writes.adopt(self)
        self._parser = HttpResponseParser(self)
        # As a browser does, and as Twisted's own client.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    def carry(self, exchange: Exchange, request: Sequence[bytes]) -> None:
        """
        Send a request.
        """
        self._exchange = exchange
        exchange.receiver.connected()
        assert self.transport is not None
        self.transport.writeSequence(request)

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        self._writes.during(self._read, data)

    def _read(self, data: bytes) -> None:
        exchange = self._exchange
        if self._closing:
            return
        if exchange is None:
            # Nobody has asked.
            self.abort()
            return
        fault: Exception | None = None
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self._complete:
                # What follows an answer is no part of it.
                self._keptAlive = False
            else:
                fault = error
        if self._status is not None and not self._told:
            self._told = True
            headers, self._headers = self._headers, []
            exchange.receiver.answered(self._status, headers)
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        hasBody = bool(body)
        if hasBody:
            self._barren = 0
            self._overhead += len(data) - len(body)
        else:
            self._barren += len(data)
        if self._decoder is not None:
            try:
                body = _inflated(self._decoder, body, isLast=self._complete)
            except ContentError as error:
                fault, body = error, b""
        elif self._coding is not None:
            fault, body = UnaskedCoding(self._coding), b""
        if hasBody and not self._closing:
            exchange.complete = self._complete and fault is None
            exchange.damaged = fault is not None
            exchange.receiver.came(body)
        if self._complete and fault is None and not self._closing:
            self._end(exchange)
        elif (
            fault is not None
            or self._barren > MAX_BARREN_BYTES
            or self._overhead > MAX_OVERHEAD_BYTES
        ):
            self._fault = Failure(fault or HttpParserError("There is no end of it"))
            self.abort()

    def _end(self, exchange: Exchange) -> None:
        keptAlive = self._keptAlive
        self._exchange = None
        self._begin()
        exchange.over()
        if keptAlive:
            self._owner.free(self._address, self)
        else:
            self.abort()
        exchange.receiver.ended()

    # What the parser tells.  It would wrap whatever is raised here.

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        A header is complete, or one of those behind a body.
        """
        if self._status is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """
        All headers are.
        """
        if self._complete:
            return  # This is another answer, to nobody's question.
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []  # That was only to say that it will take a while.
            return
        self._status = status
        self._keptAlive = self._parser.should_keep_alive()
        codings = [
            value.strip().lower()
            for name, value in self._headers
            if name.lower() == b"content-encoding"
        ]
        # It was asked for none.
        if len(codings) == 1 and codings[0] in _GZIP:
            self._decoder = ContentDecoder(codings, MAX_MEMBERS)
        elif any(coding not in (b"", b"identity") for coding in codings):
            shown = printable(b", ".join(codings)[:100].decode("latin-1"))
            self._coding = f"a content coding that was not asked for ({shown})"

    def on_body(self, data: bytes) -> None:
        """
        Some of the body.
        """
        if not self._complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """
        The answer is complete.
        """
        self._complete = self._status is not None

    def on_message_begin(self) -> None:
        """
        An answer begins; behind the one that was asked for, there must be none.
        """
        self._keptAlive = False

    # The end

    def pause(self) -> None:
        """
        Read no more for now.
        """
        assert self.transport is not None
        self.transport.pauseProducing()  # type: ignore[attr-defined]

    def resume(self) -> None:
        """
        Read on.
        """
        assert self.transport is not None
        self.transport.resumeProducing()  # type: ignore[attr-defined]

    def abort(self) -> None:
        """
        Close at once.  A farewell can last for ever: over TLS it waits for the other
        side's.
        """
        if not self._closing:
            self._closing = True
            assert self.transport is not None
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._closing = True
        del self._parser
        exchange, self._exchange = self._exchange, None
        self._owner.gone(self._address, self)
        if exchange is None:
            return
        exchange.over()
        if self._decoder is not None and self._fault is None:
            # Such a body may end with the connection.
            try:
                self._decoder.finish()
            except ContentError:
                self._fault = Failure()
        if self._told and self._fault is None:
            exchange.receiver.ended()
        else:
            exchange.receiver.failed(self._fault or reason)


def _inflated(decoder: ContentDecoder, data: bytes, *, isLast: bool) -> bytes:
    """
    Decode all that one read brought of a body.

    @raise ContentError: It is broken, or comes to more than it may.
    """
    decoder.members = 0
    pieces = [decoder.decode(data)]
    room = MAX_INFLATED_BYTES - len(pieces[0])
    while decoder.pending and room >= 0:
        pieces.append(decoder.decode())
        room -= len(pieces[-1])
    if room < 0:
        raise ContentError("compressed content that inflates to far more than itself")
    if isLast:
        decoder.finish()
    return b"".join(pieces)


_GZIP = (b"gzip", b"x-gzip")
