"""
From samples to a table, and what would make the table worthless.
"""

from collections.abc import Callable, Iterable
from statistics import median

import msgspec

from benchmarks.cpu import Memory
from benchmarks.load import Quantiles
from benchmarks.subjects import Subject
from benchmarks.works import (
    BURST,
    PACED,
    PARALLEL,
    PLAIN,
    SESSION,
    WORKS,
    Sample,
    Standing,
    Work,
)

BASELINE = "relay"
DIRECT = "direct"
BUDGETED = "openclaw"


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that a run of the benchmarks has found out.

    @ivar machine: What it ran on, and when.
    @ivar subjects: Without their tokens.
    """

    machine: dict[str, str]
    subjects: list[Subject]
    samples: list[Sample]
    standings: dict[str, Standing]

    def of(self, subject: str, work: str) -> list[Sample]:
        """
        The samples of one work of one server, round by round; not the warm-up.
        """
        return [
            sample
            for sample in self.samples
            if (sample.subject, sample.work) == (subject, work) and sample.round >= 0
        ]


Figure = Callable[[Results, str], float | None]
"""
A figure of a server, by its name; C{None} if it was not measured.
"""


class Row(msgspec.Struct, frozen=True):
    """
    One line of the table.

    @ivar title: What was measured, and in what unit.
    @ivar figure: Finds the figure.
    @ivar budget: What the daemon may need at most, if that is laid down.
    @ivar digits: The decimals to show.
    """

    title: str
    figure: Figure
    budget: float | None = None
    digits: int = 2


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def cpuPer(work: Work, unit: float, tree: bool = False) -> Figure:
    """
    CPU time for each request.

    @param unit: How many of the figure's unit are a second for one request.
    @param tree: Whether to charge the children, too.
    """

    def cost(sample: Sample) -> float | None:
        if sample.cpu is None:
            return None
        used = sample.cpu.tree if tree else sample.cpu.own
        return used * unit / sample.summary.requests

    return lambda results, subject: _middle(map(cost, results.of(subject, work.name)))


def duration(work: Work, which: str, quantile: str) -> Figure:
    """
    A duration that the clients saw; for all but the upstream itself, what was added
    to what the upstream had in the same round.

    @param which: The name of an attribute of L{benchmarks.load.Summary}.
    @param quantile: The name of an attribute of L{Quantiles}.
    """

    def seen(sample: Sample) -> float | None:
        spread: Quantiles | None = getattr(sample.summary, which)
        return None if spread is None else float(getattr(spread, quantile))

    def figure(results: Results, subject: str) -> float | None:
        own = [seen(sample) for sample in results.of(subject, work.name)]
        if subject == DIRECT:
            return _middle(own)
        direct = [seen(sample) for sample in results.of(DIRECT, work.name)]
        return _middle(
            a - b
            for a, b in zip(own, direct, strict=False)
            if a is not None and b is not None
        )

    return figure


def throughput(work: Work) -> Figure:
    """
    Right replies each second.
    """
    return lambda results, subject: _middle(
        sample.summary.perSecond for sample in results.of(subject, work.name)
    )


def memory(find: Callable[[Standing], Memory | None], which: str) -> Figure:
    """
    Resident memory.

    @param which: The name of an attribute of L{Memory}.
    """

    def figure(results: Results, subject: str) -> float | None:
        standing = results.standings.get(subject)
        found = None if standing is None else find(standing)
        return None if found is None else float(getattr(found, which))

    return figure


def ready(results: Results, subject: str) -> float | None:
    """
    Seconds until a server that was started is ready.
    """
    standing = results.standings.get(subject)
    return None if standing is None else _middle(standing.ready)


def _idle(standing: Standing) -> Memory | None:
    return standing.idle


def _loaded(standing: Standing) -> Memory | None:
    return standing.loaded


ROWS = (
    Row("CPU per request, 1 connection (ms)", cpuPer(PLAIN, 1e3), 1.5),
    Row("CPU per request, 8 connections (ms)", cpuPer(PARALLEL, 1e3), 1.5),
    Row("CPU per request in a session (ms)", cpuPer(SESSION, 1e3)),
    Row("CPU per chunk, burst of 200 (µs)", cpuPer(BURST, 1e6 / BURST.words), 20, 1),
    Row("CPU per streamed request, burst of 200 (ms)", cpuPer(BURST, 1e3)),
    Row(
        "CPU per chunk, paced by 20 ms (µs)", cpuPer(PACED, 1e6 / PACED.words), None, 1
    ),
    Row("CPU per request with children, 1 connection (ms)", cpuPer(PLAIN, 1e3, True)),
    Row("latency p50, 1 connection (ms)", duration(PLAIN, "latency", "p50")),
    Row("latency p99, 1 connection (ms)", duration(PLAIN, "latency", "p99")),
    Row("latency p50, 8 connections (ms)", duration(PARALLEL, "latency", "p50")),
    Row("latency p99, 8 connections (ms)", duration(PARALLEL, "latency", "p99")),
    Row("latency p50 in a session (ms)", duration(SESSION, "latency", "p50")),
    Row("first word p50, burst (ms)", duration(BURST, "firstWord", "p50")),
    Row("first word p99, burst (ms)", duration(BURST, "firstWord", "p99")),
    Row("first word p50, paced (ms)", duration(PACED, "firstWord", "p50")),
    Row("gap between chunks p99, paced (ms)", duration(PACED, "gap", "p99")),
    Row("requests a second, 8 connections", throughput(PARALLEL), None, 0),
    Row("seconds until ready", ready, 1.5),
    Row("resident when idle (MB)", memory(_idle, "now"), 70, 1),
    Row("resident after the load (MB)", memory(_loaded, "now"), None, 1),
    Row("resident at its peak (MB)", memory(_loaded, "peak"), None, 1),
    Row(
        "resident after the load, with children (MB)", memory(_loaded, "tree"), None, 1
    ),
)


def table(results: Results) -> str:
    """
    The figures in Markdown: medians over the rounds, and in brackets how many times
    that of the relay.  A figure that is over its budget is bold.
    """
    names = [subject.name for subject in results.subjects]
    lines = [
        "| " + " | ".join(["", "budget", *names]) + " |",
        "|---" * (2 + len(names)) + "|",
    ]
    for row in ROWS:
        figures = {name: row.figure(results, name) for name in names}
        if any(figure is not None for figure in figures.values()):
            budget = "" if row.budget is None else f"≤ {row.budget:g}"
            cells = [_cell(row, name, figures) for name in names]
            lines.append("| " + " | ".join([row.title, budget, *cells]) + " |")
    return "\n".join(lines)


def _cell(row: Row, name: str, figures: dict[str, float | None]) -> str:
    figure = figures[name]
    if figure is None:
        return "-"
    shown = f"{figure:.{row.digits}f}"
    if name == BUDGETED and row.budget is not None and figure > row.budget:
        shown = f"**{shown}**"
    base = figures.get(BASELINE)
    if name in (BASELINE, DIRECT) or not base or base < 0:
        return shown
    return f"{shown} ({figure / base:.1f} x)"


def flaws(results: Results) -> list[str]:
    """
    What makes the figures worth nothing: wrong replies, and an upstream that needed
    more CPU than what was to be measured.
    """
    found = [
        f"{sample.subject}, {sample.work}: {count} of {sample.summary.requests} "
        f"replies: {fault}"
        for sample in results.samples
        for fault, count in sample.summary.faults.items()
    ]
    for subject in results.subjects:
        for work in WORKS:
            samples = results.of(subject.name, work.name)
            used = sum(sample.cpu.tree for sample in samples if sample.cpu)
            upstream = sum(sample.upstream.own for sample in samples if sample.cpu)
            if subject.guarded and upstream > used:
                found.append(
                    f"{subject.name}, {work.name}: the mock upstream used more CPU "
                    f"({upstream:.3f} s) than what is measured ({used:.3f} s)"
                )
    return found


def notes(results: Results) -> str:
    """
    What a reader of the table must know.
    """
    machine = ", ".join(f"{key} {value}" for key, value in results.machine.items())
    shares = [
        sample.upstream.own / sample.cpu.tree
        for sample in results.samples
        if sample.cpu is not None and sample.cpu.tree
    ]
    share = f"{median(shares):.0%}" if shares else "unknown"
    return (
        f"{machine}.\n\n"
        "Medians over the rounds; (n x) is in multiples of the relay; bold is over "
        "budget.\nCPU is user and system time of the server's own process.  "
        "Latencies, first words\nand gaps are what was added to those of the upstream "
        "itself, which are under\n`direct`.  "
        f"The mock upstream used {share} of the CPU of what was measured."
    )


__all__ = ["Results", "flaws", "notes", "table"]
