"""
C{/metrics}: the numbers of a gateway, for those who collect such.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from openclaw import __version__
from openclaw.metrics.reactor_lag import ReactorLag
from openclaw.metrics.snapshot import Snapshot, snapshotOf
from openclaw.metrics.tally import Tally

if TYPE_CHECKING:
    from openclaw.metrics.prometheus_families import Families


PARTS = ("sessions", "embedded_model", "draining")
"""
Parts of the gateway without which runs fail.
"""

FAILING = "openclaw_failing"


class MetricsPage:
    """
    The metrics page.
    """

    def __init__(
        self,
        tally: Tally,
        inProgress: Callable[[], tuple[int, int]],
        reactor: IReactorTime,
        failures: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """
        @param inProgress: How many runs go on, and how many wait.

        @param failures: Which of L{PARTS} fail, and why.
        """
        self._tally = tally
        self._inProgress = inProgress
        self._failures = failures
        self._lag = ReactorLag(reactor)
        self._families: Families | None = None

    def show(
        self, connections: int, accept: str = "", others: Sequence[Snapshot] = ()
    ) -> tuple[bytes, str]:
        """
        All numbers of the moment.

        @param connections: How many connections are open.

        @param accept: The forms that the reader understands: an HTTP C{Accept}.

        @param others: The numbers of the other workers.

        @return: The text, and its content type.
        """
        families = self._prepared()
        families.gauges = {
            name: _together(name, value, others)
            for name, value in self._gauges(connections).items()
        }
        families.gauges["openclaw_workers"] = 1 + len(others)
        families.others = others
        return families.page(accept)

    def snapshot(self, connections: int) -> Snapshot:
        """
        The numbers of this process, for another one that is asked for all.

        @param connections: How many connections are open.
        """
        process = self._prepared().process()
        return snapshotOf(self._tally, self._gauges(connections), process)

    def _prepared(self) -> "Families":
        self._lag.watch()
        if self._families is None:
            from openclaw.metrics.prometheus_families import Families

            self._families = Families(self._tally, __version__)
        return self._families

    def _gauges(self, connections: int) -> dict[str, float]:
        running, queued = self._inProgress()
        failures = self._failures()
        failing = {f"{FAILING}.{part}": float(part in failures) for part in PARTS}
        return failing | {
            "openclaw_runs_in_progress": running,
            "openclaw_runs_queued": queued,
            "openclaw_connections": connections,
            "openclaw_reactor_lag_seconds": self._lag.last(),
            "openclaw_reactor_lag_max_seconds": self._lag.longest(),
        }

    def stop(self) -> None:
        """
        Let go of the clock.
        """
        self._lag.stop()


def _together(name: str, value: float, others: Sequence[Snapshot]) -> float:
    """
    Combine a gauge of all workers: the sum, or the longest lag, or whether any fails.
    """
    values = [value, *(other.gauges.get(name, 0) for other in others)]
    return max(values) if "lag" in name or FAILING in name else sum(values)
