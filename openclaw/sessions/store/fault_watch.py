"""
Detect that a store fails, or works again, also when no run uses it.
"""

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from openclaw.interfaces import ISessionStore

PROBE_SECONDS = 2.0
"""
Least time between two probes, in seconds.  It is no less than the first one took: a
large file takes seconds to read.
"""


class FaultWatch:
    """
    Probes a store from time to time.
    """

    def __init__(self, store: ISessionStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._next: IDelayedCall | None = None
        self._runs = False

    def start(self) -> None:
        """
        Begin to watch.
        """
        self._runs = True
        self._wait(PROBE_SECONDS)

    def stop(self) -> None:
        """
        Watch no longer.
        """
        self._runs = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self, seconds: float) -> None:
        if self._runs:
            self._next = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._next = None
        began = self._clock.seconds()

        def probed(_: None) -> None:
            took = self._clock.seconds() - began
            self._wait(max(PROBE_SECONDS, took))

        self._store.probe().addCallback(probed)
