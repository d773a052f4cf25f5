"""
All that a run of the benchmarks has found out, as it is kept in a file.
"""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.cpu import Memory, Used
from benchmarks.load import Summary
from benchmarks.machine import Cores
from benchmarks.subjects import Subject

DIRECT = "direct"
OURS = "openclaw"
RELAYS = ("relay", "nginx")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """
    One work, done once by one server.

    @ivar round: From 0; -1 is the warm-up.
    @ivar words: The words of each reply.
    @ivar used: What the server used, if its process is known.
    @ivar upstream: What the upstream used meanwhile.
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
        """
        The CPU time that the server used, whose process must be known.
        """
        assert self.used is not None
        return self.used

    @property
    def cost(self) -> float | None:
        """
        Seconds of CPU time of the server for each request.
        """
        if self.used is None:
            return None
        return self.used.tree / max(1, self.summary.requests)

    @property
    def loadCost(self) -> float:
        """
        Seconds of CPU time of the load generator for each request.
        """
        return self.summary.load / max(1, self.summary.requests)


class Idle(msgspec.Struct, frozen=True):
    """
    A server that nobody asks anything.

    @ivar memory: Its memory in the end.
    @ivar share: The share of one core that it used.
    """

    memory: Memory
    share: float


class Standing(msgspec.Struct, kw_only=True):
    """
    What is measured of a server besides the works.

    @ivar ready: Seconds from the start to the first C{200} of C{/readyz}, once for
        each start.
    @ivar idle: Before the first request.
    @ivar loaded: Its memory after the last.
    """

    ready: list[float] = []
    idle: Idle | None = None
    loaded: Memory | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """
    Many slow streams at once on one server.

    @ivar streams: How many.
    @ivar summary: What they came to.
    @ivar before: The server's memory before the first.
    @ivar open: Its memory while all were open.
    @ivar share: The share of one core that the server used meanwhile.
    """

    streams: int
    summary: Summary
    before: Memory | None = None
    open: Memory | None = None
    share: float | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that a run of the benchmarks has found out.

    @ivar machine: What it ran on, and when.
    @ivar quick: Whether it was a quick run, whose figures are for checking only.
    @ivar cores: Who had which core.
    @ivar subjects: Without their tokens.
    @ivar capacities: The samples of each number of workers.
    @ivar shared: Whether the workers shared their cores with what measures them.
    @ivar skipped: What was not measured, and why.
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
        The samples of one work of one server, round by round; not the warm-up.
        """
        return [
            sample
            for sample in self.samples
            if (sample.subject, sample.work) == (subject, work) and sample.round >= 0
        ]

    def names(self) -> list[str]:
        return [subject.name for subject in self.subjects]


def faults(results: Results, foreign: bool) -> list[str]:
    """
    What was wrong with replies.

    @param foreign: Of the servers that were not started here, or of those that were?
    """
    asked = {each.name for each in results.subjects if each.foreign == foreign}
    return [
        f"{sample.subject}, {sample.work}: {count} of {sample.summary.requests} "
        f"replies: {fault}"
        for sample in results.samples
        if sample.subject in asked
        for fault, count in sample.summary.faults.items()
    ]


def flaws(results: Results) -> list[str]:
    """
    What makes the figures worth nothing: wrong replies, and an upstream that needed
    more CPU than the daemon.  Streams that were lost when many were held are a
    figure, and no flaw.
    """
    found = faults(results, foreign=False)
    found += [
        f"{workers} workers: {count} of {each.summary.requests} replies: {fault}"
        for workers, samples in results.capacities.items()
        for each in samples
        for fault, count in each.summary.faults.items()
    ]
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
