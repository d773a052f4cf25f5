"""
The HTTP server's edge: what is decided before a body is read.

Twisted's own L{Site} takes the whole body of a request, whatever its size, before
anybody is asked whether they want it.  Here the door is asked when the headers are
complete.  A body that nobody wants is thrown away as it comes, and one that is
wanted is counted, kept in memory, and has a deadline.
"""

from dataclasses import dataclass
from io import BytesIO
from secrets import token_hex
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from openclaw.errors import BodyTooLarge, InternalError, OpenClawError, RequestTimeout
from openclaw.interfaces import ICaller
from openclaw.web.failures import answerWith

LINGER_SECONDS = 5.0
"""
How long a refused caller may go on sending a body.  Closing at once would make their
system throw away the answer before they can read it.
"""

CLOSE_SECONDS = 2.0
"""
How long callers may take to read the last bytes when the daemon stops.
"""

IDLE_SECONDS = 60
"""
How long a connection may be idle between two requests.
"""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """
    What the door says to a request whose headers are complete.

    @ivar caller: Who asks, or a failure with an
        L{openclaw.errors.OpenClawError}; C{None} where nobody needs to be known.
    @ivar bodyBytes: The largest body that is wanted; 0 for none.
    @ivar bodySeconds: How long the whole body may take.
    """

    caller: "Deferred[ICaller] | None" = None
    bodyBytes: int = 0
    bodySeconds: float = LINGER_SECONDS


class Door(Protocol):
    """
    Who decides.
    """

    def admit(self, request: "GatewayRequest") -> Admission:
        """
        Look at a request of which only the method, the path and the headers are
        there.
        """


class GatewayRequest(Request):
    """
    A request that asks the door first.

    @ivar requestID: Its name in logs and in C{x-request-id}.
    """

    channel: "GatewayChannel"
    content: BytesIO

    def __init__(self, channel: HTTPChannel, queued: object = None) -> None:
        super().__init__(channel, queued)
        self.requestID = f"req_{token_hex(12)}"
        self._caller: Deferred[ICaller | BaseException] | None = None
        self._complete = False
        self._refused = False
        self._received = 0
        self._limit = 0
        self._deadline: IDelayedCall | None = None

    # While it comes in

    def gotLength(self, length: int | None) -> None:
        """
        The headers are complete.

        @param length: The length of the body in bytes, or C{None} if that is not
            known.
        """
        self.content = BytesIO()
        # Only the channel knows these yet, and an early answer needs them.
        self.method = self.channel._command
        self.uri = self.channel._path
        self.clientproto = self.channel._version
        self.path = self.uri.partition(b"?")[0]
        self.responseHeaders.setRawHeaders(b"x-request-id", [self.requestID.encode()])
        admission = self.channel.site.door.admit(self)
        self._limit = admission.bodyBytes
        if length != 0:
            self._deadline = self.channel.callLater(admission.bodySeconds, self._late)
        if admission.caller is not None:
            self._caller = admission.caller.addErrback(self._turnAway)
        if length is not None and length > self._limit > 0 and not self._refused:
            self._refuse(_tooLarge(self._limit))

    def _turnAway(self, failure: Failure) -> BaseException:
        """
        The caller is not let in.

        @return: Why not.  If it took long to find out, a resource waits for it.
        """
        error = failure.value
        assert error is not None
        if isinstance(error, OpenClawError):
            error.__traceback__ = None  # Its frames hold this request.
            if not (self._complete or self._refused or self.gone):
                self._refuse(error)
        return error

    def handleContentChunk(self, data: bytes) -> None:
        """
        Some of the body came.
        """
        self._received += len(data)
        if self._refused or not self._limit:
            return
        if self._received > self._limit:
            self._refuse(_tooLarge(self._limit))
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        The body is complete.
        """
        self._complete = True
        self._stopDeadline()
        if not self._refused:
            super().requestReceived(command, path, version)
        elif not self._disconnected:
            self.finish()

    def _late(self) -> None:
        self._deadline = None
        if self._refused:
            self.abort()
        else:
            self._refuse(RequestTimeout("The body did not arrive in time."))

    def _refuse(self, error: OpenClawError) -> None:
        """
        Answer now, and throw away what still comes of the body.
        """
        self._refused = True
        self.content = BytesIO()
        # Nothing shall invite the caller to send the body.
        self.requestHeaders.removeHeader(b"expect")
        self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.channel.persistent = False
        self._stopDeadline()
        self._deadline = self.channel.callLater(LINGER_SECONDS, self._late)
        self.write(answerWith(self, error))

    def _stopDeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connectionLost(self, reason: Failure) -> None:
        """
        The caller is gone.
        """
        self._stopDeadline()
        super().connectionLost(reason)

    # For the resources

    def abort(self) -> None:
        """
        Cut the connection: the caller shall not take what came for a whole answer.
        """
        self.channel.abort()

    @property
    def gone(self) -> bool:
        """
        Has the caller gone away?
        """
        return bool(self._disconnected)

    async def caller(self) -> ICaller:
        """
        Who asks.

        @raise OpenClawError: Nobody who may come in.
        """
        if self._caller is None:
            raise InternalError("The gateway failed.")
        found = await self._caller
        if isinstance(found, BaseException):
            raise found
        return found

    def getRequestHostname(self) -> bytes:
        """
        A name for Klein, which could route by it.  The real one is the caller's word,
        and need not even be a name.
        """
        return b"gateway"

    def header(self, name: str) -> str | None:
        """
        A request header as text.  Bytes that are no UTF-8 are taken for Latin-1.
        """
        values = self.requestHeaders.getRawHeaders(name.encode())
        if values is None:
            return None
        raw: bytes = values[-1]
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def body(self) -> bytes:
        """
        The whole body.
        """
        assert isinstance(self.content, BytesIO)
        return self.content.getvalue()


def _tooLarge(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes.")


class GatewayChannel(HTTPChannel):
    """
    A connection that its site knows.  It speaks HTTP/1.1 only.
    """

    site: "GatewaySite"

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        super().connectionMade()
        self.site.connections.add(self)

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Let a run have the connection, which may be full already: of the answer to
        the request before it.
        """
        super().registerProducer(producer, streaming)
        if self._waitingForTransport:
            producer.pauseProducing()

    def stopProducing(self) -> None:
        """
        The connection is about to be lost.  If the run were told now, its request
        would end as if the caller were there, and the next one would begin.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        super().connectionLost(reason)
        self.site.connectionEnded(self)

    def abort(self) -> None:
        """
        Cut the connection, and with it what was not sent yet.
        """
        transport = self.transport
        assert transport is not None
        transport.abortConnection()  # type: ignore[attr-defined]


class GatewaySite(Site):
    """
    A site that knows its connections and can close them.

    @ivar connections: Those that are open.
    """

    noisy = False
    protocol = GatewayChannel  # type: ignore[assignment]
    requestFactory = GatewayRequest  # type: ignore[assignment]

    def __init__(self, resource: IResource, door: Door, reactor: IReactorTime) -> None:
        super().__init__(
            resource,
            timeout=IDLE_SECONDS,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self.door = door
        self.connections: set[GatewayChannel] = set()
        self._closed: Deferred[None] | None = None

    def acceptableProtocols(self) -> list[bytes]:
        """
        What TLS may negotiate.
        """
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """
        Start nothing: Twisted's clock for its access log would tick each second.
        """

    def stopFactory(self) -> None:
        """
        Nothing was started.
        """

    def log(self, request: Request) -> None:  # type: ignore[override]
        """
        Write nothing: each run has its line in the log, written where it ends.
        """

    def close(self) -> "Deferred[None]":
        """
        Close all connections, behind the last bytes of their answers.

        @return: Fires when none is left.
        """
        if not self.connections:
            return succeed(None)
        self._closed = Deferred()
        patience = self.reactor.callLater(CLOSE_SECONDS, self._abort)
        for connection in list(self.connections):
            connection.loseConnection()
        return self._closed.addCallback(
            lambda _: patience.cancel() if patience.active() else None
        )

    def _abort(self) -> None:
        for connection in list(self.connections):
            connection.abort()

    def connectionEnded(self, connection: GatewayChannel) -> None:
        """
        A connection is gone.
        """
        self.connections.discard(connection)
        if self._closed is not None and not self.connections:
            closed, self._closed = self._closed, None
            closed.callback(None)


__all__ = [
    "Admission",
    "Door",
    "GatewayChannel",
    "GatewayRequest",
    "GatewaySite",
]
