"""
One HTTP call to a model provider: its phases, its clocks and its end.

What is said on the wire is the dialect's business, behind L{ReplyDecoder}.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from openclaw.errors import (
    InternalError,
    OpenClawError,
    RunCancelled,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from openclaw.events import ModelEvent, ModelListener
from openclaw.interfaces import IModelCall, ModelReply
from openclaw.messages import Usage
from openclaw.models.bodies import RequestBody, ResponseBody
from openclaw.models.connections import Reads, abort

P = ParamSpec("P")

MAX_REFUSAL_BYTES = 64 * 1024
"""
How much of an error's body is read.
"""

LINGER_SECONDS = 1.0
"""
How long a socket may stay open after the provider said that it is done.  Some
never close it; the others get it back into the pool.
"""


class ReplyDecoder(Protocol):
    """
    A dialect's half of a call: the bytes of an answer in, events out.
    """

    complete: bool
    """
    True once nothing more is to be read: the provider has said that it is done, or
    reported an error, or makes no sense.
    """

    usage: Usage
    """
    What the provider said so far that was spent.
    """

    def feed(self, data: bytes) -> list[ModelEvent]:
        """
        Read the next bytes.
        """

    def finish(self) -> list[ModelEvent]:
        """
        The body has ended, or is complete: whatever was held back.
        """

    def reply(self) -> ModelReply:
        """
        The whole answer.

        @raise OpenClawError: There is none: the provider reports an error, or makes
            no sense, or its answer broke off.
        """


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """
    How long to wait, in seconds: for a connection, and between two bytes.
    """

    connect: float
    idle: float


Send = Callable[[IBodyProducer, bool], "Deferred[IResponse]"]
Refusal = Callable[[int, Headers, bytes], OpenClawError]


@implementer(IModelCall)
class UpstreamCall:
    """
    A call over HTTP.  Made and started by a dialect.
    """

    def __init__(
        self,
        *,
        provider: str,
        send: Send,
        payload: bytes,
        decoder: ReplyDecoder,
        refusal: Refusal,
        listener: ModelListener,
        clocks: Clocks,
        reads: Reads,
        reactor: IReactorTime,
        log: Logger,
    ) -> None:
        """
        @param send: Sends the request with the body it is given; if it is also told
            so, on a new connection.

        @param refusal: Makes an error of an answer's status, headers and body.

        @param reads: When the reads of the connection are over.
        """
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._provider = provider
        self._send = send
        self._payload = payload
        self._decoder = decoder
        self._refusal = refusal
        self._listener = listener
        self._clocks = clocks
        self._reads = reads
        self._reactor = reactor
        self._log = log
        self._finished = False
        self._paused = False
        self._retried = False
        self._pending: Deferred[IResponse] | None = None
        self._transport: IPushProducer | None = None
        self._timer: IDelayedCall | None = None
        self._timeout: Callable[[], OpenClawError] = self._connectTimeout
        self.ended: Deferred[None] = Deferred()
        """
        Fires when the call holds no socket and no timer any more, which may be a
        moment after C{done}.
        """

    @property
    def usage(self) -> Usage:
        """
        What is known to have been spent so far.
        """
        return self._decoder.usage

    # The request on its way

    def start(self) -> None:
        """
        Send the request.
        """
        body = RequestBody(self._payload, self._connected)
        self._timeout = self._connectTimeout
        self._setTimer(self._clocks.connect)
        self._pending = self._send(body, self._retried)
        # A pooled connection takes the request at once; a new one is made first.
        pooled = body.started
        self._pending.addCallbacks(
            self._responded, self._failedToRespond, errbackArgs=(pooled,)
        )

    def _connected(self) -> None:
        self._timeout = self._idleTimeout
        self._setTimer(self._clocks.idle)

    def _failedToRespond(self, failure: Failure, pooled: bool) -> None:
        self._pending = None
        if self._finished:
            self._release()
            return
        if failure.check(ResponseNeverReceived, RequestTransmissionFailed):
            if pooled and not self._retried:
                # The provider closed an idle connection just as we took it; others
                # may be closed as well.
                self._retried = True
                self.start()
                return
            self._fail(self._unreachable("closed the connection without an answer"))
        elif failure.check(ConnectTimeout):
            self._fail(self._connectTimeout())
        elif failure.check(DNSLookupError):
            self._fail(self._unreachable("has an address that does not resolve"))
        elif failure.check(ConnectionRefusedError):
            self._fail(self._unreachable("refuses connections"))
        else:
            self._log.error(
                "No answer from provider {provider}: {reason}",
                provider=self._provider,
                reason=failure.getErrorMessage(),
            )
            self._fail(self._unreachable("can't be reached"))

    def _responded(self, response: IResponse) -> None:
        self._pending = None
        # It may be large, and what has ended may be kept for a while.
        self._payload = b""
        self._setTimer(self._clocks.idle)
        if response.code != 200:
            self._readRefusal(response)
            return
        response.deliverBody(
            ResponseBody(self._reads, self._bodyStarted, self._read, self._bodyEnded)
        )
        if self._paused:
            # deliverBody resumes the transport that it was given.
            self.pauseProducing()

    def _readRefusal(self, response: IResponse) -> None:
        body = bytearray()

        def refusal() -> OpenClawError:
            return self._refusal(response.code, response.headers, bytes(body))

        def collect(data: bytes) -> None:
            if self._finished:
                return
            body.extend(data)
            if len(body) > MAX_REFUSAL_BYTES:
                self._fail(refusal())

        def ended(_: Failure) -> None:
            self._transport = None
            if not self._finished:
                self._fail(refusal())
            self._release()

        # That it is slow to say why does not make it less of a refusal.
        self._timeout = refusal
        response.deliverBody(
            ResponseBody(self._reads, self._bodyStarted, collect, ended)
        )

    # The answer on its way

    def _bodyStarted(self, transport: IPushProducer) -> None:
        self._transport = transport

    def _read(self, data: bytes) -> None:
        if self._finished:
            return
        if self._timer is not None:
            self._timer.reset(self._clocks.idle)
        self._tell(self._decoder.feed, data)
        if self._decoder.complete:
            self._conclude()

    def _bodyEnded(self, reason: Failure) -> None:
        self._transport = None
        # Why it ended does not matter: the decoder knows whether it saw the end.
        self._conclude()
        self._release()

    def _tell(
        self, decode: Callable[P, list[ModelEvent]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        try:
            events = decode(*args, **kwargs)
            if events:
                self._listener(events)
        except Exception:
            self._log.failure("The listener of a model call failed")
            if not self._finished:
                self._fail(InternalError("The gateway failed."))

    # The end

    def _conclude(self) -> None:
        if not self._finished:
            self._tell(self._decoder.finish)
        if self._finished:
            return
        try:
            reply = self._decoder.reply()
        except OpenClawError as error:
            self._fail(error)
            return
        self._finished = True
        self._setTimer(LINGER_SECONDS)
        if self._paused and self._transport is not None:
            # Nothing that a slow reader would have to wait for is left in the body.
            self._transport.resumeProducing()
        self.done.callback(reply)

    def cancel(self) -> None:
        """
        Close the socket now.
        """
        if not self._finished:
            self._fail(RunCancelled("The run was cancelled."))

    def _fail(self, error: OpenClawError) -> None:
        self._finished = True
        self._payload = b""
        self.drop()
        self.done.errback(Failure(error))
        self._release()

    def drop(self) -> None:
        """
        Close the socket, if there still is one.
        """
        self._clearTimer()
        if self._pending is not None:
            self._pending.cancel()
        if self._transport is not None:
            abort(self._transport)

    def _release(self) -> None:
        self._clearTimer()
        if self._pending is None and self._transport is None and not self.ended.called:
            # A method of its own, which would be a circle.
            self._timeout = _over
            self.ended.callback(None)

    # Back-pressure

    def pauseProducing(self) -> None:
        """
        Read no more of the answer for now.  The idle clock stands still: it is not
        the provider who is slow.
        """
        self._paused = True
        if self._transport is not None and not self._finished:
            self._clearTimer()
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self._paused = False
        if self._transport is not None and not self._finished:
            self._setTimer(self._clocks.idle)
            self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self.cancel()

    # The clocks

    def _setTimer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.reset(seconds)
        else:
            self._timer = self._reactor.callLater(seconds, self._expired)

    def _clearTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        self._timer = None
        if self._finished:
            self.drop()
        else:
            self._fail(self._timeout())

    def _connectTimeout(self) -> OpenClawError:
        return UpstreamTimeout(
            f"No connection to provider {self._provider!r}"
            f" within {self._clocks.connect:g} s.",
            code="upstream_connect_timeout",
        )

    def _idleTimeout(self) -> OpenClawError:
        return UpstreamTimeout(
            f"Provider {self._provider!r} was silent for {self._clocks.idle:g} s.",
            code="upstream_idle_timeout",
        )

    def _unreachable(self, what: str) -> OpenClawError:
        return UpstreamUnreachable(f"Provider {self._provider!r} {what}.")


def _over() -> OpenClawError:
    """
    What no clock of a call that is over will ask for.
    """
    return InternalError("The gateway failed.")


__all__ = [
    "LINGER_SECONDS",
    "MAX_REFUSAL_BYTES",
    "Clocks",
    "Refusal",
    "ReplyDecoder",
    "UpstreamCall",
]
