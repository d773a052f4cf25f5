"""
The lag of the reactor.
"""

from collections import deque

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK_SECONDS = 1.0
REMEMBERED_TICKS = 60
WATCHED_SECONDS = 300.0
"""
Seconds of watching after a scrape. A daemon whose numbers nobody reads need not wake
up.
"""


class ReactorLag:
    """
    Asks the reactor to be woken up each second, and sees how late it is.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._timer: IDelayedCall | None = None
        self._until = 0.0
        self._measured: deque[float] = deque(maxlen=REMEMBERED_TICKS)

    def watch(self) -> None:
        """
        Somebody wants to know.  Measure, from now on for a while.
        """
        now = self._reactor.seconds()
        self._until = now + WATCHED_SECONDS
        if self._timer is None:
            self._measured.clear()
            self._wait(now)

    def last(self) -> float:
        """
        The lag at the last look, in seconds.
        """
        return self._measured[-1] if self._measured else 0.0

    def longest(self) -> float:
        """
        The most of the last minute.
        """
        return max(self._measured, default=0.0)

    def stop(self) -> None:
        """
        Measure no more.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, now: float) -> None:
        self._timer = self._reactor.callLater(
            TICK_SECONDS, self._tick, now + TICK_SECONDS
        )

    def _tick(self, due: float) -> None:
        now = self._reactor.seconds()
        self._timer = None
        self._measured.append(now - due)
        if now < self._until:
            self._wait(now)
