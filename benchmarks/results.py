"""
All that a run of the benchmarks has found out, as it is kept in a file.
"""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.machine import Cores
from benchmarks.subjects import Subject
from benchmarks.works import Capacity, Held, Sample, Standing

DIRECT = "direct"
OURS = "openclaw"
RELAYS = ("relay", "nginx")


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that a run of the benchmarks has found out.

    @ivar machine: What it ran on, and when.
    @ivar quick: Whether it was a quick run, whose figures are for checking only.
    @ivar cores: Who had which core.
    @ivar subjects: Without their tokens.
    @ivar skipped: What was not measured, and why.
    """

    machine: Mapping[str, str]
    quick: bool
    cores: Cores
    subjects: Sequence[Subject]
    samples: Sequence[Sample]
    standings: Mapping[str, Standing]
    held: Mapping[str, Held]
    capacities: Sequence[Capacity]
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
        """
        The names of the servers, in the order of the table.
        """
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
        f"{each.workers} workers: {count} of {each.summary.requests} replies: {fault}"
        for each in results.capacities
        for fault, count in each.summary.faults.items()
    ]
    guarded = [subject.name for subject in results.subjects if subject.guarded]
    for name in guarded:
        for work in dict.fromkeys(sample.work for sample in results.samples):
            samples = results.of(name, work)
            used = sum(sample.used.tree for sample in samples if sample.used)
            upstream = sum(sample.upstream.tree for sample in samples if sample.used)
            if upstream > used:
                found.append(
                    f"{name}, {work}: the mock upstream used more CPU "
                    f"({upstream:.3f} s) than what is measured ({used:.3f} s)"
                )
    return found


__all__ = ["DIRECT", "OURS", "RELAYS", "Results", "faults", "flaws"]
