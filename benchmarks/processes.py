"""
Processes as Linux accounts for them: CPU time, memory, cores and files.

CPU time is user and system time together, of all threads, those that have ended
included.  It is read from each process's own CPU clock, which counts nanoseconds;
C{/proc/PID/stat} has the same sum, but in ticks of 10 ms, which is the cost of ten
requests.  A process is charged for all that it has started: the living by their clocks,
those that have ended by the ticks that their parent was told.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

PROC = Path("/proc")
CLOCK_TICK = os.sysconf("SC_CLK_TCK")
SPARE_FILES = 200
_T = TypeVar("_T")


class CPU(msgspec.Struct, frozen=True):
    """
    The CPU time that a process and its descendants have used so far.
    """

    clocks: Mapping[int, float]  # seconds of each living one, by process id
    ended: float = 0.0  # seconds of those that have ended

    def total(self) -> float:
        return sum(self.clocks.values()) + self.ended


class Used(msgspec.Struct, frozen=True):
    """
    The CPU time that was used between two moments.
    """

    tree: float  # seconds of the process and all that descends from it
    busiest: float  # seconds of that one of them which used the most


class Memory(msgspec.Struct, frozen=True):
    """
    The memory of a process and all that descends from it, in MB (of a million bytes).
    """

    resident: float  # resident pages; those that processes share are counted in each
    proportional: float  # the same, with shared pages divided among all that share them
    peak: float  # the sum of each one's own greatest resident size


def cpuOf(pid: int) -> CPU:
    """
    Return the CPU time that a process and its descendants have used so far.

    @raise OSError: There is no such process.
    """
    found = _ofTree(pid, lambda each: (each, _clock(each), _reaped(each)))
    return CPU(
        {each: clock for each, clock, _ in found}, sum(reaped for *_, reaped in found)
    )


def usedBetween(before: CPU, after: CPU) -> Used:
    """
    Return the CPU time between two readings.  A process that ended in between is in
    its parent's sum with all that it ever used: its time before is taken off.
    """
    own = {pid: now - before.clocks.get(pid, 0.0) for pid, now in after.clocks.items()}
    gone = sum(used for pid, used in before.clocks.items() if pid not in after.clocks)
    ended = max(0.0, after.ended - before.ended - gone)
    return Used(sum(own.values()) + ended, max([*own.values(), ended]))


def memoryOf(pid: int) -> Memory:
    """
    Return the memory of a process and its descendants.

    @raise OSError: There is no such process.
    """
    found = _ofTree(pid, _memoryOfOne)
    return Memory(*(sum(each) * 1.024 / 1000 for each in zip(*found, strict=True)))


def _memoryOfOne(pid: int) -> tuple[int, int, int]:
    status = sizesOf(pid, "status")
    shared = sizesOf(pid, "smaps_rollup").get("Pss", 0)
    return status["VmRSS"], shared, status["VmHWM"]


def _ofTree(pid: int, read: Callable[[int], _T]) -> list[_T]:
    found = [read(pid)]
    for child in descendants(pid):
        try:
            found.append(read(child))
        except (OSError, KeyError):  # It ended just now.
            continue
    return found


def descendants(pid: int) -> list[int]:
    """
    Return the living children of a process, their children, and so on.
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
    # The clock of clock_getcpuclockid(3) for a process id; see CPUCLOCK_SCHED in Linux.
    return time.clock_gettime((~pid << 3) | 2)


def _stat(pid: int) -> list[str]:
    """
    Return the fields of C{/proc/PID/stat} from the third (the state) on.
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


class Cores(msgspec.Struct, frozen=True):
    """
    The cores that the measured server, the mock upstream and the load generator use:
    pinned, if the server has one that the measuring does not use.
    """

    server: Sequence[int]
    upstream: Sequence[int]
    load: Sequence[int]

    @property
    def pinned(self) -> bool:
        return not {*self.server} & {*self.upstream, *self.load}

    @property
    def testers(self) -> int:
        return len({*self.upstream, *self.load})


def oneCoreFor(available: Sequence[int]) -> Cores:
    """
    Assign a core to the server, and others to the measuring, as far as they go.
    """
    if len(available) < 2:
        return everyCore(available)
    server, *others = available
    return Cores([server], [others[0]], [others[1 if len(others) > 1 else 0]])


def twoCoresFor(available: Sequence[int]) -> Cores:
    """
    Assign two cores to the server, if that leaves one each for the upstream and the
    load.
    """
    if len(available) < 4:
        return everyCore(available)
    return Cores(available[:2], [available[2]], [available[3]])


def everyCore(available: Sequence[int]) -> Cores:
    return Cores(available, available, available)


def usable() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def startingOn(cores: Sequence[int]) -> Iterator[None]:
    """
    Restrict the processes that are started in this context to these cores.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allowFiles() -> int:
    """
    Allow as many open files as the machine lets this process have, and those that
    it starts.

    @return: The number of streams that a server can relay with them: each has two.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return (hard - SPARE_FILES) // 2
