"""
The tally in Prometheus's terms.  Imported with the first scrape: the library takes
time, which a daemon that nobody scrapes need not spend.
"""

from collections.abc import Iterable, Iterator

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

from openclaw.metrics.tally import Counts, Durations, Tally


class Families(Collector):
    """
    Makes metric families of the numbers, at each scrape.

    @ivar gauges: What holds at the moment of a scrape, by name.
    """

    def __init__(self, tally: Tally, version: str) -> None:
        self.gauges: dict[str, tuple[str, float]] = {}
        self._tally = tally
        self._version = version
        self._registry = CollectorRegistry()
        self._registry.register(self)
        # Memory, processor time, descriptors and the time of the start, on Linux.
        ProcessCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """
        All of it, as text.

        @param accept: The forms that the reader understands: an HTTP C{Accept}.

        @return: The text, and its content type.
        """
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def collect(self) -> Iterable[Metric]:
        """
        See L{prometheus_client.registry.Collector}.
        """
        yield InfoMetricFamily(
            "openclaw_build", "The gateway's version.", {"version": self._version}
        )
        for name, (meaning, value) in self.gauges.items():
            yield GaugeMetricFamily(name, meaning, value)
        yield from self._counters()
        yield from self._histograms()

    def _counters(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counter(
            "openclaw_runs",
            "Runs that ended.",
            ("agent", "outcome"),
            tally.runs,
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


__all__ = ["Families"]
