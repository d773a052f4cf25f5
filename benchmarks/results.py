"""
The results of a run of the benchmarks, as they are kept in a file.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from benchmarks.load import Summary
from benchmarks.processes import Cores, Memory, Used
from benchmarks.works import Subject

DIRECT = "direct"
OURS = "openclaw"
RELAYS = ("relay", "nginx")


class Spread(msgspec.Struct, frozen=True):
    """
    A figure over the rounds: its median, the lowest, and the highest.
    """

    middle: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known)) if known else None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """
    One work, done once by one server.

    @ivar round: From 0; -1 is the warm-up.
    @ivar words: The number of words of each reply.
    @ivar used: The CPU time of the server, if its process is known.
    @ivar upstream: The CPU time of the upstream.
    """

    subject: str
    work: str
    round: int
    words: int
    summary: Summary
    used: Used | None
    upstream: Used

    @property
    def measured(self) -> Used:
        assert self.used is not None
        return self.used

    @property
    def cost(self) -> float:
        """
        Seconds of CPU time of the server for each request; NaN if it is not known.
        """
        used = math.nan if self.used is None else self.used.tree
        return used / max(1, self.summary.requests)

    @property
    def loadCost(self) -> float:
        """
        Seconds of CPU time of the load generator for each request.
        """
        return self.summary.load / max(1, self.summary.requests)


class Standing(msgspec.Struct, kw_only=True):
    """
    Measurements of a server besides the works.

    @ivar ready: Seconds from each start to the first C{200} of C{/readyz}.
    @ivar idle: Its memory before the first request.
    @ivar idleShare: The share of a core that it used then.
    @ivar loaded: Its memory after the last request.
    """

    ready: list[float] = []
    idle: Memory | None = None
    idleShare: float | None = None
    loaded: Memory | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """
    Many slow streams at once on one server.

    @ivar before: The server's memory before the first.
    @ivar open: Its memory while all were open.
    @ivar share: The share of one core that the server used meanwhile.
    """

    streams: int
    summary: Summary
    before: Memory | None = None
    open: Memory | None = None
    share: float | None = None

    @property
    def lost(self) -> float:
        return float(sum(self.summary.faults.values()))

    @property
    def late(self) -> float | None:
        """
        The seconds by which the latest word of all was late.
        """
        late = self.summary.lateness
        return None if late is None else late.worst / 1000

    @property
    def memory(self) -> float | None:
        """
        KB of resident memory for each stream.
        """
        if self.before is None or self.open is None:
            return None
        return (self.open.resident - self.before.resident) * 1000 / self.streams


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """
    The results of a run of the benchmarks.

    @ivar machine: The machine, the software and the command, line by line.
    @ivar quick: Whether the figures are for checking only.
    @ivar subjects: The servers, without their tokens.
    @ivar capacities: The samples of each number of workers.
    @ivar shared: Whether the workers shared their cores with the measuring.
    @ivar skipped: The reasons why something was not measured.
    """

    machine: Mapping[str, str]
    quick: bool
    cores: Cores
    subjects: Sequence[Subject]
    samples: Sequence[Sample]
    standings: Mapping[str, Standing]
    held: Mapping[str, Held]
    capacities: Mapping[int, Sequence[Sample]]
    shared: bool
    skipped: Mapping[str, str]

    def of(self, subject: str, work: str) -> list[Sample]:
        """
        Return the samples of one work of one server, but for the warm-up.
        """
        return [
            sample
            for sample in self.samples
            if (sample.subject, sample.work) == (subject, work) and sample.round >= 0
        ]

    def faults(self, foreign: bool) -> list[str]:
        """
        Return the faults of replies.

        @param foreign: Of the servers that were not started here, or of the others.
        """
        asked = {each.name for each in self.subjects if each.foreign == foreign}
        samples = [each for each in self.samples if each.subject in asked]
        if not foreign:
            samples += [each for some in self.capacities.values() for each in some]
        return [
            f"{sample.subject}, {sample.work}: {count} of {sample.summary.requests} "
            f"replies: {fault}"
            for sample in samples
            for fault, count in sample.summary.faults.items()
        ]


def flaws(results: Results) -> list[str]:
    """
    Return the reasons why the figures are worth nothing: wrong replies, and an upstream
    that needed more CPU than the daemon.  Streams that were lost when many were held
    are a figure, and no flaw.
    """
    found = results.faults(foreign=False)
    for work in dict.fromkeys(sample.work for sample in results.samples):
        samples = [sample for sample in results.of(OURS, work) if sample.used]
        used = sum(sample.measured.tree for sample in samples)
        upstream = sum(sample.upstream.tree for sample in samples)
        if upstream > used:
            found.append(
                f"{OURS}, {work}: the mock upstream used more CPU "
                f"({upstream:.3f} s) than what is measured ({used:.3f} s)"
            )
    return found
