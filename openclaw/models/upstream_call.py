"""
One HTTP call to a model provider: its phases, time-outs and end.

The wire format is handled by the dialect's L{ReplyDecoder}.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from zope.interface import implementer

from openclaw.errors import (
    InternalError,
    OpenClawError,
    RunCancelled,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.events import ModelEvent, ModelListener
from openclaw.interfaces import IModelCall, ModelReply
from openclaw.messages import FinishReason, Usage
from openclaw.models.call_phases import TRANSITIONS, Phase, Timeouts
from openclaw.models.provider_errors import damagedAnswer, describeConnectError
from openclaw.net.http_connection import Exchange, Header, ResponseReceiver

MAX_REFUSAL_BYTES = 64 * 1024
"""
Limit of the bytes of an error response that are read.
"""

LINGER_SECONDS = 1.0
"""
Close a connection that is still open this long after the end of the reply, in seconds.
Some providers do not end the response; other connections return to the pool.
"""


USAGE_SECONDS = 0.5
"""
Wait this long for the usage, or for the end of the response, once the provider has said
why the model stopped, in seconds.  Some providers send neither.
"""

PINGED_IDLES = 5
"""
Bytes without any output, such as comments and pings, prolong the idle time-out to this
many times its length.
"""


class ReplyDecoder(Protocol):
    """
    The dialect's part of a call: decodes the bytes of a response to events.
    """

    complete: bool
    """
    True once nothing more is to be read: the provider has ended the reply, reported an
    error, or sent invalid data.
    """

    finishReason: FinishReason | None
    """
    Set once the provider has said why the model stopped: the reply is whole, and at
    most its usage follows.
    """

    @property
    def usage(self) -> Usage:
        """
        The usage reported so far.
        """

    def feed(self, data: bytes) -> list[ModelEvent]:
        """
        Decode the next bytes.
        """

    def finish(self) -> list[ModelEvent]:
        """
        End the response, and return the events that were held back.
        """

    def reply(self) -> ModelReply:
        """
        Return the complete reply.

        @raise OpenClawError: The provider reported an error, sent invalid data, or
            truncated the reply.
        """


_FINISHED = (Phase.ENDED, Phase.CLOSED)
_ANSWERING = Phase.ANSWERING  # 0.1 µs a chunk with Python 3.11.

Send = Callable[[bytes, ResponseReceiver, bool], Exchange]
Refusal = Callable[[int, Headers, bytes], OpenClawError]
Adjust = Callable[[OpenClawError], bytes | None]


@implementer(IModelCall)
class UpstreamCall:
    """
    A call over HTTP, created and started by a provider.
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
        closed: "Callable[[UpstreamCall], object]",
        timeouts: Timeouts,
        reactor: IReactorTime,
        log: Logger,
        adjust: Adjust | None = None,
    ) -> None:
        """
        @param send: Sends a request with a body, for a receiver; with the third
            argument, on a new connection.
        @param refusal: Makes an error from the status, headers and body of a response.
        @param closed: Called once the call has neither a connection nor a timer,
            shortly before or after C{done} fires.
        @param adjust: Called once if the provider refuses the request: returns another
            body to send, or C{None} if the error stands.
        """
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._provider = provider
        self._send = send
        self._payload = payload
        self._decoder = decoder
        self._refusal = refusal
        self._listener = listener
        self._closed = closed
        self._timeouts = timeouts
        self._reactor = reactor
        self._log = log
        self._adjust = adjust
        self.ignoredParams: Sequence[str] = ()
        self._phase = Phase.CONNECTING
        self._paused = False
        self._retried = False
        self._exchange: Exchange | None = None
        self._refused: tuple[int, Sequence[Header], bytearray] | None = None
        self._timer: IDelayedCall | None = None
        self._isEnding = False
        self._lastDataAt = self._lastOutputAt = float("-inf")

    @property
    def usage(self) -> Usage:
        return self._decoder.usage

    def _enter(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self._phase], (self._phase, phase)
        self._phase = phase

    # The request

    def start(self) -> None:
        """
        Send the request.
        """
        self._setTimer(self._timeouts.connect)
        try:
            exchange = self._send(self._payload, self, self._retried)
        except (ValueError, SchemeNotSupported):
            self.failed(Failure())
            return
        # A connection may fail at once.
        if self._phase is not Phase.CLOSED:
            self._exchange = exchange

    def connected(self) -> None:
        self._enter(Phase.SENT)
        self._setTimer(self._timeouts.idle)

    def failed(self, reason: Failure) -> None:
        exchange, self._exchange = self._exchange, None
        if self._phase is Phase.ENDED:
            self._close()
        elif self._phase is Phase.REFUSING:
            self._fail(self._makeRefusal())
        elif self._phase is Phase.ANSWERING:
            self._finish(damagedAnswer(self._provider, reason))
        elif reason.check(ConnectionDone, ConnectionLost):
            if exchange is not None and exchange.pooled and not self._retried:
                # The server closed it while it was idle, and may have closed others.
                self._retried = True
                self._enter(Phase.CONNECTING)
                self.start()
            else:
                self._fail(
                    self._makeUnreachable("closed the connection without a response")
                )
        elif described := describeConnectError(reason):
            self._fail(self._makeUnreachable(described))
        else:
            self._log.error(
                "No response from provider {provider}: {reason}",
                provider=self._provider,
                reason=reason.getErrorMessage(),
            )
            self._fail(self._makeUnreachable("can't be reached"))

    # The response

    def headersReceived(self, status: int, headers: Sequence[Header]) -> None:
        # It may be large, and an ended call may be kept for a while.
        self._payload = b""
        if self._phase in _FINISHED:
            return
        self._setTimer(self._timeouts.idle)
        if status != 200:
            self._refused = (status, headers, bytearray())
            self._enter(Phase.REFUSING)
            return
        self._adjust = None
        self._enter(Phase.ANSWERING)
        self._lastOutputAt = self._reactor.seconds()
        if self._paused:
            self.pauseProducing()

    def _makeRefusal(self) -> OpenClawError:
        assert self._refused is not None
        status, pairs, body = self._refused
        headers = Headers()
        for name, value in pairs:
            headers.addRawHeader(name, value)
        return self._refusal(status, headers, bytes(body))

    def dataReceived(self, data: bytes) -> None:
        if self._phase is not _ANSWERING:
            if self._refused is not None and self._phase is Phase.REFUSING:
                body = self._refused[2]
                body += data
                if len(body) > MAX_REFUSAL_BYTES:
                    self._fail(self._makeRefusal())
            return
        # Checking this when the timer expires is cheaper than resetting the timer.
        self._lastDataAt = now = self._reactor.seconds()
        decoder = self._decoder
        try:
            events = decoder.feed(data)
            if events:
                self._lastOutputAt = now
                self._listener(events)
        except Exception:
            self._listenerFailed()
        if decoder.complete:
            if self._exchange is None or not self._exchange.damaged:
                self._finish()
        elif decoder.finishReason is not None and not self._isEnding:
            self._isEnding = True
            if self._phase is _ANSWERING and not self._paused:
                self._clearTimer()
                self._setTimer(USAGE_SECONDS)

    def responseEnded(self) -> None:
        self._exchange = None
        if self._phase is Phase.REFUSING:
            self._refuse()
        elif self._phase is Phase.ENDED:
            self._close()
        else:
            self._finish()

    def _refuse(self) -> None:
        """
        Fail with the provider's reason, or ask in another way.
        """
        error = self._makeRefusal()
        adjust, self._adjust = self._adjust, None
        payload = None if adjust is None else adjust(error)
        if payload is None:
            self._fail(error)
            return
        self._payload = payload
        self._refused = None
        self._enter(Phase.CONNECTING)
        self.start()

    def _listenerFailed(self) -> None:
        self._log.failure("The listener of a model call failed")
        if self._phase not in _FINISHED:
            self._fail(InternalError("The gateway failed."))

    # The end

    def _finish(self, damage: OpenClawError | None = None) -> None:
        if self._phase in _FINISHED:
            return
        try:
            events = self._decoder.finish()
            if events:
                self._listener(events)
        except Exception:
            self._listenerFailed()
        if self._phase in _FINISHED:
            return
        try:
            reply = self._decoder.reply()
            if damage:
                raise damage
        except OpenClawError as error:
            isCut = isinstance(error, UpstreamTruncated)
            self._fail(damage if damage and isCut else error)
            return
        self._enter(Phase.ENDED)
        self._clearTimer()
        if self._exchange is not None and not self._exchange.complete:
            self._setTimer(LINGER_SECONDS)
        if self._paused and self._exchange is not None:
            # Nothing for the listener is left in the body.
            self._exchange.resumeProducing()
        self.done.callback(reply)
        if self._exchange is None:
            self._close()

    def cancel(self) -> None:
        if self._phase not in _FINISHED:
            self._fail(RunCancelled("The run was cancelled."))

    def _fail(self, error: OpenClawError) -> None:
        self._enter(Phase.ENDED)
        self._payload = b""
        self._adjust = None
        self.disconnect()
        self.done.errback(Failure(error))
        if self._exchange is None:
            self._close()

    def disconnect(self) -> None:
        """
        Close the connection, if it is open.
        """
        self._clearTimer()
        if self._exchange is not None:
            self._exchange.cancel()

    def _close(self) -> None:
        if self._phase is not Phase.CLOSED:
            self._enter(Phase.CLOSED)
            self._clearTimer()
            self._closed(self)

    # Back-pressure

    def pauseProducing(self) -> None:
        """
        Stop reading the response.  The idle time-out is suspended, since the delay is
        not the provider's.
        """
        self._paused = True
        exchange = self._exchange
        if self._phase is Phase.ANSWERING and exchange is not None:
            self._clearTimer()
            exchange.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        exchange = self._exchange
        if self._phase is Phase.ANSWERING and exchange is not None:
            self._lastOutputAt = self._reactor.seconds()
            self._setTimer(USAGE_SECONDS if self._isEnding else self._timeouts.idle)
            exchange.resumeProducing()

    def stopProducing(self) -> None:
        self.cancel()

    # Time-outs

    def _setTimer(self, seconds: float) -> None:
        """
        Set or extend the timer.  It is only extended, never shortened: to shorten one,
        Twisted searches all timers.
        """
        if self._timer is not None:
            self._timer.reset(seconds)
        else:
            self._timer = self._reactor.callLater(seconds, self._timerExpired)

    def _clearTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timerExpired(self) -> None:
        self._timer = None
        if self._phase is Phase.ENDED:
            self.disconnect()
        elif (left := self._deadline() - self._reactor.seconds()) > 0:
            self._setTimer(left)
        elif self._isEnding:
            self._finish()
        else:
            self._fail(self._makeTimeout())

    def _deadline(self) -> float:
        """
        Return the time at which the response has been silent for too long.
        """
        if self._isEnding:
            return self._lastOutputAt + USAGE_SECONDS
        idle = self._timeouts.idle
        return min(self._lastDataAt + idle, self._lastOutputAt + PINGED_IDLES * idle)

    def _makeTimeout(self) -> OpenClawError:
        if self._phase is Phase.CONNECTING:
            return UpstreamTimeout(
                f"No connection to provider {self._provider!r}"
                f" within {self._timeouts.connect:g} s.",
                code="upstream_connect_timeout",
            )
        if self._phase is Phase.REFUSING:
            # The status alone is enough for the error.
            return self._makeRefusal()
        idle = self._timeouts.idle
        what = f"was silent for {idle:g} s"
        if self._lastDataAt + idle > self._reactor.seconds():
            what = f"sent nothing but signs of life for {PINGED_IDLES * idle:g} s"
        return UpstreamTimeout(
            f"Provider {self._provider!r} {what}.", code="upstream_idle_timeout"
        )

    def _makeUnreachable(self, what: str) -> OpenClawError:
        return UpstreamUnreachable(f"Provider {self._provider!r} {what}.")
