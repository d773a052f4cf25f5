"""
From samples to figures: each takes the results and the name of a server, and gives
the spread over the rounds, or C{None} if it was not measured.
"""

from collections.abc import Callable
from statistics import median

from benchmarks.cpu import Memory
from benchmarks.results import DIRECT, Results
from benchmarks.spread import Quantiles, Spread, spread
from benchmarks.works import Capacity, Held, Sample, Standing, Work

Figure = Callable[[Results, str], Spread | None]


def cpuPerRequest(work: Work, unit: float) -> Figure:
    """
    CPU time for each request.

    @param unit: How many of the figure's unit are a second.
    """
    return lambda results, subject: spread(
        used and used * unit for used in _costs(results, subject, work)
    )


def cpuPerWord(work: Work, unit: float) -> Figure:
    """
    CPU time for each word of a stream: all of the stream's cost, divided.

    @param unit: How many of the figure's unit are a second.
    """
    return lambda results, subject: spread(
        used and used * unit / sample.words
        for used, sample in zip(
            _costs(results, subject, work), results.of(subject, work.name), strict=True
        )
    )


def cpuWithoutSending(work: Work, more: Work, less: Work, unit: float) -> Figure:
    """
    CPU time for each request of a work, without what sending to the upstream costs
    at least: as much more as the load generator needs to send the upstream a request
    of one work than of another.

    @param more: The work with large requests.
    @param less: The same work with small ones.
    @param unit: How many of the figure's unit are a second.
    """

    def figure(results: Results, subject: str) -> Spread | None:
        large, small = (
            [
                each.summary.load / max(1, each.summary.requests)
                for each in results.of(DIRECT, sent.name)
            ]
            for sent in (more, less)
        )
        rounds = zip(_costs(results, subject, work), large, small, strict=False)
        return spread(
            (whole - max(0.0, a - b)) * unit
            for whole, a, b in rounds
            if whole is not None
        )

    return figure


def _costs(results: Results, subject: str, work: Work) -> list[float | None]:
    return [
        sample.used and sample.used.tree / max(1, sample.summary.requests)
        for sample in results.of(subject, work.name)
    ]


def duration(work: Work, which: str, quantile: str) -> Figure:
    """
    A duration that the clients saw; for all but the upstream itself, what was added
    to what the upstream had in the same round.

    @param which: The name of an attribute of L{benchmarks.load.Summary}.
    @param quantile: The name of an attribute of L{Quantiles}.
    """

    def seen(sample: Sample) -> float | None:
        found: Quantiles | None = getattr(sample.summary, which)
        return None if found is None else float(getattr(found, quantile))

    def figure(results: Results, subject: str) -> Spread | None:
        own = [seen(sample) for sample in results.of(subject, work.name)]
        if subject == DIRECT:
            return spread(own)
        direct = [seen(sample) for sample in results.of(DIRECT, work.name)]
        return spread(
            a - b
            for a, b in zip(own, direct, strict=False)
            if a is not None and b is not None
        )

    return figure


def throughput(work: Work) -> Figure:
    """
    Right replies each second.
    """
    return lambda results, subject: spread(
        sample.summary.perSecond for sample in results.of(subject, work.name)
    )


def _ofHeld(find: Callable[[Held], float | None]) -> Figure:
    def figure(results: Results, subject: str) -> Spread | None:
        held = results.held.get(subject)
        return None if held is None else spread([find(held)])

    return figure


def _perStream(held: Held) -> float | None:
    if held.before is None or held.open is None:
        return None
    return (held.open.resident - held.before.resident) * 1000 / held.streams


heldLost = _ofHeld(lambda held: float(sum(held.summary.faults.values())))
"""
Streams that were not answered whole.
"""

heldLate = _ofHeld(
    lambda held: held.summary.lateness and held.summary.lateness.worst / 1000
)
"""
By how many seconds the latest word of all was late.
"""

heldMemory = _ofHeld(_perStream)
"""
KB of resident memory for each stream.
"""

heldShare = _ofHeld(lambda held: held.share and held.share * 100)
"""
Percent of a core while all streams are open.
"""


def _ofStanding(find: Callable[[Standing], float | None]) -> Figure:
    def figure(results: Results, subject: str) -> Spread | None:
        standing = results.standings.get(subject)
        return None if standing is None else spread([find(standing)])

    return figure


def idleMemory(which: str) -> Figure:
    """
    Memory before the first request, in MB.

    @param which: The name of an attribute of L{Memory}.
    """
    return _ofStanding(lambda each: each.idle and getattr(each.idle.memory, which))


def loadedMemory(which: str) -> Figure:
    """
    Memory after the last request, in MB.

    @param which: The name of an attribute of L{Memory}.
    """

    def find(standing: Standing) -> float | None:
        loaded: Memory | None = standing.loaded
        return None if loaded is None else float(getattr(loaded, which))

    return _ofStanding(find)


idleShare = _ofStanding(lambda each: None if not each.idle else each.idle.share * 100)
"""
Percent of a core that a server uses when nobody asks anything.
"""


def ready(results: Results, subject: str) -> Spread | None:
    """
    Seconds until a server that was started is ready.
    """
    standing = results.standings.get(subject)
    return None if standing is None else spread(standing.ready)


def _byWorkers(
    measure: Callable[[Capacity], float],
) -> Callable[[Results], Spread | None]:
    """
    How many times as much two workers do as one, by some measure.
    """

    def ratio(results: Results) -> Spread | None:
        one, two = (
            [measure(each) for each in results.capacities if each.workers == count]
            for count in (1, 2)
        )
        return spread(b / a for a, b in zip(one, two, strict=False))

    return ratio


workersByCPU = _byWorkers(lambda each: each.summary.requests / each.used.busiest)
"""
What two workers could serve, beside one, if each had a core: requests for each second
of CPU time of the busiest process.
"""

workersByCost = _byWorkers(lambda each: each.used.tree / each.summary.requests)
"""
What a request costs with two workers, beside one.
"""

workersByClock = _byWorkers(lambda each: each.summary.perSecond)
"""
What two workers did serve, beside one.
"""


def burden(results: Results, subject: str, work: Work) -> tuple[float, float] | None:
    """
    What the mock upstream and the load generator used, in multiples of what the
    server did.
    """
    samples = [each for each in results.of(subject, work.name) if each.used]
    if not samples:
        return None
    return (
        median(each.upstream.tree / each.used.tree for each in samples),
        median(each.summary.load / each.used.tree for each in samples),
    )


def occupied(results: Results, subject: str, work: Work) -> float | None:
    """
    The share of their cores that the upstream and the load generator used.
    """
    samples = results.of(subject, work.name)
    if not samples:
        return None
    return median(
        (each.upstream.tree + each.summary.load)
        / (each.summary.seconds * results.cores.testers)
        for each in samples
    )


__all__ = [
    "Figure",
    "burden",
    "cpuPerRequest",
    "cpuPerWord",
    "cpuWithoutSending",
    "duration",
    "heldLate",
    "heldLost",
    "heldMemory",
    "heldShare",
    "idleMemory",
    "idleShare",
    "loadedMemory",
    "occupied",
    "ready",
    "throughput",
    "workersByCPU",
    "workersByClock",
    "workersByCost",
]
