"""
An HTTP/1.1 connection, with the error responses and limits that Twisted's lacks.

Twisted answers malformed input with a bare status or not at all, restarts its timeout
with each byte, and stops reading while a client pipelines, so that it does not notice a
disconnect. Here each error has a response with a body, headers have a deadline, and a
client that floods the connection is disconnected.
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
from openclaw.net.batched_writes import WriteBatcher
from openclaw.net.twisted_internals import ExtensibleHTTPChannel
from openclaw.server.admission import LINGER_SECONDS
from openclaw.server.error_responses import renderErrorResponse
from openclaw.server.gateway_request import GatewayRequest, newRequestID
from openclaw.server.rejected_connections import halfClose
from openclaw.server.request_channel import RequestSite

IDLE_SECONDS = 60
"""
Timeout of a connection between two requests, and of reading the last bytes of a
response, in seconds.
"""

MAX_PIPELINED_BYTES = 65_536
"""
Limit of bytes that a client may send ahead while a response is in progress. Reading
never stops, so that a disconnect is noticed.
"""

MAX_CONSECUTIVE_REQUESTS = 10
"""
Pipelined requests that are answered before other connections are served.
"""

MAX_LENGTH_DIGITS = 18
"""
Limit of digits in a C{Content-Length}.
"""

_CHUNKED = b"chunked"
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class ConnectionSite(RequestSite, Protocol):
    """
    The part of L{openclaw.server.site.GatewaySite} that connections use.
    """

    idle: dict[Any, None]
    batcher: WriteBatcher

    def settings(self) -> HTTP: ...

    def connectionOpened(self, connection: Any) -> None: ...

    def connectionClosed(self, connection: Any) -> None: ...


class GatewayChannel(ExtensibleHTTPChannel):
    """
    A connection of HTTP/1.1 or HTTP/1.0.

    @ivar origin: The key that the connection is counted under; see
        L{openclaw.server.limits.addressBlock}.
    @ivar onNetwork: True for TCP: then C{Host} is meaningful.
    @ivar onLoopback: True if it was accepted by a port on a loopback address.
    """

    site: ConnectionSite

    # See L{GatewayRequest}.
    __slots__ = (
        "_abortCall",
        "_consecutiveRequests",
        "_headerTimeout",
        "_ignoresInput",
        "_lastLine",
        "_pipelinedBytes",
        "_resumption",
        "onLoopback",
        "onNetwork",
        "origin",
    )

    def __init__(self) -> None:
        super().__init__()
        self.origin: str | None = None
        self.onNetwork = False
        self.onLoopback = False
        self._lastLine = b""
        self._ignoresInput = False
        self._pipelinedBytes = 0
        self._consecutiveRequests = 0
        self._abortCall: IDelayedCall | None = None
        self._headerTimeout: IDelayedCall | None = None
        self._resumption: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.batcher.wrapTransport(self)
        self.site.connectionOpened(self)

    # Input

    def dataReceived(self, data: bytes) -> None:
        self.site.batcher.run(self._received, data)

    def _received(self, data: bytes) -> None:
        if self._ignoresInput:
            return
        self.site.idle.pop(self, None)
        if not self.isReceiving:
            self._consecutiveRequests = 0
        super().dataReceived(data)
        if self.requests:
            self.requests[-1].startBodyTimeout()
        begun = self.line_mode and (self.hasInput or self.requests)
        # The timeout does not run while the client waits for the gateway.
        if begun and not (self.paused or self._ignoresInput):
            if self._headerTimeout is None:
                seconds = self.site.settings().headerTimeoutSeconds
                self._headerTimeout = self.callLater(seconds, self._headersTimedOut)
        elif self._headerTimeout is not None:
            self._cancelHeaderTimeout()

    def _headersTimedOut(self) -> None:
        self._headerTimeout = None
        self.fail(RequestTimeout("The headers did not arrive in time."))

    def _cancelHeaderTimeout(self) -> None:
        if self._headerTimeout is not None:
            self._headerTimeout.cancel()
            self._headerTimeout = None

    def lineReceived(self, line: bytes) -> None:
        self._lastLine = line
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._lastLine = line
        super().lineLengthExceeded(line)

    def rawDataReceived(self, data: bytes) -> None:
        """
        Receive a part of a body, or pipelined bytes while a response is in progress.
        """
        if not self.isAnswering:
            super().rawDataReceived(data)
            return
        self._pipelinedBytes += len(data)
        if self._pipelinedBytes > MAX_PIPELINED_BYTES:
            self.abort()
        else:
            self.keepPipelined(data)

    def bodyAnnounced(self, header: bytes, value: bytes, isFirst: bool) -> bool:
        """
        Reject a body of ambiguous length: a proxy in front could read it differently,
        and take a part of the body for another request (request smuggling).
        """
        error: OpenClawError | None
        if not isFirst:
            error = MalformedRequest(
                "The body has more than one length: send one Content-Length or"
                " Transfer-Encoding."
            )
        elif header == b"Content-Length":
            error = self._contentLengthError(value)
        else:
            error = self._transferEncodingError(value)
        if error is not None:
            self.fail(error)
        return error is None

    def _contentLengthError(self, length: bytes) -> OpenClawError | None:
        if not length.isdigit():
            return MalformedRequest("The Content-Length is not a number.")
        if len(length) > MAX_LENGTH_DIGITS:
            return BodyTooLarge("The Content-Length is too large.")
        return None

    def _transferEncodingError(self, coding: bytes) -> OpenClawError | None:
        if self.version != b"HTTP/1.1":
            return MalformedRequest("HTTP/1.0 does not allow Transfer-Encoding.")
        if coding.lower() != _CHUNKED:
            return MalformedRequest(
                "The only supported Transfer-Encoding is `chunked`.",
                code="unsupported_transfer_coding",
            )
        return None

    def trailersReceived(self, trailers: Sequence[bytes]) -> bool:
        """
        Reject malformed trailers. They are not used, but a proxy in front could have
        read them as something else.
        """
        if len(trailers) > self.maxHeaders or not all(
            map(_TRAILER.fullmatch, trailers)
        ):
            self.fail(MalformedRequest("A trailer after the body is malformed."))
            return False
        return True

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        self.persistent = self.checkPersistence(request, self.version)
        request.gotLength(self.length)

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """
        Return whether another request may follow.
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
        request = self.requests[-1]
        request.setProcessingTime()
        super().writeHeaders(version, code, reason, headers)
        # The headers take 2 KB, and a stream may last long.
        request.responseHeaders = Headers()

    def sendContinue(self) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Malformed input

    def badRequest(self) -> None:
        self.fail(self._parseError())

    def _parseError(self) -> OpenClawError:
        if not self.requests:
            return AddressTooLong("The first line of the request is too long.")
        if not self.line_mode:
            return MalformedRequest("The chunks of the body are malformed.")
        if not self.method:
            return _requestLineError(self._lastLine)
        if self.hasLargeHeaders:
            return HeadersTooLarge(
                f"The headers have more than {self.totalHeadersSize} bytes, or there"
                f" are more than {self.maxHeaders}."
            )
        return MalformedRequest("A header is malformed.")

    def fail(self, error: OpenClawError) -> None:
        """
        Send an error response, unless a response has begun, and close the connection:
        the input that follows can't be parsed either.
        """
        self._ignoresInput = True
        unparsed = self.clearLineBuffer()
        transport = self.transport
        assert transport is not None
        request: GatewayRequest | None = self.requests[-1] if self.requests else None
        if request is not None:
            request.discard()
        if request is None or not request.startedWriting:
            name = newRequestID() if request is None else request.requestID
            isHead = self._isHead(request, unparsed)
            transport.write(renderErrorResponse(name, error, withBody=not isHead))
        transport.unregisterProducer()  # type: ignore[attr-defined]
        halfClose(transport)
        self._abortAfter(LINGER_SECONDS)

    def _isHead(self, request: GatewayRequest | None, unparsed: bytes) -> bool:
        """
        Return whether the latest request is a HEAD, also if its first line is malformed
        or not complete: a proxy that has read it as HEAD takes a body for the next
        response.
        """
        method: bytes = self.method
        if not method and request is not None and request.method != Request.method:
            method = request.method
        if method:
            return method == b"HEAD"
        return (self._lastLine or unparsed).startswith(b"HEAD ")

    # Pipelining

    def requestDone(self, request: Request) -> None:
        waiting = self.hasInput or self.hasPipelinedInput
        if waiting:
            self._consecutiveRequests += 1
            # While this is set, Twisted buffers input without parsing it.
            self.paused = self._consecutiveRequests >= MAX_CONSECUTIVE_REQUESTS
        self._pipelinedBytes = 0
        super().requestDone(request)
        if self._ignoresInput:
            return
        if self.paused:
            self.pauseReading()
            if self._resumption is None:
                self._resumption = self.callLater(0, self._resume)
        elif not waiting:
            self.site.idle[self] = None

    def _resume(self) -> None:
        self._resumption = None
        self.paused = False
        self.dataReceived(b"")
        if not (self.paused or self._ignoresInput):
            self.resumeReading()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Register a producer, and pause it if the connection's send buffer is already
        full with the response before.
        """
        super().registerProducer(producer, streaming)
        if self.isWriteBlocked:
            producer.pauseProducing()

    def stopProducing(self) -> None:
        """
        Do nothing: the connection is about to be lost. If the run were stopped here,
        its request would finish as if the client were connected, and the next pipelined
        request would start.
        """

    # Closing

    def timeoutConnection(self) -> None:
        if self.requests or self.hasInput:
            self.fail(RequestTimeout("The request did not arrive in time."))
        else:
            self.loseConnection()

    def closeIdle(self) -> None:
        self._abortAfter(LINGER_SECONDS)
        self.loseConnection()

    def loseConnection(self) -> None:
        """
        Close the connection after the last bytes of the response.
        """
        self._ignoresInput = True
        self._cancelHeaderTimeout()
        self.site.idle.pop(self, None)
        super().loseConnection()
        self._abortAfter(IDLE_SECONDS)

    def _abortAfter(self, seconds: float) -> None:
        """
        Abort the connection if the client has neither read everything nor closed it
        after this many seconds.
        """
        self.setTimeout(None)
        self._cancelHeaderTimeout()
        if self._abortCall is None:
            self._abortCall = self.callLater(seconds, self._abortNow)

    def _abortNow(self) -> None:
        self._abortCall = None
        self.abort()

    def abort(self) -> None:
        """
        Close the connection at once, and drop unsent bytes.
        """
        self._ignoresInput = True
        self._cancelHeaderTimeout()
        transport = self.transport
        assert transport is not None
        transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._ignoresInput = True
        self._cancelHeaderTimeout()
        if self._resumption is not None:
            self._resumption.cancel()
            self._resumption = None
        if self._abortCall is not None:
            self._abortCall.cancel()
            self._abortCall = None
        super().connectionLost(reason)
        # Klein holds the request for a while, and the request this connection.
        self.unregisterProducer()
        self.site.connectionClosed(self)


def _requestLineError(line: bytes) -> OpenClawError:
    version = line.rpartition(b" ")[2]
    if version.startswith(b"HTTP/") and version not in (b"HTTP/1.0", b"HTTP/1.1"):
        return MalformedRequest(
            "The only supported HTTP versions are 1.1 and 1.0.",
            code="unsupported_http_version",
        )
    return MalformedRequest("The request line is malformed.")
