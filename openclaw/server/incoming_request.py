"""
A request while it comes in: what is decided before a body is read.

Twisted's own request takes the whole body, whatever its size, before anybody is
asked whether they want it.  Here L{openclaw.server.access} decides when the headers are
complete.  A body that nobody wants is thrown away as it comes, and one that is wanted
is counted, kept in memory, and has a deadline.
"""

import re
from collections.abc import Callable
from functools import partial
from io import BytesIO
from secrets import token_hex
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from openclaw.errors import (
    BodyTooLarge,
    Crowded,
    ExpectationFailed,
    MalformedRequest,
    OpenClawError,
    RequestTimeout,
)
from openclaw.interfaces import ICaller
from openclaw.server.admission import LINGER_SECONDS, Admission
from openclaw.server.error_responses import PLAIN_HEADERS, setErrorResponse

if TYPE_CHECKING:
    from openclaw.server.channel import GatewayChannel

PATIENCE_SECONDS = 10.0
"""
After how long it is looked at whether a body comes fast enough.
"""

LEAST_BYTES_PER_SECOND = 1024
"""
Least speed of a body, in bytes a second.
"""

_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.I)

CROWDED_SECONDS = 1.0
"""
When to try again where there was no room for a body.
"""


def newRequestID() -> str:
    """
    A name for a request in logs and in C{x-request-id}.
    """
    return f"req_{token_hex(12)}"


class IncomingRequest(Request):
    """
    A request whose access is checked first.

    @ivar requestID: See L{newRequestID}.
    @ivar arrivedAt: When all of it was there, or so far its headers, by the reactor's
        clock.
    """

    channel: "GatewayChannel"
    content: BytesIO

    # Python shares the names of up to thirty attributes among objects; with ours
    # beside Twisted's, each request would have a dictionary of 1.6 KB.
    __slots__ = (
        "_admission",
        "_awaited",
        "_caller",
        "_chargedTo",
        "_complete",
        "_countedFor",
        "_deadline",
        "_early",
        "_invited",
        "_known",
        "_received",
        "_refused",
        "_reserved",
        "_shareKey",
        "_weighed",
        "arrivedAt",
        "chunked",
        "producer",
        "requestID",
        "sentLength",
        "startedWriting",
        "streamingProducer",
    )

    def __init__(self, channel: HTTPChannel, queued: object = None) -> None:
        super().__init__(channel, queued)
        # Twisted has these in its class.
        self.chunked = self.sentLength = self.startedWriting = 0
        self.producer = None
        self.streamingProducer = False
        self.requestID = newRequestID()
        self.arrivedAt = 0.0
        self._caller: Deferred[ICaller | BaseException] | None = None
        self._admission = Admission()
        self._awaited = False
        self._complete = False
        self._refused = False
        self._invited = True  # Nobody waits for an invitation.
        self._known = False
        self._weighed = False
        self._early = False
        self._received = 0
        self._reserved = 0
        self._shareKey = self._chargedTo = self._countedFor = ""
        self._deadline: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """
        The headers are complete.

        @param length: The length of the body in bytes, or C{None} if that is not
            known.
        """
        self.content = BytesIO()
        self.arrivedAt = self.channel.site.reactor.seconds()
        # Only the channel knows these yet, and an early answer needs them.
        channel = self.channel
        self.method = channel._command
        self.uri = channel._path
        self.clientproto = channel._version
        self.path = self.uri.partition(b"?")[0]
        headers = self.responseHeaders
        headers.setRawHeaders(b"x-request-id", [self.requestID.encode()])
        for name, value in PLAIN_HEADERS:
            headers.setRawHeaders(name, [value])
        self._takeTarget()
        fault = self._fault()
        if fault is not None:
            self._awaited = length != 0
            self._refuse(fault)
            return
        self._admission = admission = channel.site.door.admit(self)
        for name, value in admission.headers:
            headers.setRawHeaders(name, [value])
        self._awaited = length != 0
        if admission.caller is None:
            self._known = True
        else:
            self._caller = admission.caller.addCallbacks(self._letIn, self._turnAway)
        if length and 0 < admission.bodyBytes < length and not self._refused:
            self._refuseLarge()
        self._weighed = True
        if length != 0 and not self._invited:
            self._invite()
            if not (self._refused or admission.bodyBytes):
                self._answerEarly()

    def _takeTarget(self) -> None:
        """
        Take the host and the path from a request target in absolute form (RFC 9112,
        3.2.2): its host goes before that of the C{Host} header.
        """
        if self.uri[:1] == b"/" or self.method == b"CONNECT":
            return
        found = _ABSOLUTE_FORM.fullmatch(self.uri)
        if found is None:
            return
        if self.requestHeaders.hasHeader(b"host"):
            # More than one of them is a fault all the same.
            _, *more = self.requestHeaders.getRawHeaders(b"host") or [b""]
            self.requestHeaders.setRawHeaders(b"host", [found[1], *more])
        elif self.clientproto != b"HTTP/1.1":
            self.requestHeaders.setRawHeaders(b"host", [found[1]])
        rest = found[2]
        # The channel hands it over once more with the body.
        self.channel._path = self.uri = rest if rest[:1] == b"/" else b"/" + rest
        self.path = self.uri.partition(b"?")[0]

    def _fault(self) -> OpenClawError | None:
        """
        Find a fault of the request, whoever sends it and whatever it asks for.
        """
        headers, modern = self.requestHeaders, self.clientproto == b"HTTP/1.1"
        hosts = headers.getRawHeaders(b"host")
        if hosts is None:
            if modern:
                return MalformedRequest("There is no Host header.")
        elif len(hosts) > 1:
            return MalformedRequest("There is more than one Host header.")
        if not self.method.isupper():
            # Who routes would take it for the one in upper case.
            return MalformedRequest("HTTP's methods are in upper case.")
        expected = headers.getRawHeaders(b"expect") if modern else None
        if expected is not None:
            if [each.lower() for each in expected] != [b"100-continue"]:
                return ExpectationFailed("Only `Expect: 100-continue` can be met.")
            self._invited = False
        return None

    def waitForBody(self) -> None:
        """
        A read is over.  Most requests are complete by then, and need no clock.
        """
        if self._awaited and not self._complete:
            self._awaited = False
            if self._deadline is None:
                seconds = min(PATIENCE_SECONDS, self._admission.bodySeconds)
                self._deadline = self.channel.callLater(seconds, self._late)

    def _refuseLarge(self) -> None:
        limit = self._admission.bodyBytes
        self._refuse(BodyTooLarge(f"The body is larger than {limit} bytes."))

    def _makeRoom(self, length: int) -> bool:
        """
        Be sure that there is room for more of the body.  What was announced and has not
        arrived takes none: to announce costs nothing.
        """
        if self._received > self._admission.bodyBytes:
            self._refuseLarge()
            return False
        if not self._reserved:
            self._chargedTo = self._shareKey or f"address {self.channel.origin}"
        if not self.channel.site.bodies.take(self._chargedTo, length, self._reserved):
            self._refuse(
                Crowded(
                    "Too many bytes of requests are on their way. Try again soon.",
                    retryAfter=CROWDED_SECONDS,
                )
            )
            return False
        self._reserved += length
        return True

    def _invite(self) -> None:
        """
        Have the body sent, if it is clear by now that it is wanted.
        """
        if self._known and self._admission.bodyBytes and not self._refused:
            self._invited = True
            self.channel.invite()

    def _answerEarly(self) -> None:
        """
        The caller wants to know whether to send a body, and nobody wants it: then the
        answer does not wait for it.
        """
        self._early = True
        self._hangUp()
        super().requestReceived(self.method, self.uri, self.clientproto)

    def _letIn(self, caller: ICaller) -> ICaller | BaseException:
        self._known = True
        shareKey = caller.shareKey
        # Addresses are bounded by themselves, but a proxy's may have all connections.
        if caller.namespace and not (self.gone or self.finished):
            if not self.channel.site.requests.take(shareKey, 1):
                return self._turnAway(Failure(_tooManyRequests()))
            self._countedFor = shareKey
        self._shareKey = shareKey
        if self._weighed and not (self._invited or self._received or self.gone):
            # Only now, since the decision took its time.
            self._invite()
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
            if not (self._complete or self._refused or self._early or self.gone):
                self._refuse(error)
        return error

    def handleContentChunk(self, data: bytes) -> None:
        """
        Some of the body came.
        """
        self._received += len(data)
        if self._refused or not self._admission.bodyBytes:
            return
        if self._makeRoom(len(data)):
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        The body is complete.
        """
        if self._early:
            return
        self._complete = True
        self.arrivedAt = self.channel.site.reactor.seconds()
        self._stopDeadline()
        if self._refused:
            if not self._disconnected:
                self.finish()
        elif self._admission.preflight is not None:
            self.setResponseCode(204)
            for name, value in self._admission.preflight:
                self.responseHeaders.setRawHeaders(name, [value])
            self.finish()
        else:
            super().requestReceived(command, path, version)

    def _late(self) -> None:
        """
        The body is not there yet.
        """
        self._deadline = None
        if self._refused or self._early:
            self.abort()
            return
        seconds = self.channel.site.reactor.seconds() - self.arrivedAt
        left = self._admission.bodySeconds - seconds
        slow = self._received < seconds * LEAST_BYTES_PER_SECOND
        if left > 0 and not slow:
            wait = min(left, PATIENCE_SECONDS)
            self._deadline = self.channel.callLater(wait, self._late)
        else:
            self._refuse(RequestTimeout("The body did not arrive in time."))

    def _refuse(self, error: OpenClawError) -> None:
        """
        Answer now, and throw away what still comes of the body.
        """
        self._refused = True
        self._hangUp()
        self.giveUp()
        self._deadline = self.channel.callLater(LINGER_SECONDS, self._late)
        self.write(setErrorResponse(self, error))

    def _hangUp(self) -> None:
        """
        Let this be the connection's last answer.
        """
        self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.channel.persistent = False

    def giveUp(self) -> None:
        """
        The rest of the request will not be used.
        """
        self.content = BytesIO()
        self._letGo()
        self._stopDeadline()

    def _letGo(self) -> None:
        if self._countedFor:
            self.channel.site.requests.giveBack(self._countedFor, 1)
            self._countedFor = ""
        if self._reserved:
            self.channel.site.bodies.giveBack(self._chargedTo, self._reserved)
            self._reserved = 0

    def keepRoom(self) -> Callable[[], None]:
        """
        Let the room for the body stay taken when the request is over.

        @return: What gives it back.  To be called once.
        """
        kept, self._reserved = self._reserved, 0
        return partial(self.channel.site.bodies.giveBack, self._chargedTo, kept)

    def _stopDeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def finish(self) -> None:
        """
        The answer is complete.
        """
        self._letGo()
        if self._early:
            self._stopDeadline()
        super().finish()

    def connectionLost(self, reason: Failure) -> None:
        """
        The caller is gone.
        """
        self._letGo()
        self._stopDeadline()
        super().connectionLost(reason)

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


def _tooManyRequests() -> Crowded:
    return Crowded(
        "You have too many requests in progress. Try again soon.",
        retryAfter=CROWDED_SECONDS,
    )
