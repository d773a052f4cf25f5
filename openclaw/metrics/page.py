"""
C{/metrics}: the numbers of a gateway, for those who collect such.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from openclaw import __version__
from openclaw.metrics.lag import ReactorLag
from openclaw.metrics.tally import Tally

if TYPE_CHECKING:
    from openclaw.metrics.families import Families


class MetricsPage:
    """
    What is shown at a scrape.
    """

    def __init__(
        self,
        tally: Tally,
        inProgress: Callable[[], tuple[int, int]],
        reactor: IReactorTime,
    ) -> None:
        """
        @param inProgress: How many runs go on, and how many wait.
        """
        self._tally = tally
        self._inProgress = inProgress
        self._lag = ReactorLag(reactor)
        self._families: Families | None = None

    def show(self, connections: int, accept: str = "") -> tuple[bytes, str]:
        """
        All numbers of the moment.

        @param connections: How many connections are open.

        @param accept: The forms that the reader understands: an HTTP C{Accept}.

        @return: The text, and its content type.
        """
        self._lag.watch()
        if self._families is None:
            from openclaw.metrics.families import Families

            self._families = Families(self._tally, __version__)
        running, queued = self._inProgress()
        self._families.gauges = {
            "openclaw_runs_in_progress": ("Runs that go on.", running),
            "openclaw_runs_queued": (
                "Runs that wait for a place or for their session.",
                queued,
            ),
            "openclaw_connections": ("Open connections of callers.", connections),
            "openclaw_reactor_lag_seconds": (
                "How late the reactor was when it was last looked at.",
                self._lag.last(),
            ),
            "openclaw_reactor_lag_max_seconds": (
                "The latest that the reactor was within the last minute.",
                self._lag.longest(),
            ),
        }
        return self._families.page(accept)

    def stop(self) -> None:
        """
        Let go of the clock.
        """
        self._lag.stop()


__all__ = ["MetricsPage"]
