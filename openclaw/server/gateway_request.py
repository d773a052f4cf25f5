"""
A request and its answer on a connection.

Twisted's own request takes the whole body, whatever its size, before anybody is
asked whether they want it.  Here L{openclaw.server.access} decides when the headers are
complete.  A body that nobody wants is thrown away as it comes, and one that is wanted
is counted, kept in memory, and has a deadline.
"""

from collections.abc import Callable
from secrets import token_hex

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from openclaw.errors import Crowded, OpenClawError, RequestTimeout
from openclaw.interfaces import ICaller
from openclaw.server.admission import LINGER_SECONDS, Admission
from openclaw.server.error_responses import PLAIN_HEADERS, setErrorResponse
from openclaw.server.request_body import CROWDED_SECONDS, RequestBody
from openclaw.server.request_channel import RequestChannel
from openclaw.server.request_head import faultOf, originForm
from openclaw.server.request_state import NEXT_STATES, RequestState

PATIENCE_SECONDS = 10.0
"""
After how long it is looked at whether a body comes fast enough.
"""

LEAST_BYTES_PER_SECOND = 1024
"""
Least speed of a body, in bytes a second.
"""

NOTHING = Headers()


def newRequestID() -> str:
    """
    A name for a request in logs and in C{x-request-id}.
    """
    return f"req_{token_hex(12)}"


class GatewayRequest(Request):
    """
    A request whose access is checked first, and its answer.

    @ivar requestID: See L{newRequestID}.
    @ivar arrivedAt: When all of it was there, or so far its headers, by the reactor's
        clock.
    @ivar admission: The decision on it.
    @ivar state: See L{RequestState}.
    @ivar gone: Has the caller gone away?
    """

    channel: RequestChannel  # type: ignore[assignment]

    # Python shares the names of up to thirty attributes among objects; with ours
    # beside Twisted's, each request would have a dictionary of 1.6 KB.
    __slots__ = (
        "_body",
        "_caller",
        "_countedFor",
        "_deadline",
        "_expects",
        "_length",
        "_shareKey",
        "admission",
        "arrivedAt",
        "chunked",
        "gone",
        "producer",
        "requestID",
        "sentLength",
        "startedWriting",
        "state",
        "streamingProducer",
    )

    def __init__(self, channel: RequestChannel, queued: object = None) -> None:
        super().__init__(channel, queued)
        # Twisted has these in its class.
        self.chunked = self.sentLength = self.startedWriting = 0
        self.producer = None
        self.streamingProducer = False
        self.requestID = newRequestID()
        self.gone = False
        self.arrivedAt = 0.0
        self.admission = Admission()
        self.state = RequestState.HEADERS
        self._body = RequestBody(channel.site.bodies)
        self._caller: Deferred[ICaller | BaseException] | None = None
        self._expects = False
        self._length: int | None = 0
        self._shareKey = self._countedFor = ""
        self._deadline: IDelayedCall | None = None

    def _enter(self, state: RequestState) -> None:
        assert state in NEXT_STATES[self.state], (self.state, state)
        self.state = state

    # The headers

    def gotLength(self, length: int | None) -> None:
        """
        The headers are complete.

        @param length: The length of the body in bytes, or C{None} if that is not
            known.
        """
        self._enter(RequestState.BODY)
        self.arrivedAt = self.channel.site.reactor.seconds()
        self._length = length
        # Only the channel knows these yet, and an early answer needs them.
        channel, headers = self.channel, self.requestHeaders
        self.method = channel.method
        self.clientproto = version = channel.version
        self.uri = channel.target
        if self.uri[:1] != b"/" and self.method != b"CONNECT":
            # The channel hands it over once more with the body.
            channel.target = self.uri = originForm(self.uri, headers, version)
        self.path = self.uri.partition(b"?")[0]
        self.responseHeaders.setRawHeaders(b"x-request-id", [self.requestID.encode()])
        self._setHeaders(PLAIN_HEADERS)
        fault = faultOf(self.method, headers, version)
        if fault is not None:
            self._refuse(fault)
            return
        self._expects = version == b"HTTP/1.1" and headers.hasHeader(b"expect")
        self.admission = admission = channel.site.access.admit(self)
        self._body.limit = admission.bodyBytes
        self._setHeaders(admission.headers)
        if admission.caller is not None:
            self._caller = admission.caller.addCallbacks(self._letIn, self._turnAway)
        self._considerBody()
        if self._expects and not admission.bodyBytes and length != 0:
            self._answerEarly()

    def _setHeaders(self, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        for name, value in headers:
            self.responseHeaders.setRawHeaders(name, [value])

    def _letIn(self, caller: ICaller) -> ICaller | BaseException:
        shareKey = caller.shareKey
        # Addresses are bounded by themselves, but a proxy's may have all connections.
        if caller.namespace and not (self.gone or self.finished):
            if not self.channel.site.requests.take(shareKey, 1):
                return self._turnAway(Failure(_tooManyRequests()))
            self._countedFor = shareKey
        self._shareKey = shareKey
        if self._caller is not None:
            # Only now, since the decision took its time.
            self._considerBody()
        return caller

    def _turnAway(self, failure: Failure) -> BaseException:
        """
        The caller is not let in.

        @return: Why not.  If it took long to find out, a resource waits for it.
        """
        error = failure.value
        assert error is not None
        if isinstance(error, OpenClawError):
            error.__traceback__ = None  # Its frames hold this request.
            if self.state is RequestState.BODY and not self.gone:
                self._refuse(error)
        return error

    def _considerBody(self) -> None:
        """
        Refuse a body that is announced and too large, or have it sent if it is clear
        by now that it is wanted.
        """
        if self.state is not RequestState.BODY or self.gone:
            return
        try:
            self._body.checkSize(self._length or 0)
        except OpenClawError as error:
            self._refuse(error)
            return
        isKnown = self._caller is None or self._caller.called
        if self._expects and isKnown and self._body.limit and not self._body.received:
            self._expects = False
            self.channel.invite()

    # The body

    def waitForBody(self) -> None:
        """
        A read is over.  Most requests are complete by then, and need no clock.
        """
        if self._deadline is None and self.state in _AWAITED:
            seconds = min(PATIENCE_SECONDS, self.admission.bodySeconds)
            self._deadline = self.channel.callLater(seconds, self._late)

    def handleContentChunk(self, data: bytes) -> None:
        """
        Some of the body came.
        """
        self._body.received += len(data)
        if self.state is RequestState.BODY:
            try:
                self._body.add(data, self._shareKey or f"address {self.channel.origin}")
            except OpenClawError as error:
                self._refuse(error)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        The body is complete.
        """
        self.arrivedAt = self.channel.site.reactor.seconds()
        if self.state is RequestState.REFUSED:
            self._stopDeadline()
            if not self.gone:
                self.finish()
        elif self.state is RequestState.BODY:
            self._stopDeadline()
            self._enter(RequestState.COMPLETE)
            self._answer()

    def _answerEarly(self) -> None:
        """
        The caller wants to know whether to send a body, and nobody wants it: then the
        answer does not wait for it.
        """
        if self.state is RequestState.BODY:
            self._enter(RequestState.EARLY)
            self._hangUp()
            self._answer()

    def _answer(self) -> None:
        if self.admission.preflight is None:
            self.process()
        else:
            self.setResponseCode(204)
            self._setHeaders(self.admission.preflight)
            self.finish()

    def _late(self) -> None:
        """
        The body is not there yet.
        """
        self._deadline = None
        if self.state is not RequestState.BODY:
            self.abort()
            return
        seconds = self.channel.site.reactor.seconds() - self.arrivedAt
        left = self.admission.bodySeconds - seconds
        slow = self._body.received < seconds * LEAST_BYTES_PER_SECOND
        if left > 0 and not slow:
            wait = min(left, PATIENCE_SECONDS)
            self._deadline = self.channel.callLater(wait, self._late)
        else:
            self._refuse(RequestTimeout("The body did not arrive in time."))

    def _refuse(self, error: OpenClawError) -> None:
        """
        Answer now, and throw away what still comes of the body.
        """
        self._enter(RequestState.REFUSED)
        self._hangUp()
        self._forgetBody()
        self._deadline = self.channel.callLater(LINGER_SECONDS, self._late)
        self.write(setErrorResponse(self, error))

    def _hangUp(self) -> None:
        """
        Let this be the connection's last answer.
        """
        self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.channel.persistent = False

    def drop(self) -> None:
        """
        The rest of the request will not be used, and the connection is closed.
        """
        self._enter(RequestState.DROPPED)
        self._forgetBody()

    def _forgetBody(self) -> None:
        self._body.forget()
        self._letGo()
        self._stopDeadline()

    def _letGo(self) -> None:
        if self._countedFor:
            self.channel.site.requests.giveBack(self._countedFor, 1)
            self._countedFor = ""
        self._body.release()

    def keepRoom(self) -> Callable[[], None]:
        """
        See L{RequestBody.keepRoom}.
        """
        return self._body.keepRoom()

    def _stopDeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # The request, as what answers it asks

    def whenKnown(self) -> "Deferred[ICaller | BaseException | None]":
        """
        Wait until it is clear who asks.

        @return: The caller, or the error that keeps them out; C{None} if nobody needs
            to be known.
        """
        if self._caller is None:
            return succeed(None)
        known: Deferred[ICaller | BaseException | None] = Deferred()

        def tell(found: ICaller | BaseException) -> ICaller | BaseException:
            known.callback(found)
            return found

        self._caller.addCallback(tell)
        return known

    def body(self) -> bytes:
        """
        The whole body.
        """
        return self._body.value()

    def forget(self) -> None:
        """
        Keep nothing of what the caller sent: it was read, and the answer may take
        long.
        """
        self._body.forget()
        self.requestHeaders = NOTHING

    # The answer

    def write(self, data: bytes) -> None:
        """
        Send some of the answer.  What goes out in chunks is one write each: Twisted's
        own way there takes 3 µs more.

        Nothing follows the headers of an answer that has no body.  Twisted replaces
        this method then, which those who hold the old one don't see.
        """
        if self.chunked and data and not (self.finished or self.gone):
            transport = self.channel.transport
            assert transport is not None
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif not self.startedWriting or self._mayHaveBody():
            super().write(data)

    def _mayHaveBody(self) -> bool:
        return self.method != b"HEAD" and self.code not in NO_BODY_CODES

    def tellTime(self) -> None:
        """
        The answer begins: say how long that took.
        """
        took = self.channel.site.reactor.seconds() - self.arrivedAt
        # The clock of the machine can be set back.
        milliseconds = b"%d" % max(took * 1000, 0)
        self.responseHeaders.setRawHeaders(b"openai-processing-ms", [milliseconds])

    def finish(self) -> None:
        """
        The answer is complete.
        """
        self._letGo()
        self._stopDeadline()
        super().finish()

    def connectionLost(self, reason: Failure) -> None:
        """
        The caller is gone.
        """
        self.gone = True
        self._letGo()
        self._stopDeadline()
        super().connectionLost(reason)
        # It holds the run.
        self.producer = None

    def abort(self) -> None:
        """
        Cut the connection: the caller shall not take what came for a whole answer.
        """
        self.channel.abort()


_AWAITED = (RequestState.BODY, RequestState.EARLY)


def _tooManyRequests() -> Crowded:
    return Crowded(
        "You have too many requests in progress. Try again soon.",
        retryAfter=CROWDED_SECONDS,
    )
