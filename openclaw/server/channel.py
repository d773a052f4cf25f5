"""
A connection: the part of HTTP that Twisted leaves to be done.

Twisted answers what it can't understand with a bare status or not at all, resets its
timer with each byte, and stops reading from a caller who sends ahead, so that it
can't see them go.  Here every fault has an answer with a body, headers have a
deadline, and whoever floods is cut.
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import (
    IDelayedCall,
    IPushProducer,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.http_headers import Headers

from openclaw.config import HTTP
from openclaw.errors import (
    AddressTooLong,
    BodyTooLarge,
    HeadersTooLarge,
    MalformedRequest,
    OpenClawError,
    RequestTimeout,
)
from openclaw.net.batched_writes import Writes
from openclaw.net.twisted_internals import ExtensibleHTTPChannel
from openclaw.server.admission import LINGER_SECONDS
from openclaw.server.error_responses import errorResponse
from openclaw.server.gateway_request import GatewayRequest, newRequestID
from openclaw.server.rejected_connections import closeBehind
from openclaw.server.request_channel import RequestSite

IDLE_SECONDS = 60
"""
Seconds for which a connection may be idle between two requests, and for which a caller
may take to read the last bytes of an answer before the connection is cut.
"""

MAX_AHEAD_BYTES = 65_536
"""
Bytes that a caller may send ahead while they have an answer coming. To see whether they
are still there, reading never stops.
"""

REQUESTS_IN_A_TURN = 10
"""
Requests sent ahead that are answered before others have their turn.
"""

MAX_LENGTH_DIGITS = 18
"""
No body is as long as a number with more digits says.
"""

_CHUNKED = b"chunked"
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class ConnectionSite(RequestSite, Protocol):
    """
    The part of a site that connections use; see L{openclaw.server.site.GatewaySite}.
    """

    idle: dict[Any, None]
    writes: Writes

    def settings(self) -> HTTP:
        """
        Return the settings in force.
        """

    def connectionBegan(self, connection: Any) -> None:
        """
        Count a connection.
        """

    def connectionEnded(self, connection: Any) -> None:
        """
        Forget a connection.
        """


class GatewayChannel(ExtensibleHTTPChannel):
    """
    A connection that its site knows.  It speaks HTTP/1.1 and HTTP/1.0.

    @ivar origin: What it is counted under, see L{openclaw.server.limits.addressBlock}.
    @ivar onNetwork: Is this TCP, so that a C{Host} means something?
    @ivar onLoopback: Did it come in by a port that only this machine can reach?
    """

    site: ConnectionSite

    # See L{GatewayRequest}.
    __slots__ = (
        "_abortion",
        "_ahead",
        "_deaf",
        "_headDeadline",
        "_inThisTurn",
        "_line",
        "_nextTurn",
        "onLoopback",
        "onNetwork",
        "origin",
    )

    def __init__(self) -> None:
        super().__init__()
        self.origin: str | None = None
        self.onNetwork = False
        self.onLoopback = False
        self._line = b""
        self._deaf = False
        self._ahead = 0
        self._inThisTurn = 0
        self._abortion: IDelayedCall | None = None
        self._headDeadline: IDelayedCall | None = None
        self._nextTurn: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        super().connectionMade()
        self.site.writes.adopt(self)
        self.site.connectionBegan(self)

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        self.site.writes.during(self._received, data)

    def _received(self, data: bytes) -> None:
        if self._deaf:
            return
        self.site.idle.pop(self, None)
        if not self.isReceiving:
            self._inThisTurn = 0
        super().dataReceived(data)
        if self.requests:
            self.requests[-1].waitForBody()
        begun = self.line_mode and (self.hasInput or self.requests)
        # While the caller has to wait for us, their time does not run.
        if begun and not (self.paused or self._deaf):
            if self._headDeadline is None:
                seconds = self.site.settings().headerTimeoutSeconds
                self._headDeadline = self.callLater(seconds, self._headersLate)
        elif self._headDeadline is not None:
            self._stopHeadDeadline()

    def _headersLate(self) -> None:
        self._headDeadline = None
        self.fail(RequestTimeout("The headers did not arrive in time."))

    def _stopHeadDeadline(self) -> None:
        if self._headDeadline is not None:
            self._headDeadline.cancel()
            self._headDeadline = None

    def lineReceived(self, line: bytes) -> None:
        """
        A line of the headers, or the one before them.
        """
        self._line = line
        super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        """
        Some of a body came, or something behind a request that has no answer yet.
        """
        if not self.isAnswering:
            super().rawDataReceived(data)
            return
        self._ahead += len(data)
        if self._ahead > MAX_AHEAD_BYTES:
            self.abort()
        else:
            self.keepAhead(data)

    def bodyAnnounced(self, header: bytes, value: bytes, isFirst: bool) -> bool:
        """
        Refuse a body whose length is ambiguous: somebody on the way might understand it
        otherwise, and take a part of the body for another request.
        """
        fault: OpenClawError | None
        if not isFirst:
            fault = MalformedRequest("There is more than one length of the body.")
        elif header == b"Content-Length":
            fault = self._lengthFault(value)
        else:
            fault = self._codingFault(value)
        if fault is not None:
            self.fail(fault)
        return fault is None

    def _lengthFault(self, length: bytes) -> OpenClawError | None:
        if not length.isdigit():
            return MalformedRequest("The Content-Length is no number.")
        if len(length) > MAX_LENGTH_DIGITS:
            return BodyTooLarge("The Content-Length is beyond all bounds.")
        return None

    def _codingFault(self, coding: bytes) -> OpenClawError | None:
        if self.version != b"HTTP/1.1":
            return MalformedRequest("HTTP/1.0 has no Transfer-Encoding.")
        if coding.lower() != _CHUNKED:
            return MalformedRequest(
                "Only `Transfer-Encoding: chunked` is understood.",
                code="unsupported_transfer_coding",
            )
        return None

    def trailersReceived(self, trailers: Sequence[bytes]) -> bool:
        """
        Refuse trailers that are no headers: they are not used, but may have been
        something else to somebody on the way.
        """
        if len(trailers) > self.maxHeaders or not all(
            map(_TRAILER.fullmatch, trailers)
        ):
            self.fail(MalformedRequest("A trailer behind the body is no header."))
            return False
        return True

    def allHeadersReceived(self) -> None:
        """
        The headers are complete.
        """
        request = self.requests[-1]
        self.persistent = self.checkPersistence(request, self.version)
        request.gotLength(self.length)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """
        May another request follow?
        """
        if version != b"HTTP/1.1":
            return False
        for value in request.requestHeaders.getRawHeaders(b"connection") or ():
            if b"close" in [each.strip() for each in value.lower().split(b",")]:
                request.responseHeaders.setRawHeaders(b"connection", [b"close"])
                return False
        return True

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """
        An answer begins.
        """
        request = self.requests[-1]
        request.tellTime()
        super().writeHeaders(version, code, reason, headers)
        # A stream may last, and they are 2 KB.
        request.responseHeaders = Headers()

    def invite(self) -> None:
        """
        Tell a caller who waits for that to send the body.
        """
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # What can't be understood

    def badRequest(self) -> None:
        """
        Twisted does not understand what came.
        """
        self.fail(self._complaint())

    def _complaint(self) -> OpenClawError:
        if not self.requests:
            return AddressTooLong("The first line of the request is too long.")
        if not self.line_mode:
            return MalformedRequest("The chunks of the body make no sense.")
        if not self.method:
            return _firstLineFault(self._line)
        if self.hasLargeHeaders:
            return HeadersTooLarge(
                f"The headers have more than {self.totalHeadersSize} bytes, or are more"
                f" than {self.maxHeaders}."
            )
        return MalformedRequest("One of the headers is not as HTTP wants it.")

    def fail(self, error: OpenClawError) -> None:
        """
        Say what is wrong with what came, unless an answer has begun, and close: what
        follows can't be understood either.
        """
        self._deaf = True
        self.clearLineBuffer()
        transport = self.transport
        assert transport is not None
        request: GatewayRequest | None = self.requests[-1] if self.requests else None
        if request is not None:
            request.drop()
        if request is None or not request.startedWriting:
            name = newRequestID() if request is None else request.requestID
            method = self.method or getattr(request, "method", b"")
            transport.write(errorResponse(name, error, withBody=method != b"HEAD"))
        transport.unregisterProducer()  # type: ignore[attr-defined]
        closeBehind(transport)
        self._abortAfter(LINGER_SECONDS)

    # One request after the other

    def requestDone(self, request: Request) -> None:
        """
        A request has its answer.
        """
        waiting = self.hasInput or self.hasInputAhead
        if waiting:
            self._inThisTurn += 1
            # With this set, bytes are kept as they are.
            self.paused = self._inThisTurn >= REQUESTS_IN_A_TURN
        self._ahead = 0
        super().requestDone(request)
        if self._deaf:
            return
        if self.paused:
            self.pauseReading()
            if self._nextTurn is None:
                self._nextTurn = self.callLater(0, self._goOn)
        elif not waiting:
            self.site.idle[self] = None

    def _goOn(self) -> None:
        self._nextTurn = None
        self.paused = False
        self.dataReceived(b"")
        if not (self.paused or self._deaf):
            self.resumeReading()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Let a run have the connection, which may be full already: of the answer to
        the request before it.
        """
        super().registerProducer(producer, streaming)
        if self.isFull:
            producer.pauseProducing()

    def stopProducing(self) -> None:
        """
        The connection is about to be lost.  If the run were told now, its request
        would end as if the caller were there, and the next one would begin.
        """

    # The end

    def timeoutConnection(self) -> None:
        """
        Nothing came for a long time.
        """
        if self.requests or self.hasInput:
            self.fail(RequestTimeout("The request did not arrive in time."))
        else:
            self.loseConnection()

    def makeRoom(self) -> None:
        """
        Close, for others who have something to say.
        """
        self._abortAfter(LINGER_SECONDS)
        self.loseConnection()

    def loseConnection(self) -> None:
        """
        Close, behind the last bytes of the answer.
        """
        self._deaf = True
        self._stopHeadDeadline()
        self.site.idle.pop(self, None)
        super().loseConnection()
        self._abortAfter(IDLE_SECONDS)

    def _abortAfter(self, seconds: float) -> None:
        """
        Wait no longer than that for a caller who neither reads nor closes.
        """
        self.setTimeout(None)
        self._stopHeadDeadline()
        if self._abortion is None:
            self._abortion = self.callLater(seconds, self._abortNow)

    def _abortNow(self) -> None:
        self._abortion = None
        self.abort()

    def abort(self) -> None:
        """
        Cut the connection, and with it what was not sent yet.
        """
        self._deaf = True
        self._stopHeadDeadline()
        transport = self.transport
        assert transport is not None
        transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._deaf = True
        self._stopHeadDeadline()
        if self._nextTurn is not None:
            self._nextTurn.cancel()
            self._nextTurn = None
        if self._abortion is not None:
            self._abortion.cancel()
            self._abortion = None
        super().connectionLost(reason)
        # Klein keeps the request for a while, and that this connection.
        self.unregisterProducer()
        self.site.connectionEnded(self)


def _firstLineFault(line: bytes) -> OpenClawError:
    version = line.rpartition(b" ")[2]
    if version.startswith(b"HTTP/") and version not in (b"HTTP/1.0", b"HTTP/1.1"):
        return MalformedRequest(
            "Only HTTP/1.1 and HTTP/1.0 are spoken here.",
            code="unsupported_http_version",
        )
    return MalformedRequest("This is no HTTP request.")
