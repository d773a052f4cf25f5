"""
Many slow streams at once on one server.
"""

import time

import msgspec

from benchmarks.cpu import CPU, Memory, cpuOf, memoryOf, usedBetween
from benchmarks.load import carryOut
from benchmarks.results import Held
from benchmarks.subjects import Subject
from benchmarks.works import FIRST, HELD, QUICK_HELD

# Seconds in which all streams are begun, however many they are.
OPENED_WITHIN = 20.0

# So many are begun before the first of the short ones ends.
FEW = 1000

# The part of the time with all streams open that is left out at either end of it.
ASIDE = 0.1


class _Look(msgspec.Struct, frozen=True):
    when: float
    cpu: CPU
    memory: Memory


def hold(subject: Subject, streams: int, quick: bool) -> Held:
    """
    Have one server hold many slow streams at once.

    @raise OSError: The server can't be reached.
    """
    work = QUICK_HELD if quick and streams <= FEW else HELD
    rate = max(work.rate or 0.0, streams / OPENED_WITHIN)
    work = msgspec.structs.replace(work, connections=streams, rate=rate)
    plan = work.plan(subject, streams, seconds=600.0)
    looks: list[_Look] = []

    def look() -> None:
        if subject.pid is not None:
            now = _Look(time.monotonic(), cpuOf(subject.pid), memoryOf(subject.pid))
            looks.append(now)

    # So that what is imported with the first request is there already.
    carryOut(FIRST.plan(subject, 10, seconds=10.0))
    look()
    opened = plan.dueAt(plan.requests)
    firstEnds = (work.words - 1) * plan.interval()
    aside = (firstEnds - opened) * ASIDE
    load = carryOut(plan, [opened + aside, firstEnds - aside], look)
    summary = load.summary()
    if len(looks) < 3:  # Its process is not known, or it gave up early.
        return Held(streams=streams, summary=summary)
    before, begun, ended = looks
    used = usedBetween(begun.cpu, ended.cpu).tree
    return Held(
        streams=streams,
        summary=summary,
        before=before.memory,
        open=ended.memory,
        share=used / (ended.when - begun.when),
    )
