"""
A run's events onto an HTTP response, as they happen.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from openclaw.agents.recorded_run import RunSubscription
from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import KEEPALIVE, Reply
from openclaw.errors import OpenClawError
from openclaw.events import RunEvent, RunStarted
from openclaw.server.api_request import ResponseWriter

SILENCE_SECONDS = 1.0
"""
Seconds of silence before the status 200 is sent. Until then a failure still has a
status of its own.
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
    A destination of bytes: an HTTP response.
    """

    def write(self, data: bytes) -> object:
        """
        Send some bytes.
        """


class CompletionStream:
    """
    The listener of a streamed run.  It writes one frame for each event, and a
    comment when there is nothing to say for a while.
    """

    __slots__ = (
        "_keepAliveSeconds",
        "_openHeaders",
        "_reactor",
        "_reply",
        "_timer",
        "_write",
        "_wroteAt",
        "opened",
    )

    def __init__(
        self,
        *,
        sink: Sink,
        reply: Reply,
        openHeaders: Callable[[], None],
        keepAliveSeconds: float,
        reactor: IReactorTime,
    ) -> None:
        """
        @param openHeaders: Called once, before the first byte: sets the status and
            the headers.

        @param keepAliveSeconds: 0 for no comments.
        """
        self._reply = reply
        self._openHeaders = openHeaders
        self._keepAliveSeconds = keepAliveSeconds
        self._reactor = reactor
        self._timer: IDelayedCall | None = None
        self._wroteAt = float("-inf")
        self._write = sink.write
        self.opened = False

    def __call__(self, events: Sequence[RunEvent]) -> None:
        """
        Events came: see L{openclaw.events.RunListener}.
        """
        if not self.opened and type(events[0]) is RunStarted:
            # Admitted; what is wrong with the request is known by now.
            self._setTimer(SILENCE_SECONDS)
        frames = self._reply.deltas(events)
        if not frames:
            return
        if not self.opened:
            frames = self._open() + frames
        elif self._timer is not None:
            self._wroteAt = self._reactor.seconds()
        self._write(frames)

    def open(self) -> None:
        """
        Write the headers and the first frame now, and not with the first word.
        """
        self._write(self._open())

    async def follow(self, request: ResponseWriter, listening: RunSubscription) -> None:
        """
        Write until the run has ended.  A slow reader slows it down.

        @param request: The sink, which knows whether its reader is slow.

        @raise OpenClawError: The run failed before there was a first byte.
        """
        waits = listening.paused
        reader = _Reader(listening, request.abort, self._reactor)
        request.registerProducer(reader, True)
        try:
            if waits:
                reader.resumeProducing()
            self.finish(await listening.done)
        except OpenClawError as error:
            if not self.opened:
                raise
            self.fail(error)
        finally:
            self.stop()
            reader.stop()
            if not request.disconnected:
                request.unregisterProducer()

    def finish(self, result: RunResult) -> None:
        """
        Write the end of a good answer.
        """
        start = b"" if self.opened else self._open()
        self.stop()
        self._write(start + self._reply.closing(result))

    def fail(self, error: OpenClawError) -> None:
        """
        Write the end of an answer that broke off, which must have begun.
        """
        self.stop()
        self._write(self._reply.failing(error))

    def stop(self) -> None:
        """
        Write no more comments.
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
        return self._reply.opening()

    def _setTimer(self, seconds: float) -> None:
        self._timer = self._reactor.callLater(seconds, self._silent)

    def _silent(self) -> None:
        self._timer = None
        if not self.opened:
            self._write(self._open())
            return
        # To set the timer back with each word would cost more.
        left = self._wroteAt + self._keepAliveSeconds - self._reactor.seconds()
        if left > 0:
            self._setTimer(left)
        else:
            self._setTimer(self._keepAliveSeconds)
            self._write(KEEPALIVE)


@implementer(IPushProducer)
class _Reader:
    """
    Watches whether the reader of a stream keeps up.
    """

    __slots__ = ("_cut", "_listening", "_reactor", "_timer")

    def __init__(
        self, listening: RunSubscription, cut: Callable[[], None], reactor: IReactorTime
    ) -> None:
        self._listening = listening
        self._cut = cut
        self._reactor = reactor
        self._timer: IDelayedCall | None = None

    def pauseProducing(self) -> None:
        self._listening.pauseProducing()
        if self._timer is None:
            self._timer = self._reactor.callLater(STALLED_SECONDS, self._stalled)

    def resumeProducing(self) -> None:
        self.stop()
        self._listening.resumeProducing()

    def stopProducing(self) -> None:
        self.stop()
        self._listening.stopProducing()

    def stop(self) -> None:
        """
        Look at the clock no more.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stalled(self) -> None:
        self._timer = None
        if self._listening.over:
            self._cut()
        else:
            # A run that goes on has a time limit of its own.
            self._timer = self._reactor.callLater(STALLED_SECONDS, self._stalled)


def openStream(request: ResponseWriter) -> None:
    """
    Set the headers of an event stream.
    """
    for name, value in STREAM_HEADERS.items():
        request.setHeader(name, value)
