"""
The results of a run of the benchmarks, as they are kept in a file.
"""

import math
from collections.abc import Iterable
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
    """

    subject: str
    work: str
    round: int  # from 0; -1 is the warm-up
    words: int  # the number of words of each reply
    summary: Summary
    used: Used | None  # the CPU time of the server, if its process is known
    upstream: Used  # the CPU time of the upstream

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
    """

    ready: list[float] = []  # seconds from each start to the first 200 of /readyz
    idle: Memory | None = None  # its memory before the first request
    idleShare: float | None = None  # the share of a core that it used then
    loaded: Memory | None = None  # its memory after the last request


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """
    Many slow streams at once on one server.
    """

    streams: int
    summary: Summary
    before: Memory | None = None  # the server's memory before the first
    open: Memory | None = None  # its memory while all were open
    share: float | None = None  # the share of one core that the server used meanwhile

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


class Results(msgspec.Struct, kw_only=True):
    """
    The results of a run of the benchmarks.

    @ivar machine: The machine, the software and the command, line by line.
    """

    machine: dict[str, str] = {}
    quick: bool  # whether the figures are for checking only
    cores: Cores
    subjects: list[Subject] = []  # the servers, without their tokens
    samples: list[Sample] = []
    standings: dict[str, Standing] = {}
    held: dict[str, Held] = {}
    capacities: dict[int, list[Sample]] = {}  # the samples of each number of workers
    shared: bool = False  # whether the workers shared their cores with the measuring
    skipped: dict[str, str] = {}  # the reasons why something was not measured

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
