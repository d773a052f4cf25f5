"""
The table of the figures, and what a reader of it must know.
"""

import msgspec

from benchmarks.figures import (
    Figure,
    burden,
    cpuPerRequest,
    cpuPerWord,
    cpuWithoutSending,
    duration,
    heldLate,
    heldLost,
    heldMemory,
    heldShare,
    idleMemory,
    idleShare,
    loadedMemory,
    occupied,
    ready,
    throughput,
    workersByClock,
    workersByCost,
    workersByCPU,
)
from benchmarks.results import OURS, RELAYS, Results, faults
from benchmarks.spread import Spread
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

# A share of their cores above which those who measure may be what is measured.
BUSY = 0.8


class Row(msgspec.Struct, frozen=True):
    """
    One line of the table.

    @ivar title: What was measured, and in what unit.
    @ivar figure: Finds the figure.
    @ivar goal: What the daemon may need at most, if that is laid down.
    @ivar digits: The decimals to show.
    @ivar atLeast: Whether the goal is the least instead.
    """

    title: str
    figure: Figure
    goal: float | None = None
    digits: int = 2
    atLeast: bool = False

    def met(self, value: float) -> bool:
        if self.goal is None:
            return True
        return value >= self.goal if self.atLeast else value <= self.goal


def _ofOurs(find: Figure) -> Figure:
    return lambda results, subject: find(results, subject) if subject == OURS else None


def _durations(title: str, work: Work, which: str, *goals: float | None) -> list[Row]:
    """
    The median and the 99th percentile of what was added to a duration.
    """
    return [
        Row(f"added {title}, {quantile}, ms", duration(work, which, quantile), goal)
        for quantile, goal in zip(("p50", "p99"), goals, strict=True)
    ]


ROWS = (
    Row("CPU of a request, ms", cpuPerRequest(PLAIN, 1e3), 0.9),
    Row("CPU of a request in a session, turn 5, ms", cpuPerRequest(EARLY, 1e3), 1.3),
    Row(f"the same at turn {TURNS}, ms", cpuPerRequest(LATE, 1e3)),
    Row(
        f"the same at turn {TURNS}, sending aside, ms",
        cpuWithoutSending(LATE, CARRIED, PLAIN, 1e3),
        1.3,
    ),
    Row(
        f"CPU of a request that brings {TURNS - 1} turns itself, ms",
        cpuPerRequest(CARRIED, 1e3),
    ),
    Row("CPU of a request, 8 connections, ms", cpuPerRequest(PARALLEL, 1e3)),
    Row("CPU of a chunk, burst of 200, µs", cpuPerWord(BURST, 1e6), 10, 1),
    Row("CPU of a chunk, 200 paced streams, µs", cpuPerWord(PACED, 1e6), 50, 1),
    *_durations("gap between chunks, 200 paced streams", PACED, "gap", None, 10),
    *_durations("latency, 1 connection", PLAIN, "latency", 1.5, 5),
    *_durations(f"latency, {FIXED.rate:g} a second", FIXED, "latency", None, None),
    *_durations("latency, 8 connections", PARALLEL, "latency", None, None),
    *_durations("time to the first token", FIRST, "firstWord", 2, None),
    Row("requests a second, 8 connections", throughput(PARALLEL), None, 0),
    Row("streams held: lost", heldLost, 0, 0),
    Row("streams held: the latest chunk, s late", heldLate, 1),
    Row("streams held: memory of each, KB", heldMemory, 30, 1),
    Row("streams held: of a core, %", heldShare, None, 1),
    Row("idle: resident, MB", idleMemory("resident"), 60, 1),
    Row("idle: proportional (PSS), MB", idleMemory("proportional"), None, 1),
    Row("idle: of a core, %", idleShare, 0.2, 3),
    Row("resident after the load, MB", loadedMemory("resident"), None, 1),
    Row("resident at its peak, MB", loadedMemory("peak"), None, 1),
    Row("ready from start, s", ready, 0.8),
    Row(
        "2 workers serve, times 1, by CPU of the busiest",
        _ofOurs(lambda results, _: workersByCPU(results)),
        1.8,
        atLeast=True,
    ),
    Row(
        "CPU of a request with 2 workers, times 1",
        _ofOurs(lambda results, _: workersByCost(results)),
    ),
    Row(
        "2 workers serve, times 1, by the clock",
        _ofOurs(lambda results, _: workersByClock(results)),
    ),
)


def table(results: Results) -> str:
    """
    The figures in Markdown: medians over the rounds and, in brackets, the lowest and
    the highest of a round.  A figure of ours that misses its goal is bold.
    """
    names = results.names()
    bases = [name for name in RELAYS if name in names and OURS in names]
    ours = [name for name in names if name == OURS]
    others = [name for name in names if name != OURS]
    ratios = [f"÷ {base}" for base in bases]
    lines = [
        _line(["", "goal", *ours, *ratios, *others]),
        "|---" * (2 + len(names) + len(ratios)) + "|",
    ]
    for row in ROWS:
        found = {name: row.figure(results, name) for name in names}
        if any(found.values()):
            cells = [_cell(row, found[name], name == OURS) for name in names]
            shown = dict(zip(names, cells, strict=True))
            divided = [_ratio(found[OURS], found[base]) for base in bases]
            lines.append(
                _line(
                    [
                        row.title,
                        _goal(row),
                        *(shown[name] for name in ours),
                        *divided,
                        *(shown[name] for name in others),
                    ]
                )
            )
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{'≥' if row.atLeast else '≤'} {row.goal:g}"


def _cell(row: Row, found: Spread | None, ours: bool) -> str:
    if found is None:
        return "-"
    middle, low, high = (
        f"{value:.{row.digits}f}" for value in (found.middle, found.low, found.high)
    )
    if ours and not row.met(found.middle):
        middle = f"**{middle}**"
    return middle if low == high else f"{middle} ({low} to {high})"


def _ratio(ours: Spread | None, base: Spread | None) -> str:
    if ours is None or base is None or ours.middle <= 0 or base.middle <= 0:
        return "-"
    times = ours.middle / base.middle
    return f"{times:.0f}" if times >= 10 else f"{times:.2g}"


def burdens(results: Results) -> str:
    """
    What the measuring itself used, in Markdown.
    """
    names = [each.name for each in results.subjects if each.pid is not None]
    lines = [_line(["", *names]), "|---" * (1 + len(names)) + "|"]
    for work in WORKS:
        cells = []
        for name in names:
            found = burden(results, name, work)
            busy = occupied(results, name, work)
            cells.append(
                "-"
                if found is None or busy is None
                else f"{found[0]:.2f} + {found[1]:.2f}, {busy:.0%}"
            )
        if {*cells} != {"-"}:
            lines.append(_line([f"`{work.name}`", *cells]))
    return "\n".join(lines)


def notes(results: Results) -> str:
    said = [f"{key}: {value}" for key, value in results.machine.items()]
    if results.quick:
        said.append("This was a quick run: its figures are for checking only.")
    if results.cores.pinned:
        said.append(
            f"The server had core {_list(results.cores.server)}, the upstream "
            f"{_list(results.cores.upstream)}, the load {_list(results.cores.load)}."
        )
    else:
        said.append("The server shared its cores with what measured it.")
    said += [f"Not measured: {what}: {why}." for what, why in results.skipped.items()]
    said += [f"Wrong: {fault}." for fault in faults(results, foreign=True)]
    said += [
        f"The measuring was the limit for {subject}, {work.name}: it kept its cores "
        f"{busy:.0%} busy."
        for subject in (OURS, "relay")
        for work in WORKS
        if (busy := occupied(results, subject, work)) and busy > BUSY
    ]
    if results.capacities and results.shared:
        said.append(
            "The two workers had no cores of their own: what they served by the clock "
            "is too little."
        )
    return "\n".join(f"- {line}" for line in said)


def _list(cores: object) -> str:
    assert isinstance(cores, list | tuple)
    return " and ".join(map(str, cores))
