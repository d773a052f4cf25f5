"""
What a process costs: its CPU time and its memory, as Linux accounts for them.

CPU time is user and system time together, of all threads, those that have ended
included.  It is read from each process's own CPU clock, which counts nanoseconds;
C{/proc/PID/stat} has the same sum, but in ticks of 10 ms, which is the cost of ten
requests.  What a process has started is charged to it: the living by their clocks,
those that have ended by the ticks that their parent was told.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

PROC = Path("/proc")
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


class CPU(msgspec.Struct, frozen=True):
    """
    The CPU time that a process and its descendants have used so far.

    @ivar clocks: Seconds of each living one, by process id.
    @ivar ended: Seconds of those that have ended.
    """

    clocks: Mapping[int, float]
    ended: float = 0.0


class Used(msgspec.Struct, frozen=True):
    """
    The CPU time that was used between two moments.

    @ivar tree: Seconds of the process and all that descends from it.
    @ivar busiest: Seconds of that one of them which used the most.
    """

    tree: float
    busiest: float


class Memory(msgspec.Struct, frozen=True):
    """
    The memory of a process and all that descends from it, in MB (of a million bytes).

    @ivar resident: What is resident.  Pages that processes share are counted in each.
    @ivar proportional: The same, with shared pages divided among all that share them.
    @ivar peak: The most that was ever resident: the sum of each one's own peak.
    """

    resident: float
    proportional: float
    peak: float


def cpuOf(pid: int) -> CPU:
    """
    The CPU time that a process has used so far.

    @raise OSError: There is no such process.
    """
    clocks = {pid: _clock(pid)}
    ended = _reaped(pid)
    for child in descendants(pid):
        try:
            clock, reaped = _clock(child), _reaped(child)
        except OSError:  # It ended just now, and its parent will account for it.
            continue
        clocks[child] = clock
        ended += reaped
    return CPU(clocks, ended)


def usedBetween(before: CPU, after: CPU) -> Used:
    """
    What was used from one moment to a later one.  A process that ended in between is
    in what its parent was told, with all that it ever used: what it had used before
    is taken off.
    """
    own = {pid: now - before.clocks.get(pid, 0.0) for pid, now in after.clocks.items()}
    gone = sum(used for pid, used in before.clocks.items() if pid not in after.clocks)
    ended = max(0.0, after.ended - before.ended - gone)
    return Used(sum(own.values()) + ended, max([*own.values(), ended]))


def memoryOf(pid: int) -> Memory:
    """
    The memory that a process and its descendants hold.

    @raise OSError: There is no such process.
    """
    found = [_memoryOfOne(pid)]
    for child in descendants(pid):
        try:
            found.append(_memoryOfOne(child))
        except (OSError, KeyError):  # It has ended.
            continue
    return Memory(
        sum(each.resident for each in found),
        sum(each.proportional for each in found),
        sum(each.peak for each in found),
    )


def _memoryOfOne(pid: int) -> Memory:
    status = sizesOf(pid, "status")
    shared = sizesOf(pid, "smaps_rollup").get("Pss", 0)
    return Memory(
        *(size * 1.024 / 1000 for size in (status["VmRSS"], shared, status["VmHWM"]))
    )


def descendants(pid: int) -> list[int]:
    """
    The living children of a process, their children, and so on.
    """
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(pid, ()))
    for child in found:
        found.extend(children.get(child, ()))
    return found


def _clock(pid: int) -> float:
    # What clock_getcpuclockid(3) makes of a process id; see CPUCLOCK_SCHED in Linux.
    return time.clock_gettime((~pid << 3) | 2)


def _stat(pid: int) -> list[str]:
    """
    The fields of C{/proc/PID/stat} from the third (the state) on.
    """
    return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()


def _reaped(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / CLOCK_TICK


def sizesOf(pid: int, name: str) -> dict[str, int]:
    """
    Return the sizes in a file of C{/proc/PID}, in KB (of 1024 bytes).
    """
    lines = (PROC / str(pid) / name).read_text().splitlines()
    fields = (line.split() for line in lines)
    return {
        field[0].rstrip(":"): int(field[1])
        for field in fields
        if field and field[-1] == "kB"
    }
