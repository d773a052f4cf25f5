"""
What a process costs: its CPU time and its memory, as Linux accounts for them.

CPU time is user and system time together, of all threads, those that have ended
included.  It is read from the process's own CPU clock, which counts nanoseconds;
C{/proc/PID/stat} has the same sum, but in ticks of 10 ms, which is the cost of ten
requests.
"""

import time
from pathlib import Path

import msgspec

PROC = Path("/proc")
CLOCK_TICK = 100
"""
The ticks of a second in C{/proc}; the same on all of Linux's usual machines.
"""


class CPU(msgspec.Struct, frozen=True):
    """
    Seconds of CPU time.

    @ivar own: Of the process itself.
    @ivar tree: Of the process and all that descends from it, the children that have
        ended included.
    """

    own: float
    tree: float

    def __sub__(self, earlier: "CPU") -> "CPU":
        return CPU(self.own - earlier.own, self.tree - earlier.tree)


class Memory(msgspec.Struct, frozen=True):
    """
    Resident memory, in MB (of a million bytes).

    @ivar now: What is resident at this moment.
    @ivar peak: The most that ever was.
    @ivar tree: What is resident now in the process and all that descends from it.
        Pages that they share are counted in each.
    """

    now: float
    peak: float
    tree: float


def cpuOf(pid: int) -> CPU:
    """
    The CPU time that a process has used so far.

    @raise OSError: There is no such process.
    """
    own = _clock(pid)
    reaped = _reaped(pid)
    for child in descendants(pid):
        try:
            reaped += _clock(child) + _reaped(child)
        except OSError:  # It ended just now, and its parent will account for it.
            continue
    return CPU(own, own + reaped)


def memoryOf(pid: int) -> Memory:
    """
    The memory that a process holds.

    @raise OSError: There is no such process.
    """
    status = _status(pid)
    tree = status["VmRSS"]
    for child in descendants(pid):
        try:
            tree += _status(child).get("VmRSS", 0.0)
        except OSError:
            continue
    return Memory(status["VmRSS"], status["VmHWM"], tree)


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


def _status(pid: int) -> dict[str, float]:
    """
    The sizes in C{/proc/PID/status}, in MB.
    """
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    fields = (line.split() for line in lines)
    return {
        field[0].rstrip(":"): int(field[1]) * 1024 / 1e6
        for field in fields
        if field[-1] == "kB"
    }


__all__ = ["CPU", "Memory", "cpuOf", "descendants", "memoryOf"]
