"""
C{/metrics}: the metrics of a gateway, of all its workers together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from openclaw import __version__
from openclaw.metrics.reactor_lag import ReactorLag
from openclaw.metrics.snapshot import Snapshot, takeSnapshot
from openclaw.metrics.tally import Tally

if TYPE_CHECKING:
    from openclaw.metrics.prometheus_families import MetricFamilies


PARTS = ("sessions", "embedded_model", "draining")
"""
The parts of the gateway whose failures make runs fail.
"""

FAILING = "openclaw_failing"


class MetricsPage:
    def __init__(
        self,
        tally: Tally,
        countRuns: Callable[[], tuple[int, int]],
        reactor: IReactorTime,
        failures: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """
        @param countRuns: Returns the numbers of active and of queued runs.
        @param failures: Returns the failing ones of L{PARTS}, with the reasons.
        """
        self._tally = tally
        self._inProgress = countRuns
        self._failures = failures
        self._lag = ReactorLag(reactor)
        self._families: MetricFamilies | None = None

    def render(
        self, connections: int, accept: str = "", others: Sequence[Snapshot] = ()
    ) -> tuple[bytes, str]:
        """
        Format the current metrics.

        @param connections: The number of open connections.
        @param accept: The C{Accept} header of the request.
        @param others: The metrics of the other workers.

        @return: The page and its content type.
        """
        families = self._loadFamilies()
        families.gauges = {
            name: _combineGauge(name, value, others)
            for name, value in self._gauges(connections).items()
        }
        families.gauges["openclaw_workers"] = 1 + len(others)
        families.others = others
        return families.render(accept)

    def snapshot(self, connections: int) -> Snapshot:
        """
        Return the metrics of this process, for the worker that serves the page.

        @param connections: The number of open connections.
        """
        process = self._loadFamilies().processMetrics()
        return takeSnapshot(self._tally, self._gauges(connections), process)

    def _loadFamilies(self) -> "MetricFamilies":
        self._lag.watch()
        if self._families is None:
            from openclaw.metrics.prometheus_families import MetricFamilies

            self._families = MetricFamilies(self._tally, __version__)
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
        Stop measuring the reactor's lag.
        """
        self._lag.stop()


def _combineGauge(name: str, value: float, others: Sequence[Snapshot]) -> float:
    """
    Combine a gauge of all workers: the longest lag, whether any fails, else the sum.
    """
    values = [value, *(other.gauges.get(name, 0) for other in others)]
    return max(values) if "lag" in name or FAILING in name else sum(values)
