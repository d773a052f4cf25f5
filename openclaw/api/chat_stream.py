"""
Stream a run's events to an HTTP response.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from openclaw.agents.recorded_run import RunSubscription
from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import KEEPALIVE, CompletionEncoder
from openclaw.errors import OpenClawError
from openclaw.events import RunEvent, RunStarted
from openclaw.server.api_request import ResponseWriter

SILENCE_SECONDS = 1.0
"""
Delay before the status 200 is sent without a first event, in seconds. Until then a
failure has its own status.
"""


STALLED_SECONDS = 60.0
"""
Abort a finished stream whose client has not read for this long, in seconds.
"""

STREAM_HEADERS = {
    b"content-type": b"text/event-stream; charset=utf-8",
    b"cache-control": b"no-cache, no-transform",
    b"x-accel-buffering": b"no",
}


class Sink(Protocol):
    """
    A destination of bytes, such as an HTTP response.
    """

    def write(self, data: bytes) -> object: ...


class CompletionStream:
    """
    The listener of a streamed run. It writes a frame for each event, and a comment as
    keepalive.
    """

    __slots__ = (
        "_encoder",
        "_keepAliveSeconds",
        "_lastWriteAt",
        "_openHeaders",
        "_reactor",
        "_timer",
        "_write",
        "opened",
    )

    def __init__(
        self,
        *,
        sink: Sink,
        encoder: CompletionEncoder,
        openHeaders: Callable[[], None],
        keepAliveSeconds: float,
        reactor: IReactorTime,
    ) -> None:
        """
        @param openHeaders: Set the status and the headers. It is called once, before
            the first byte.

        @param keepAliveSeconds: The interval of keepalive comments in seconds; 0 for
            none.
        """
        self._encoder = encoder
        self._openHeaders = openHeaders
        self._keepAliveSeconds = keepAliveSeconds
        self._reactor = reactor
        self._timer: IDelayedCall | None = None
        self._lastWriteAt = float("-inf")
        self._write = sink.write
        self.opened = False

    def __call__(self, events: Sequence[RunEvent]) -> None:
        """
        Write events; see L{openclaw.events.RunListener}.
        """
        if not self.opened and type(events[0]) is RunStarted:
            # The run was admitted, so any error of the request has been raised.
            self._setTimer(SILENCE_SECONDS)
        frames = self._encoder.encodeEvents(events)
        if not frames:
            return
        if not self.opened:
            frames = self._open() + frames
        elif self._timer is not None:
            self._lastWriteAt = self._reactor.seconds()
        self._write(frames)

    def open(self) -> None:
        """
        Write the headers and the first frame now, without an event.
        """
        self._write(self._open())

    async def follow(
        self, response: ResponseWriter, subscription: RunSubscription
    ) -> None:
        """
        Write until the run has ended, at the pace of the client.

        @raise OpenClawError: The run failed before the first byte.
        """
        wasPaused = subscription.paused
        producer = _PausingProducer(subscription, response.abort, self._reactor)
        response.registerProducer(producer, True)
        try:
            if wasPaused:
                producer.resumeProducing()
            self.finish(await subscription.done)
        except OpenClawError as error:
            if not self.opened:
                raise
            self.fail(error)
        finally:
            self.stop()
            producer.stop()
            if not response.disconnected:
                response.unregisterProducer()

    def finish(self, result: RunResult) -> None:
        """
        Write the end of a completion.
        """
        start = b"" if self.opened else self._open()
        self.stop()
        self._write(start + self._encoder.encodeEnd(result))

    def fail(self, error: OpenClawError) -> None:
        """
        Write an error as the end of a stream that was opened.
        """
        self.stop()
        self._write(self._encoder.encodeError(error))

    def stop(self) -> None:
        """
        Stop the keepalive comments.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open(self) -> bytes:
        self.opened = True
        self.stop()
        self._openHeaders()
        if self._keepAliveSeconds:
            self._setTimer(self._keepAliveSeconds)
        return self._encoder.encodeOpening()

    def _setTimer(self, seconds: float) -> None:
        self._timer = self._reactor.callLater(seconds, self._onSilence)

    def _onSilence(self) -> None:
        self._timer = None
        if not self.opened:
            self._write(self._open())
            return
        # Checked here, as resetting the timer with each event costs more.
        left = self._lastWriteAt + self._keepAliveSeconds - self._reactor.seconds()
        if left > 0:
            self._setTimer(left)
        else:
            self._setTimer(self._keepAliveSeconds)
            self._write(KEEPALIVE)


@implementer(IPushProducer)
class _PausingProducer:
    """
    Pauses a subscription while the client reads slowly, and aborts a stalled one.
    """

    __slots__ = ("_abort", "_reactor", "_subscription", "_timer")

    def __init__(
        self,
        subscription: RunSubscription,
        abort: Callable[[], None],
        reactor: IReactorTime,
    ) -> None:
        self._subscription = subscription
        self._abort = abort
        self._reactor = reactor
        self._timer: IDelayedCall | None = None

    def pauseProducing(self) -> None:
        self._subscription.pauseProducing()
        if self._timer is None:
            self._timer = self._reactor.callLater(STALLED_SECONDS, self._stalled)

    def resumeProducing(self) -> None:
        self.stop()
        self._subscription.resumeProducing()

    def stopProducing(self) -> None:
        self.stop()
        self._subscription.stopProducing()

    def stop(self) -> None:
        """
        Stop the stall timer.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stalled(self) -> None:
        self._timer = None
        if self._subscription.runEnded:
            self._abort()
        else:
            # A run in progress has a time limit of its own.
            self._timer = self._reactor.callLater(STALLED_SECONDS, self._stalled)


def setStreamHeaders(response: ResponseWriter) -> None:
    for name, value in STREAM_HEADERS.items():
        response.setHeader(name, value)
