"""
The metrics of one process, to send to another one.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from openclaw.metrics.tally import DurationHistogram, LabelledCounter, Tally

_COUNTS = ("runs", "embeddings", "tokens", "upstreamErrors", "toolCalls")
_DURATIONS = ("durations", "firstTokens", "queueing", "embeddingDurations")


class Snapshot(Struct, frozen=True, kw_only=True):
    """
    The metrics of one process.

    @ivar counts: Labels and sums, by the name of the counter.
    @ivar durations: The counts of the buckets, and the sum in seconds, by the name of
        the histogram.
    @ivar gauges: The current values, by the name of the metric.
    @ivar process: The process metrics, by the name of the metric.
    """

    counts: Mapping[str, Sequence[tuple[tuple[str, str], int]]]
    durations: Mapping[str, tuple[Sequence[int], float]]
    storeErrors: int
    gauges: Mapping[str, float]
    process: Mapping[str, float]

    def addTo(self, tally: Tally) -> None:
        for name, entries in self.counts.items():
            counts: LabelledCounter[tuple[str, str]] = getattr(tally, name)
            for labels, amount in entries:
                counts.add(labels, amount)
        for name, (buckets, total) in self.durations.items():
            durations: DurationHistogram = getattr(tally, name)
            durations.counts = [
                mine + theirs
                for mine, theirs in zip(durations.counts, buckets, strict=True)
            ]
            durations.sum += total
        tally.storeErrors += self.storeErrors


def takeSnapshot(
    tally: Tally, gauges: Mapping[str, float], process: Mapping[str, float]
) -> Snapshot:
    return Snapshot(
        counts={name: list(getattr(tally, name).sums.items()) for name in _COUNTS},
        durations={
            name: (getattr(tally, name).counts, getattr(tally, name).sum)
            for name in _DURATIONS
        },
        storeErrors=tally.storeErrors,
        gauges=gauges,
        process=process,
    )
