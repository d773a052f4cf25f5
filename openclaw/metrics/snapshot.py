"""
The numbers of one process, as another one gets and adds them.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from openclaw.metrics.tally import Counts, Durations, Tally

_COUNTS = ("runs", "embeddings", "tokens", "upstreamErrors", "toolCalls")
_DURATIONS = ("durations", "firstTokens", "queueing", "embeddingDurations")


class Snapshot(Struct, frozen=True, kw_only=True):
    """
    The numbers of a process.

    @ivar counts: By the name of the counter: labels and sums.
    @ivar durations: By the name: the classes, and the sum in seconds.
    @ivar gauges: What holds now, by the name of its metric.
    @ivar process: Memory, processor time and the like, by the name of its metric.
    """

    counts: Mapping[str, Sequence[tuple[tuple[str, str], int]]]
    durations: Mapping[str, tuple[Sequence[int], float]]
    storeErrors: int
    gauges: Mapping[str, float]
    process: Mapping[str, float]

    def addTo(self, tally: Tally) -> None:
        """
        Add what was counted to others'.
        """
        for name, entries in self.counts.items():
            counts: Counts[tuple[str, str]] = getattr(tally, name)
            for labels, amount in entries:
                counts.add(labels, amount)
        for name, (classes, total) in self.durations.items():
            durations: Durations = getattr(tally, name)
            durations.counts = [
                mine + theirs
                for mine, theirs in zip(durations.counts, classes, strict=True)
            ]
            durations.sum += total
        tally.storeErrors += self.storeErrors


def snapshotOf(
    tally: Tally, gauges: Mapping[str, float], process: Mapping[str, float]
) -> Snapshot:
    """
    Take the numbers of a process.
    """
    return Snapshot(
        counts={name: list(getattr(tally, name).found.items()) for name in _COUNTS},
        durations={
            name: (getattr(tally, name).counts, getattr(tally, name).sum)
            for name in _DURATIONS
        },
        storeErrors=tally.storeErrors,
        gauges=gauges,
        process=process,
    )
