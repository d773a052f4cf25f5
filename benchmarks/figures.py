"""
The figures: each takes the results and the name of a server, and returns the spread
over the rounds, or C{None} if it was not measured.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

from benchmarks.results import DIRECT, Results, Sample
from benchmarks.spread import Quantiles, Spread, spread
from benchmarks.works import Work

Figure = Callable[[Results, str], Spread | None]


def perRound(work: Work, measure: Callable[[Sample], float | None]) -> Figure:
    """
    Measure each round of a work.
    """
    return lambda results, subject: spread(map(measure, results.of(subject, work.name)))


def cpuPerRequest(work: Work, unit: float) -> Figure:
    """
    CPU time for each request.

    @param unit: How many of the figure's unit are a second.
    """
    return perRound(work, lambda each: each.cost and each.cost * unit)


def cpuPerWord(work: Work, unit: float) -> Figure:
    """
    CPU time for each word of a stream: all of the stream's cost, divided.

    @param unit: How many of the figure's unit are a second.
    """
    return perRound(work, lambda each: each.cost and each.cost * unit / each.words)


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
        rounds = zip(
            results.of(subject, work.name),
            results.of(DIRECT, more.name),
            results.of(DIRECT, less.name),
            strict=False,
        )
        return spread(
            (own.cost - max(0.0, large.loadCost - small.loadCost)) * unit
            for own, large, small in rounds
            if own.cost is not None
        )

    return figure


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
    return perRound(work, lambda each: each.summary.perSecond)


def once(where: str, find: Callable[[Any], float | None]) -> Figure:
    """
    A figure that is measured once.

    @param where: The attribute of L{Results} that has a value for each server.
    @param find: Finds the figure in the value.
    """

    def figure(results: Results, subject: str) -> Spread | None:
        value = getattr(results, where).get(subject)
        return None if value is None else spread([find(value)])

    return figure


# Streams that were not answered whole.
heldLost = once("held", lambda held: float(sum(held.summary.faults.values())))

# By how many seconds the latest word of all was late.
heldLate = once(
    "held", lambda held: held.summary.lateness and held.summary.lateness.worst / 1000
)

# KB of resident memory for each stream.
heldMemory = once(
    "held",
    lambda held: (
        held.before
        and (held.open.resident - held.before.resident) * 1000 / held.streams
    ),
)

# Percent of a core while all streams are open.
heldShare = once("held", lambda held: held.share and held.share * 100)

# Percent of a core that a server uses when nobody asks anything.
idleShare = once("standings", lambda each: each.idle and each.idle.share * 100)


def idleMemory(which: str) -> Figure:
    """
    Memory before the first request, in MB.

    @param which: The name of an attribute of L{benchmarks.cpu.Memory}.
    """
    return once(
        "standings", lambda each: each.idle and getattr(each.idle.memory, which)
    )


def loadedMemory(which: str) -> Figure:
    """
    Memory after the last request, in MB.

    @param which: The name of an attribute of L{benchmarks.cpu.Memory}.
    """
    return once("standings", lambda each: each.loaded and getattr(each.loaded, which))


def ready(results: Results, subject: str) -> Spread | None:
    standing = results.standings.get(subject)
    return None if standing is None else spread(standing.ready)


def _byWorkers(
    measure: Callable[[Sample], float],
) -> Callable[[Results], Spread | None]:
    """
    Return in multiples of one worker's measure that of two.
    """

    def ratio(results: Results) -> Spread | None:
        one, two = (
            [measure(each) for each in results.capacities.get(count, ())]
            for count in (1, 2)
        )
        return spread(b / a for a, b in zip(one, two, strict=False))

    return ratio


# As if each worker had a core: requests for each second of CPU time of the busiest.
workersByCPU = _byWorkers(lambda each: each.summary.requests / each.measured.busiest)

# The cost of a request with two workers, beside one.
workersByCost = _byWorkers(lambda each: each.measured.tree / each.summary.requests)

# Requests that two workers did serve each second, beside one.
workersByClock = _byWorkers(lambda each: each.summary.perSecond)


def burden(results: Results, subject: str, work: Work) -> tuple[float, float] | None:
    """
    CPU time of the mock upstream and the load generator, in multiples of the server's.
    """
    samples = [each for each in results.of(subject, work.name) if each.used]
    if not samples:
        return None
    return (
        median(each.upstream.tree / each.measured.tree for each in samples),
        median(each.summary.load / each.measured.tree for each in samples),
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
