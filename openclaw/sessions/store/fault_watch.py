"""
Detect that a store fails, or works again, also when no run uses it.
"""

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from openclaw.interfaces import ISessionStore

PROBE_SECONDS = 2.0
"""
Least time between two probes, in seconds.

The pause is also at least as long as the last probe took: a large file takes seconds to
read.
"""


class FaultWatch:
    """
    A timer that probes a store while it runs.
    """

    def __init__(self, store: ISessionStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._next: IDelayedCall | None = None
        self._runs = False

    def start(self) -> None:
        self._runs = True
        self._schedule(PROBE_SECONDS)

    def stop(self) -> None:
        self._runs = False
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self, seconds: float) -> None:
        if self._runs:
            self._next = self._clock.callLater(seconds, self._probe)

    def _probe(self) -> None:
        self._next = None
        startedAt = self._clock.seconds()

        def probed(_: None) -> None:
            elapsed = self._clock.seconds() - startedAt
            self._schedule(max(PROBE_SECONDS, elapsed))

        self._store.probe().addCallback(probed)
