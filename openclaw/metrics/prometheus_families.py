"""
The tally in Prometheus's terms.  Imported with the first scrape: the library takes
time, which a daemon that nobody scrapes need not spend.
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
from openclaw.metrics.snapshot import Snapshot, snapshotOf
from openclaw.metrics.tally import Counts, Durations, Tally

_STARTED = "process_start_time_seconds"
_MEANINGS = {
    "openclaw_runs_in_progress": "Runs that go on.",
    "openclaw_runs_queued": "Runs that wait for a place or for their session.",
    "openclaw_connections": "Open connections of callers.",
    "openclaw_reactor_lag_seconds": (
        "How late the reactor was when it was last looked at."
    ),
    "openclaw_reactor_lag_max_seconds": (
        "The latest that the reactor was within the last minute."
    ),
    "openclaw_workers": "Processes whose numbers these are.",
}


class Families(Collector):
    """
    Makes metric families of the numbers, at each scrape.

    @ivar gauges: What holds at the moment of a scrape, by name.
    @ivar others: The numbers of other workers.
    """

    def __init__(self, tally: Tally, version: str) -> None:
        self.gauges: dict[str, float] = {}
        self.others: Sequence[Snapshot] = ()
        self._own = tally
        self._tally = tally
        self._version = version
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # Memory, processor time, descriptors and the time of the start, on Linux.
        self._process = ProcessCollector(registry=None)

    def page(self, accept: str) -> tuple[bytes, str]:
        """
        All of it, as text.

        @param accept: The forms that the reader understands: an HTTP C{Accept}.

        @return: The text, and its content type.
        """
        self._tally = Tally() if self.others else self._own
        if self.others:
            for snapshot in (snapshotOf(self._own, {}, {}), *self.others):
                snapshot.addTo(self._tally)
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def process(self) -> dict[str, float]:
        """
        Memory, processor time and the like of this process, by name.
        """
        return {
            metric.name: metric.samples[0].value for metric in self._process.collect()
        }

    def collect(self) -> Iterable[Metric]:
        """
        See L{prometheus_client.registry.Collector}.
        """
        yield InfoMetricFamily(
            "openclaw_build", "The gateway's version.", {"version": self._version}
        )
        failing = GaugeMetricFamily(
            FAILING, "1 while it fails, as /readyz says.", labels=["what"]
        )
        for name, value in self.gauges.items():
            part = name.partition(".")[2]
            if part:
                failing.add_metric([part], value)
            else:
                yield GaugeMetricFamily(name, _MEANINGS[name], value)
        yield failing
        yield from self._counters()
        yield from self._histograms()
        for metric in self._process.collect():
            yield self._ofAll(metric)

    def _ofAll(self, metric: Metric) -> Metric:
        """
        Combine a number of all workers: the sum, or the first start.
        """
        [sample] = metric.samples
        theirs = [
            other.process[metric.name]
            for other in self.others
            if metric.name in other.process
        ]
        many = min if metric.name == _STARTED else sum
        metric.samples = [sample._replace(value=many([sample.value, *theirs]))]
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
            "Calls for embeddings that ended.",
            ("agent", "outcome"),
            tally.embeddings,
        )
        yield _counter(
            "openclaw_tokens",
            "Tokens that models read and wrote; cached ones are among those of the"
            " prompt, those of reasoning among those of the completion.",
            ("agent", "kind"),
            tally.tokens,
        )
        yield _counter(
            "openclaw_upstream_errors",
            "Calls of models that failed, the ones that were tried again included.",
            ("provider", "code"),
            tally.upstreamErrors,
        )
        yield _counter(
            "openclaw_tool_calls",
            "Calls of agents' own tools.",
            ("tool", "outcome"),
            tally.toolCalls,
        )
        yield CounterMetricFamily(
            "openclaw_session_store_errors",
            "What the session store could not do for runs.",
            tally.storeErrors,
        )

    def _histograms(self) -> Iterator[Metric]:
        tally = self._tally
        yield _histogram(
            "openclaw_run_duration_seconds",
            "How long runs took, from the whole request to the end.",
            tally.durations,
        )
        yield _histogram(
            "openclaw_time_to_first_token_seconds",
            "How long it took until a run had something to say.",
            tally.firstTokens,
        )
        yield _histogram(
            "openclaw_queue_seconds",
            "How long runs waited for a place and for their session.",
            tally.queueing,
        )
        yield _histogram(
            "openclaw_embedding_duration_seconds",
            "How long calls for embeddings took.",
            tally.embeddingDurations,
        )


def _counter(
    name: str, meaning: str, labels: tuple[str, str], counts: Counts[tuple[str, str]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=labels)
    for values, amount in counts.found.items():
        family.add_metric(values, amount)
    return family


def _histogram(name: str, meaning: str, durations: Durations) -> HistogramMetricFamily:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip(
        (*durations.bounds, float("inf")), durations.counts, strict=True
    ):
        total += count
        buckets.append((floatToGoString(bound), total))
    return HistogramMetricFamily(name, meaning, buckets, durations.sum)
