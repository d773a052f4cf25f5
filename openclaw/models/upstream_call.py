"""
One HTTP call to a model provider: its phases, its clocks and its end.

What is said on the wire is the dialect's business, behind L{ReplyDecoder}.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
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
from openclaw.messages import Usage
from openclaw.models.provider_errors import damagedAnswer
from openclaw.net.http_connection import Exchange, Header, ResponseReceiver

MAX_REFUSAL_BYTES = 64 * 1024
"""
Bytes of an error's body that are read.
"""

LINGER_SECONDS = 1.0
"""
Seconds for which a socket may stay open after the provider said that it is done. Some
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
    The usage that the provider has reported so far.
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
    Time-outs in seconds: for a connection, and between two bytes.
    """

    connect: float
    idle: float


class Phase(Enum):
    """
    The phases of a call: waiting for a connection, for the headers of the answer, for
    the body of an answer or of a refusal; C{done} fires or has fired, and the socket
    may still be open; it is closed.
    """

    CONNECTING = "connecting"
    SENT = "sent"
    ANSWERING = "answering"
    REFUSING = "refusing"
    ENDED = "ended"
    CLOSED = "closed"


FOLLOWING: Mapping[Phase, Collection[Phase]] = {
    Phase.CONNECTING: (Phase.SENT, Phase.ENDED),
    # A kept connection that is lost now is replaced by a new one, once.
    Phase.SENT: (Phase.CONNECTING, Phase.ANSWERING, Phase.REFUSING, Phase.ENDED),
    Phase.ANSWERING: (Phase.ENDED,),
    Phase.REFUSING: (Phase.ENDED,),
    Phase.ENDED: (Phase.CLOSED,),
    Phase.CLOSED: (),
}
"""
The phases that may follow each.
"""

_OVER = (Phase.ENDED, Phase.CLOSED)
_ANSWERING = Phase.ANSWERING  # 0.1 µs a chunk with Python 3.11.

_FAULTS: Mapping[type[Exception], str] = {
    TCPTimedOutError: "does not answer",  # The system's patience was the shorter one.
    DNSLookupError: "has an address that does not resolve",
    ConnectionRefusedError: "refuses connections",
}

Send = Callable[[bytes, ResponseReceiver, bool], Exchange]
Refusal = Callable[[int, Headers, bytes], OpenClawError]


@implementer(IModelCall)
class UpstreamCall:
    """
    A call over HTTP.  Made and started by a provider.
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
        gone: "Callable[[UpstreamCall], object]",
        clocks: Clocks,
        reactor: IReactorTime,
        log: Logger,
    ) -> None:
        """
        @param send: Sends the request with the body it is given, for a receiver; if it
            is also told so, on a new connection.

        @param refusal: Makes an error of an answer's status, headers and body.

        @param gone: Called once the call holds no socket and no timer any more, a
            moment before C{done} or after it.
        """
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._provider = provider
        self._send = send
        self._payload = payload
        self._decoder = decoder
        self._refusal = refusal
        self._listener = listener
        self._gone = gone
        self._clocks = clocks
        self._reactor = reactor
        self._log = log
        self._phase = Phase.CONNECTING
        self._paused = False
        self._retried = False
        self._exchange: Exchange | None = None
        self._refused: tuple[int, Sequence[Header], bytearray] | None = None
        self._timer: IDelayedCall | None = None
        self._heardAt = float("-inf")

    @property
    def usage(self) -> Usage:
        """
        The usage known so far.
        """
        return self._decoder.usage

    def _enter(self, phase: Phase) -> None:
        assert phase in FOLLOWING[self._phase], (self._phase, phase)
        self._phase = phase

    # The request on its way

    def start(self) -> None:
        """
        Send the request.
        """
        self._setTimer(self._clocks.connect)
        try:
            exchange = self._send(self._payload, self, self._retried)
        except (ValueError, SchemeNotSupported):
            self.failed(Failure())
            return
        # A connection may fail at once.
        if self._phase is not Phase.CLOSED:
            self._exchange = exchange

    def connected(self) -> None:
        """
        See L{ResponseReceiver.connected}.
        """
        self._enter(Phase.SENT)
        self._setTimer(self._clocks.idle)

    def failed(self, reason: Failure) -> None:
        """
        See L{ResponseReceiver.failed}.
        """
        exchange, self._exchange = self._exchange, None
        if self._phase is Phase.ENDED:
            self._close()
        elif self._phase is Phase.REFUSING:
            self._fail(self._refusalSaid())
        elif self._phase is Phase.ANSWERING:
            self._conclude(damagedAnswer(self._provider, reason))
        elif reason.check(ConnectionDone, ConnectionLost):
            if exchange is not None and exchange.pooled and not self._retried:
                # It was closed just as we took it; others may be, too.
                self._retried = True
                self._enter(Phase.CONNECTING)
                self.start()
            else:
                self._fail(self._unreachable("closed the connection without an answer"))
        elif known := reason.check(*_FAULTS):
            self._fail(self._unreachable(_FAULTS[known]))
        else:
            self._log.error(
                "No answer from provider {provider}: {reason}",
                provider=self._provider,
                reason=reason.getErrorMessage(),
            )
            self._fail(self._unreachable("can't be reached"))

    # The answer on its way

    def headersReceived(self, status: int, headers: Sequence[Header]) -> None:
        """
        See L{ResponseReceiver.headersReceived}.
        """
        # It may be large, and what has ended may be kept for a while.
        self._payload = b""
        if self._phase in _OVER:
            return
        self._setTimer(self._clocks.idle)
        if status != 200:
            self._refused = (status, headers, bytearray())
            self._enter(Phase.REFUSING)
            return
        self._enter(Phase.ANSWERING)
        if self._paused:
            self.pauseProducing()

    def _refusalSaid(self) -> OpenClawError:
        assert self._refused is not None
        status, pairs, body = self._refused
        headers = Headers()
        for name, value in pairs:
            headers.addRawHeader(name, value)
        return self._refusal(status, headers, bytes(body))

    def dataReceived(self, data: bytes) -> None:
        """
        See L{ResponseReceiver.dataReceived}.
        """
        if self._phase is not _ANSWERING:
            if self._refused is not None and self._phase is Phase.REFUSING:
                body = self._refused[2]
                body += data
                if len(body) > MAX_REFUSAL_BYTES:
                    self._fail(self._refusalSaid())
            return
        # To set the timer back each time would cost more than to look at its end.
        self._heardAt = self._reactor.seconds()
        decoder = self._decoder
        try:
            events = decoder.feed(data)
            if events:
                self._listener(events)
        except Exception:
            self._listenerFailed()
        if decoder.complete and (self._exchange is None or not self._exchange.damaged):
            self._conclude()

    def responseEnded(self) -> None:
        """
        End the reply if the decoder has seen its end.
        """
        self._exchange = None
        if self._phase is Phase.REFUSING:
            self._fail(self._refusalSaid())
        elif self._phase is Phase.ENDED:
            self._close()
        else:
            self._conclude()

    def _listenerFailed(self) -> None:
        self._log.failure("The listener of a model call failed")
        if self._phase not in _OVER:
            self._fail(InternalError("The gateway failed."))

    # The end

    def _conclude(self, damage: OpenClawError | None = None) -> None:
        if self._phase in _OVER:
            return
        try:
            events = self._decoder.finish()
            if events:
                self._listener(events)
        except Exception:
            self._listenerFailed()
        if self._phase in _OVER:
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
            # Nothing that a slow reader would have to wait for is left in the body.
            self._exchange.resumeProducing()
        self.done.callback(reply)
        if self._exchange is None:
            self._close()

    def cancel(self) -> None:
        """
        Close the socket now.
        """
        if self._phase not in _OVER:
            self._fail(RunCancelled("The run was cancelled."))

    def _fail(self, error: OpenClawError) -> None:
        self._enter(Phase.ENDED)
        self._payload = b""
        self.drop()
        self.done.errback(Failure(error))
        if self._exchange is None:
            self._close()

    def drop(self) -> None:
        """
        Close the socket, if there still is one.
        """
        self._clearTimer()
        if self._exchange is not None:
            self._exchange.cancel()

    def _close(self) -> None:
        if self._phase is not Phase.CLOSED:
            self._enter(Phase.CLOSED)
            self._clearTimer()
            self._gone(self)

    # Back-pressure

    def pauseProducing(self) -> None:
        """
        Read no more of the answer for now.  The idle clock stands still: it is not
        the provider who is slow.
        """
        self._paused = True
        exchange = self._exchange
        if self._phase is Phase.ANSWERING and exchange is not None:
            self._clearTimer()
            exchange.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self._paused = False
        exchange = self._exchange
        if self._phase is Phase.ANSWERING and exchange is not None:
            self._setTimer(self._clocks.idle)
            exchange.resumeProducing()

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self.cancel()

    # The clocks

    def _setTimer(self, seconds: float) -> None:
        """
        Let the clock strike later than it would, or at all: to have one strike sooner,
        Twisted looks through all that there are.
        """
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
        left = self._heardAt + self._clocks.idle - self._reactor.seconds()
        if self._phase is Phase.ENDED:
            self.drop()
        elif left > 0:
            self._setTimer(left)
        else:
            self._fail(self._timeout())

    def _timeout(self) -> OpenClawError:
        if self._phase is Phase.CONNECTING:
            return UpstreamTimeout(
                f"No connection to provider {self._provider!r}"
                f" within {self._clocks.connect:g} s.",
                code="upstream_connect_timeout",
            )
        if self._phase is Phase.REFUSING:
            # That it is slow to say why does not make it less of a refusal.
            return self._refusalSaid()
        return UpstreamTimeout(
            f"Provider {self._provider!r} was silent for {self._clocks.idle:g} s.",
            code="upstream_idle_timeout",
        )

    def _unreachable(self, what: str) -> OpenClawError:
        return UpstreamUnreachable(f"Provider {self._provider!r} {what}.")
