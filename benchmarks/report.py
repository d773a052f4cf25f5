"""
The table of the figures, and the notes below it.
"""

from collections.abc import Callable, Sequence
from math import isnan
from statistics import median
from typing import Any

import msgspec

from benchmarks.load import Quantiles
from benchmarks.results import DIRECT, OURS, RELAYS, Results, Sample, Spread, spread
from benchmarks.works import (
    BURST,
    CARRIED,
    EARLY,
    FIRST,
    FIXED,
    LATE,
    PACED,
    PARALLEL,
    PLAIN,
    TURNS,
    WORKS,
    Work,
)

# A share of their cores above which the measuring may be what is measured.
BUSY = 0.8

# Finds a figure of a server, by its name; C{None} if it was not measured.
Figure = Callable[[Results, str], Spread | None]


def perRound(work: Work, measure: Callable[[Sample], float]) -> Figure:
    """
    Measure each round of a work.

    @param measure: Returns NaN if the figure is not known.
    """

    def figure(results: Results, subject: str) -> Spread | None:
        found = map(measure, results.of(subject, work.name))
        return spread(None if isnan(value) else value for value in found)

    return figure


def cpuPerRequest(work: Work) -> Figure:
    return perRound(work, lambda each: each.cost * 1e3)


def cpuPerWord(work: Work) -> Figure:
    """
    Measure the CPU time of a word of a stream, in µs: all of the stream's, divided.
    """
    return perRound(work, lambda each: each.cost * 1e6 / each.words)


def cpuWithoutSending(work: Work, more: Work, less: Work) -> Figure:
    """
    Measure the CPU time of a request in ms, without the least that sending to the
    upstream costs: as much more as the load generator needs to send the upstream a
    request of C{more} than of C{less}.
    """

    def figure(results: Results, subject: str) -> Spread | None:
        rounds = zip(
            results.of(subject, work.name),
            results.of(DIRECT, more.name),
            results.of(DIRECT, less.name),
            strict=False,
        )
        return spread(
            (own.cost - max(0.0, large.loadCost - small.loadCost)) * 1e3
            for own, large, small in rounds
            if own.used is not None
        )

    return figure


def duration(work: Work, which: str, quantile: str) -> Figure:
    """
    Measure a duration of the clients; for all but the upstream itself, less that of
    the upstream in the same round.

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


def once(path: str, factor: float = 1.0) -> Figure:
    """
    Find a figure that is measured once, or a list of them.

    @param path: The attribute of L{Results} that has a value for each server, and
        attributes of that, each of which may be C{None}.
    """
    where, *names = path.split(".")

    def figure(results: Results, subject: str) -> Spread | None:
        value: Any = getattr(results, where).get(subject)
        for name in names:
            value = None if value is None else getattr(value, name)
        values = value if isinstance(value, list) else [value]
        return spread(None if each is None else each * factor for each in values)

    return figure


def byWorkers(measure: Callable[[Sample], float]) -> Figure:
    def figure(results: Results, subject: str) -> Spread | None:
        if subject != OURS:
            return None
        one, two = (map(measure, results.capacities.get(n, ())) for n in (1, 2))
        return spread(b / a for a, b in zip(one, two, strict=False))

    return figure


throughput = perRound(PARALLEL, lambda each: each.summary.perSecond)
# As if each worker had a core: requests for each second of CPU time of the busiest.
workersByCPU = byWorkers(lambda each: each.summary.requests / each.measured.busiest)
workersByClock = byWorkers(lambda each: each.summary.perSecond)


class Row(msgspec.Struct, frozen=True):
    """
    A line of the table.
    """

    title: str  # the name of the figure, and its unit
    figure: Figure
    goal: float | None = None  # the most that the daemon may need, if that is laid down
    digits: int = 2  # the decimals to show
    atLeast: bool = False  # whether the goal is the least instead

    def met(self, value: float) -> bool:
        if self.goal is None:
            return True
        return value >= self.goal if self.atLeast else value <= self.goal

    def cell(self, found: Spread | None, ours: bool) -> str:
        if found is None:
            return "-"
        middle, low, high = (
            f"{value:.{self.digits}f}"
            for value in (found.middle, found.low, found.high)
        )
        if ours and not self.met(found.middle):
            middle = f"**{middle}**"
        return middle if low == high else f"{middle} ({low} to {high})"


def _durations(title: str, work: Work, which: str, *goals: float | None) -> list[Row]:
    return [
        Row(f"added {title}, {quantile}, ms", duration(work, which, quantile), goal)
        for quantile, goal in zip(("p50", "p99"), goals, strict=True)
    ]


ROWS = (
    Row("CPU of a request, ms", cpuPerRequest(PLAIN), 0.9),
    Row("CPU of a request in a session, turn 5, ms", cpuPerRequest(EARLY), 1.3),
    Row(f"the same at turn {TURNS}, ms", cpuPerRequest(LATE)),
    Row(
        f"the same at turn {TURNS}, sending aside, ms",
        cpuWithoutSending(LATE, CARRIED, PLAIN),
        1.3,
    ),
    Row(
        f"CPU of a request that brings {TURNS - 1} turns itself, ms",
        cpuPerRequest(CARRIED),
    ),
    Row("CPU of a request, 8 connections, ms", cpuPerRequest(PARALLEL)),
    Row("CPU of a chunk, burst of 200, µs", cpuPerWord(BURST), 10, 1),
    Row("CPU of a chunk, 200 paced streams, µs", cpuPerWord(PACED), 50, 1),
    *_durations("gap between chunks, 200 paced streams", PACED, "gap", None, 10),
    *_durations("latency, 1 connection", PLAIN, "latency", 1.5, 5),
    *_durations(f"latency, {FIXED.rate:g} a second", FIXED, "latency", None, None),
    *_durations("latency, 8 connections", PARALLEL, "latency", None, None),
    *_durations("time to the first token", FIRST, "firstWord", 2, None),
    Row("requests a second, 8 connections", throughput, None, 0),
    Row("streams held: lost", once("held.lost"), 0, 0),
    Row("streams held: the latest chunk, s late", once("held.late"), 1),
    Row("streams held: memory of each, KB", once("held.memory"), 30, 1),
    Row("streams held: of a core, %", once("held.share", 100), None, 1),
    Row("idle: resident, MB", once("standings.idle.resident"), 60, 1),
    Row("idle: proportional (PSS), MB", once("standings.idle.proportional"), None, 1),
    Row("idle: of a core, %", once("standings.idleShare", 100), 0.2, 3),
    Row("resident after the load, MB", once("standings.loaded.resident"), None, 1),
    Row("resident at its peak, MB", once("standings.loaded.peak"), None, 1),
    Row("ready from start, s", once("standings.ready"), 0.8),
    Row(
        "2 workers serve, times 1, by CPU of the busiest",
        workersByCPU,
        1.8,
        atLeast=True,
    ),
    Row(
        "CPU of a request with 2 workers, times 1",
        byWorkers(lambda each: each.measured.tree / each.summary.requests),
    ),
    Row("2 workers serve, times 1, by the clock", workersByClock),
)


def table(results: Results) -> str:
    """
    Return the figures in Markdown: medians over the rounds and, in brackets, the lowest
    and the highest of a round.  A figure of ours that misses its goal is bold.
    """
    names = [subject.name for subject in results.subjects]
    names.sort(key=lambda name: name != OURS)
    bases = [name for name in RELAYS if name in names and OURS in names]
    ours = [name for name in names if name == OURS]
    others = names[len(ours) :]
    lines = _heading("", "goal", *ours, *(f"÷ {base}" for base in bases), *others)
    for row in ROWS:
        found = {name: row.figure(results, name) for name in names}
        if any(found.values()):
            sign = "≥" if row.atLeast else "≤"
            lines.append(
                _line(
                    row.title,
                    "" if row.goal is None else f"{sign} {row.goal:g}",
                    *(row.cell(found[name], True) for name in ours),
                    *(_ratio(found[OURS], found[base]) for base in bases),
                    *(row.cell(found[name], False) for name in others),
                )
            )
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _heading(*cells: str) -> list[str]:
    return [_line(*cells), "|---" * len(cells) + "|"]


def _ratio(ours: Spread | None, base: Spread | None) -> str:
    if ours is None or base is None or ours.middle <= 0 or base.middle <= 0:
        return "-"
    times = ours.middle / base.middle
    return f"{times:.0f}" if times >= 10 else f"{times:.2g}"


def occupied(results: Results, samples: Sequence[Sample]) -> float:
    """
    Return the share of their cores that the upstream and the load generator used.
    """
    return median(
        (each.upstream.tree + each.summary.load)
        / (each.summary.seconds * results.cores.testers)
        for each in samples
    )


def burdens(results: Results) -> str:
    """
    Return the cost of the measuring, in Markdown: the CPU time of the mock upstream and
    of the load generator in multiples of the server's, and the share of their cores.
    """
    names = [each.name for each in results.subjects if each.pid is not None]
    lines = _heading("", *names)
    for work in WORKS:
        cells = []
        for name in names:
            samples = [each for each in results.of(name, work.name) if each.used]
            if not samples:
                cells.append("-")
                continue
            upstream = median(e.upstream.tree / e.measured.tree for e in samples)
            load = median(e.summary.load / e.measured.tree for e in samples)
            busy = occupied(results, samples)
            cells.append(f"{upstream:.2f} + {load:.2f}, {busy:.0%}")
        if {*cells} != {"-"}:
            lines.append(_line(f"`{work.name}`", *cells))
    return "\n".join(lines)


def notes(results: Results) -> str:
    said = [f"{key}: {value}" for key, value in results.machine.items()]
    cores = results.cores
    if results.quick:
        said.append("This was a quick run: its figures are for checking only.")
    if cores.pinned:
        server, upstream, load = (
            " and ".join(map(str, each))
            for each in (cores.server, cores.upstream, cores.load)
        )
        said.append(f"The server had core {server}, the upstream {upstream}, the load")
        said[-1] += f" {load}."
    else:
        said.append("The server shared its cores with what measured it.")
    said += [f"Not measured: {what}: {why}." for what, why in results.skipped.items()]
    said += [f"Wrong: {fault}." for fault in results.faults(foreign=True)]
    for subject in (OURS, "relay"):
        for work in WORKS:
            samples = results.of(subject, work.name)
            if samples and (busy := occupied(results, samples)) > BUSY:
                said.append(
                    f"The measuring was the limit for {subject}, {work.name}: it kept "
                    f"its cores {busy:.0%} busy."
                )
    if results.capacities and results.shared:
        said.append(
            "The two workers had no cores of their own: what they served by the clock "
            "is too little."
        )
    return "\n".join(f"- {line}" for line in said)
