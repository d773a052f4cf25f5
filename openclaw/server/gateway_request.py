"""
A request on a connection, and its response.

Twisted's request reads the whole body, whatever its size, before any resource sees it.
Here L{openclaw.server.access} decides as soon as the headers are complete. An unwanted
body is discarded as it arrives; a wanted one has a size limit and a deadline, and is
kept in memory.
"""

from collections.abc import Callable
from secrets import token_hex

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from openclaw.errors import CapacityExceeded, OpenClawError, RequestTimeout
from openclaw.interfaces import ICaller
from openclaw.server.admission import LINGER_SECONDS, Admission
from openclaw.server.error_responses import DEFAULT_HEADERS, setErrorResponse
from openclaw.server.request_body import RETRY_SECONDS, RequestBody
from openclaw.server.request_channel import RequestChannel
from openclaw.server.request_head import findHeadError, originForm
from openclaw.server.request_state import NEXT_STATES, RequestState

PROGRESS_SECONDS = 10.0
"""
Interval between two checks that a body arrives fast enough, in seconds.
"""

MIN_BYTES_PER_SECOND = 1024
"""
Minimum average rate of a body, in bytes per second.
"""

NO_HEADERS = Headers()


def newRequestID() -> str:
    return f"req_{token_hex(12)}"


Authentication = ICaller | BaseException | None
"""
The caller of a request, or the error with which they were rejected.
"""


class GatewayRequest(Request):
    """
    A request whose access is checked before its body is read, and its response.

    @ivar requestID: See L{newRequestID}.
    @ivar arrivedAt: The reactor time at which the request was complete; until then, the
        time at which its headers were.
    @ivar admission: The result of the access checks.
    @ivar state: The phase of receiving the request.
    @ivar disconnected: True once the client has disconnected.
    """

    channel: RequestChannel  # type: ignore[assignment]

    # Python shares the names of up to thirty attributes among objects; with ours
    # beside Twisted's, each request would have a dictionary of 1.6 KB.
    __slots__ = (
        "_authentication",
        "_body",
        "_bodyTimeout",
        "_caller",
        "_countedKey",
        "_expectsContinue",
        "_length",
        "_shareKey",
        "admission",
        "arrivedAt",
        "chunked",
        "disconnected",
        "producer",
        "requestID",
        "sentLength",
        "startedWriting",
        "state",
        "streamingProducer",
    )

    def __init__(self, channel: RequestChannel, queued: object = None) -> None:
        super().__init__(channel, queued)
        # Twisted sets these on its class.
        self.chunked = self.sentLength = self.startedWriting = 0
        self.producer = None
        self.streamingProducer = False
        self.requestID = newRequestID()
        self.disconnected = False
        self.arrivedAt = 0.0
        self.admission = Admission()
        self.state = RequestState.HEADERS
        self._body = RequestBody(channel.site.bodyBudget)
        self._caller: Deferred[ICaller | BaseException] | None = None
        self._authentication: Authentication = None
        self._expectsContinue = False
        self._length: int | None = 0
        self._shareKey = self._countedKey = ""
        self._bodyTimeout: IDelayedCall | None = None

    def _setState(self, state: RequestState) -> None:
        assert state in NEXT_STATES[self.state], (self.state, state)
        self.state = state

    # The headers

    def gotLength(self, length: int | None) -> None:
        """
        Check access, now that the headers are complete.

        @param length: The length of the body in bytes, or C{None} if it is chunked.
        """
        self._setState(RequestState.BODY)
        self.arrivedAt = self.channel.site.reactor.seconds()
        self._length = length
        # Twisted sets these with the body only; an early response needs them now.
        channel, headers = self.channel, self.requestHeaders
        self.method = channel.method
        self.clientproto = version = channel.version
        self.uri = channel.target
        if self.uri[:1] != b"/" and self.method != b"CONNECT":
            # The channel passes it again with the complete body.
            channel.target = self.uri = originForm(self.uri, headers, version)
        self.path = self.uri.partition(b"?")[0]
        self.responseHeaders.setRawHeaders(b"x-request-id", [self.requestID.encode()])
        self._setHeaders(DEFAULT_HEADERS)
        error = findHeadError(self.method, headers, version)
        if error is not None:
            self._reject(error)
            return
        self._expectsContinue = version == b"HTTP/1.1" and headers.hasHeader(b"expect")
        self.admission = admission = channel.site.access.admit(self)
        self._body.limit = admission.bodyBytes
        self._setHeaders(admission.headers)
        if admission.caller is not None:
            self._caller = admission.caller.addCallbacks(
                self._callerAdmitted, self._callerRejected
            )
        self._checkBody()
        if self._expectsContinue and not admission.bodyBytes and length != 0:
            self._respondEarly()

    def _setHeaders(self, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        for name, value in headers:
            self.responseHeaders.setRawHeaders(name, [value])

    def _callerAdmitted(self, caller: ICaller) -> ICaller | BaseException:
        shareKey = caller.shareKey
        # Addresses have a limit of their own, but a proxy's may hold all connections.
        if caller.namespace and not (self.disconnected or self.finished):
            if not self.channel.site.requests.acquire(shareKey, 1):
                return self._callerRejected(Failure(_tooManyRequestsError()))
            self._countedKey = shareKey
        self._shareKey = shareKey
        self._authentication = caller
        if self._caller is not None:
            # Authentication took time, so the headers were handled before it.
            self._checkBody()
        return caller

    def _callerRejected(self, failure: Failure) -> BaseException:
        """
        Reject a request whose caller may not use the gateway.

        @return: The error, for the resource that may be waiting for the caller.
        """
        error = failure.value
        assert error is not None
        self._authentication = error
        if isinstance(error, OpenClawError):
            error.__traceback__ = None  # Its frames hold this request.
            if self.state is RequestState.BODY and not self.disconnected:
                self._reject(error)
        return error

    def _checkBody(self) -> None:
        """
        Reject a body that is announced as too large, or send C{100 Continue} once it is
        certain that the body is wanted.
        """
        if self.state is not RequestState.BODY or self.disconnected:
            return
        try:
            self._body.checkSize(self._length or 0)
        except OpenClawError as error:
            self._reject(error)
            return
        isAuthenticated = self._caller is None or self._caller.called
        if (
            self._expectsContinue
            and isAuthenticated
            and self._body.limit
            and not self._body.received
        ):
            self._expectsContinue = False
            self.channel.sendContinue()

    # The body

    def startBodyTimeout(self) -> None:
        """
        Start the timeout of the body, after a read. Most requests are complete by then,
        and need none.
        """
        if self._bodyTimeout is None and self.state in _BODY_PENDING:
            seconds = min(PROGRESS_SECONDS, self.admission.bodySeconds)
            self._bodyTimeout = self.channel.callLater(seconds, self._checkBodyProgress)

    def handleContentChunk(self, data: bytes) -> None:
        self._body.received += len(data)
        if self.state is RequestState.BODY:
            try:
                self._body.add(data, self._shareKey or f"address {self.channel.origin}")
            except OpenClawError as error:
                self._reject(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.arrivedAt = self.channel.site.reactor.seconds()
        if self.state is RequestState.REJECTED:
            self._cancelBodyTimeout()
            if not self.disconnected:
                self.finish()
        elif self.state is RequestState.BODY:
            self._cancelBodyTimeout()
            self._setState(RequestState.COMPLETE)
            self._respond()

    def _respondEarly(self) -> None:
        """
        Respond before the body: the client waits for C{100 Continue}, and the body is
        not wanted.
        """
        if self.state is RequestState.BODY:
            self._setState(RequestState.EARLY)
            self._closeAfterResponse()
            self._respond()

    def _respond(self) -> None:
        if self.admission.preflight is None:
            self.process()
        else:
            self.setResponseCode(204)
            self._setHeaders(self.admission.preflight)
            self.finish()

    def _checkBodyProgress(self) -> None:
        """
        Time out a body that arrives too slowly, or not at all.
        """
        self._bodyTimeout = None
        if self.state is not RequestState.BODY:
            self.abort()
            return
        seconds = self.channel.site.reactor.seconds() - self.arrivedAt
        left = self.admission.bodySeconds - seconds
        slow = self._body.received < seconds * MIN_BYTES_PER_SECOND
        if left > 0 and not slow:
            wait = min(left, PROGRESS_SECONDS)
            self._bodyTimeout = self.channel.callLater(wait, self._checkBodyProgress)
        else:
            self._reject(RequestTimeout("The body did not arrive in time."))

    def _reject(self, error: OpenClawError) -> None:
        """
        Respond with an error now, and discard the rest of the body.
        """
        self._setState(RequestState.REJECTED)
        self._closeAfterResponse()
        self._discardBody()
        self._bodyTimeout = self.channel.callLater(
            LINGER_SECONDS, self._checkBodyProgress
        )
        self.write(setErrorResponse(self, error))

    def _closeAfterResponse(self) -> None:
        """
        Make this response the last one on its connection.
        """
        self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.channel.persistent = False

    def discard(self) -> None:
        """
        Drop the request: the rest of it will not be used, and the connection is
        closing.
        """
        self._setState(RequestState.DROPPED)
        self._discardBody()

    def _discardBody(self) -> None:
        self._body.discardInput()
        self._releaseLimits()
        self._cancelBodyTimeout()

    def _releaseLimits(self) -> None:
        if self._countedKey:
            self.channel.site.requests.release(self._countedKey, 1)
            self._countedKey = ""
        self._body.release()

    def retainBodyReservation(self) -> Callable[[], None]:
        return self._body.retainBodyReservation()

    def _cancelBodyTimeout(self) -> None:
        if self._bodyTimeout is not None:
            self._bodyTimeout.cancel()
            self._bodyTimeout = None

    # For resources

    async def caller(self) -> Authentication:
        """
        Return the caller, or the error with which they were rejected; C{None} if the
        route needs no authentication.
        """
        if self._caller is not None and not self._caller.called:
            authenticated: Deferred[None] = Deferred()

            def fire(caller: ICaller | BaseException) -> ICaller | BaseException:
                authenticated.callback(None)
                return caller

            # Cancelling whoever waits must not cancel the authentication.
            self._caller.addCallback(fire)
            await authenticated
        return self._authentication

    def body(self) -> bytes:
        return self._body.value()

    def discardInput(self) -> None:
        """
        Drop the headers and the body once they are parsed: the response may take long.
        """
        self._body.discardInput()
        self.requestHeaders = NO_HEADERS

    # The response

    def write(self, data: bytes) -> None:
        """
        Write a part of the response. A chunk is one write: Twisted's own way takes 3 µs
        more.

        After the headers of a response that has no body, nothing is written. Twisted
        does this by replacing the method on the instance, which does not affect bound
        methods that were taken before.
        """
        if self.chunked and data and not (self.finished or self.disconnected):
            transport = self.channel.transport
            assert transport is not None
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif not self.startedWriting or self._responseHasBody():
            super().write(data)

    def _responseHasBody(self) -> bool:
        return self.method != b"HEAD" and self.code not in NO_BODY_CODES

    def setProcessingTime(self) -> None:
        """
        Set C{openai-processing-ms}, as the response begins.
        """
        took = self.channel.site.reactor.seconds() - self.arrivedAt
        # The system clock can be set back.
        milliseconds = b"%d" % max(took * 1000, 0)
        self.responseHeaders.setRawHeaders(b"openai-processing-ms", [milliseconds])

    def finish(self) -> None:
        self._releaseLimits()
        self._cancelBodyTimeout()
        super().finish()

    def connectionLost(self, reason: Failure) -> None:
        self.disconnected = True
        self._releaseLimits()
        self._cancelBodyTimeout()
        super().connectionLost(reason)
        # The producer holds the run.
        self.producer = None

    def abort(self) -> None:
        """
        Close the connection at once, so that the client can't take the part that was
        sent for a complete response.
        """
        self.channel.abort()


_BODY_PENDING = (RequestState.BODY, RequestState.EARLY)


def _tooManyRequestsError() -> CapacityExceeded:
    return CapacityExceeded(
        "You have too many requests in progress. Try again soon.",
        retryAfter=RETRY_SECONDS,
    )
