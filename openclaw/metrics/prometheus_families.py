"""
The tally as Prometheus metric families.  Imported at the first scrape, since importing
the library takes time.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from openclaw.metrics.exposition import FAILING
from openclaw.metrics.snapshot import Snapshot, takeSnapshot
from openclaw.metrics.tally import DurationHistogram, LabelledCounter, Tally

_STARTED = "process_start_time_seconds"
_DESCRIPTIONS = {
    "openclaw_runs_in_progress": "Active runs.",
    "openclaw_runs_queued": "Runs that wait for a slot or for their session.",
    "openclaw_connections": "Open client connections.",
    "openclaw_reactor_lag_seconds": ("Lag of the reactor at the last measurement."),
    "openclaw_reactor_lag_max_seconds": (
        "Longest lag of the reactor within the last minute."
    ),
    "openclaw_workers": "Worker processes included in these metrics.",
}


class MetricFamilies(Collector):
    """
    Creates metric families from the tally at each scrape.

    @ivar gauges: The current values, by name.
    @ivar others: The metrics of the other workers.
    """

    def __init__(self, tally: Tally, version: str) -> None:
        self.gauges: dict[str, float] = {}
        self.others: Sequence[Snapshot] = ()
        self._own = tally
        self._tally = tally
        self._version = version
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # Memory, processor time, descriptors and start time, on Linux.
        self._process = ProcessCollector(registry=None)

    def render(self, accept: str) -> tuple[bytes, str]:
        """
        Format all metrics.

        @param accept: The C{Accept} header of the request.

        @return: The page and its content type.
        """
        self._tally = Tally() if self.others else self._own
        if self.others:
            for snapshot in (takeSnapshot(self._own, {}, {}), *self.others):
                snapshot.addTo(self._tally)
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def processMetrics(self) -> dict[str, float]:
        """
        Return the process metrics, such as memory and processor time, by name.
        """
        return {
            metric.name: metric.samples[0].value for metric in self._process.collect()
        }

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily(
            "openclaw_build", "The gateway's version.", {"version": self._version}
        )
        failing = GaugeMetricFamily(
            FAILING, "1 while this part fails, as in /readyz.", labels=["what"]
        )
        for name, value in self.gauges.items():
            part = name.partition(".")[2]
            if part:
                failing.add_metric([part], value)
            else:
                yield GaugeMetricFamily(name, _DESCRIPTIONS[name], value)
        yield failing
        yield from self._counters()
        yield from self._histograms()
        for metric in self._process.collect():
            yield self._combine(metric)

    def _combine(self, metric: Metric) -> Metric:
        """
        Combine a process metric of all workers: the first start, else the sum.
        """
        [sample] = metric.samples
        others = [
            other.process[metric.name]
            for other in self.others
            if metric.name in other.process
        ]
        combine = min if metric.name == _STARTED else sum
        metric.samples = [sample._replace(value=combine([sample.value, *others]))]
        return metric

    def _counters(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counter(
            "openclaw_runs",
            "Runs that ended.",
            ("agent", "outcome"),
            tally.runs,
        )
        yield _counter(
            "openclaw_embeddings",
            "Embedding requests that ended.",
            ("agent", "outcome"),
            tally.embeddings,
        )
        yield _counter(
            "openclaw_tokens",
            "Tokens that models read and wrote; prompt includes cached, completion"
            " includes reasoning.",
            ("agent", "kind"),
            tally.tokens,
        )
        yield _counter(
            "openclaw_upstream_errors",
            "Model calls that failed, including those that were retried.",
            ("provider", "code"),
            tally.upstreamErrors,
        )
        yield _counter(
            "openclaw_tool_calls",
            "Calls of the agents' tools.",
            ("tool", "outcome"),
            tally.toolCalls,
        )
        yield CounterMetricFamily(
            "openclaw_session_store_errors",
            "Operations of the session store that failed.",
            tally.storeErrors,
        )

    def _histograms(self) -> Iterator[Metric]:
        tally = self._tally
        yield _histogram(
            "openclaw_run_duration_seconds",
            "Duration of runs, from the complete request to the end.",
            tally.durations,
        )
        yield _histogram(
            "openclaw_time_to_first_token_seconds",
            "Time from the complete request to a run's first output.",
            tally.firstTokens,
        )
        yield _histogram(
            "openclaw_queue_seconds",
            "Time that runs waited for a slot and for their session.",
            tally.queueing,
        )
        yield _histogram(
            "openclaw_embedding_duration_seconds",
            "Duration of embedding requests.",
            tally.embeddingDurations,
        )


def _counter(
    name: str,
    description: str,
    labels: tuple[str, str],
    counts: LabelledCounter[tuple[str, str]],
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, description, labels=labels)
    for values, amount in counts.sums.items():
        family.add_metric(values, amount)
    return family


def _histogram(
    name: str, description: str, durations: DurationHistogram
) -> HistogramMetricFamily:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip(
        (*durations.bounds, float("inf")), durations.counts, strict=True
    ):
        total += count
        buckets.append((floatToGoString(bound), total))
    return HistogramMetricFamily(name, description, buckets, durations.sum)
