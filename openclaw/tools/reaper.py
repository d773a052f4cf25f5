"""
The program that runs one command and leaves no process of it behind.

It is started as C{python -I -S reaper.py JOB}, with the job in JSON: C{command},
C{directory}, C{grace} in seconds and C{limits}, see L{Limits}.  It leads a new session
and starts a parent for the command, which has a process group of its own, and waits.
The command ends or is stopped, its parent is killed or stopped, standard input is
closed (the daemon holds its other end, so this includes the daemon's death), or a limit
is exceeded: then it sends SIGTERM to all processes that still run, waits C{grace}
seconds, and kills the rest.  On Linux that includes processes that have left the group:
as a I{subreaper} it inherits them.  In a sandbox it is the first process of its PID
namespace, which no other process there can kill or stop.

It writes the command's end to the descriptor L{REPORT}, as JSON: C{code}, C{signal} or
C{stopped}, and the C{limit} that was exceeded.  Without a report it was killed.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

REPORT = 3
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
CANNOT_RUN = 127
LIMIT_SECONDS = 0.05
"""
Seconds between two looks at the limits.
"""

IGNORED_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGPIPE,
)
"""
Signals that the command may send to its whole group, which includes its parent.
"""


@dataclass(frozen=True)
class Limits:
    """
    The limits of all processes of a command together.

    @ivar processes: Their number, threads included.
    @ivar memory: Their resident memory in bytes, and the data of each one.
    @ivar fileSize: The size in bytes of a file that one writes.
    @ivar disk: The bytes by which the free space of the directory's file system may
        shrink; never more than half of it.
    """

    processes: int
    memory: int
    fileSize: int
    disk: int

    def setForProcess(self) -> None:
        """
        Set the limits that the system enforces for each process.
        """
        for kind, limit in (
            # The reaper ends the command before; this is for between its looks.
            (resource.RLIMIT_NPROC, 2 * self.processes),
            (resource.RLIMIT_DATA, self.memory),
            (resource.RLIMIT_FSIZE, self.fileSize),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                limit = min(limit, hard)
            resource.setrlimit(kind, (limit, limit))


class Reaper:
    """
    The command's process and its descendants.

    @ivar _end: The command's end, for the report; C{None} while it runs.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._grace: float = job["grace"]
        self._directory: str = job["directory"]
        self._command: list[str] = job["command"]
        self._limits = Limits(**job["limits"]) if job["limits"] else None
        self._end: dict[str, int | str] | None = None
        self._parent = 0
        self._childless = False
        self._leastFree = 0

    def run(self) -> dict[str, int | str]:
        """
        Run the command until it and its descendants have ended.

        @return: The report.
        """
        wakeup, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        if self._limits is not None:
            free = self._freeSpace()
            self._leastFree = free - min(self._limits.disk, free // 2)
        ends, reports = os.pipe()
        self._parent = os.fork()
        if self._parent == 0:
            _runParent(self._directory, self._command, reports, self._limits)
        os.close(reports)
        watched = [0, wakeup, ends]
        seconds = LIMIT_SECONDS if self._limits else None
        while self._end is None and 0 in watched:
            ready, _, _ = select.select(watched, [], [], seconds)
            if 0 in ready and not os.read(0, 4096):
                watched.remove(0)
            if ends in ready:
                self._readEnd(ends)
            self._drain(wakeup)
            self._reap()
            self._checkLimits()
        if self._end is None or "limit" not in self._end:
            self._signalAll(signal.SIGTERM, wakeup)
        self._signalAll(signal.SIGKILL, wakeup)
        return self._end or {"signal": int(signal.SIGKILL)}

    def _readEnd(self, ends: int) -> None:
        """
        Read the command's end from its parent.
        """
        data = os.read(ends, 4096)
        # If there is none, the parent has been killed, and with it the command.
        self._end = json.loads(data) if data else {"signal": int(signal.SIGKILL)}

    def _drain(self, wakeup: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 4096)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._parent and os.WIFSTOPPED(status) and self._end is None:
                self._end = {"stopped": os.WSTOPSIG(status)}

    def _checkLimits(self) -> None:
        limits = self._limits
        if limits is None or self._end is not None:
            return
        processes = memory = 0
        for pid in _listProcesses():
            fields = _readStat(pid)
            if fields is not None and pid != os.getpid():
                processes += int(fields[17])
                memory += int(fields[21]) * resource.getpagesize()
        # The command's parent is not its own.
        if processes > limits.processes + 1:
            self._end = {"limit": "processes"}
        elif memory > limits.memory:
            self._end = {"limit": "memory"}
        elif self._freeSpace() < self._leastFree:
            self._end = {"limit": "disk"}

    def _freeSpace(self) -> int:
        try:
            status = os.statvfs(self._directory)
        except OSError:
            return 0
        return status.f_bavail * status.f_frsize

    def _signalAll(self, number: int, wakeup: int) -> None:
        """
        Send a signal to all descendants, and wait until they have ended or the grace is
        over.
        """
        deadline = time.monotonic() + self._grace
        signalled: set[int] = set()
        while not self._childless:
            if number == signal.SIGKILL and os.getpid() == 1:
                # At once, so that none can escape by forking.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, number)
            for pid in findDescendants():
                # One signal is enough; a repeated SIGKILL does no harm.
                if pid not in signalled or number == signal.SIGKILL:
                    signalled.add(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
                        # One that is stopped gets the signal when it continues.
                        os.kill(pid, signal.SIGCONT)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            select.select([wakeup], [], [], min(left, 0.05))
            self._drain(wakeup)
            self._reap()


def _listProcesses() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _readStat(pid: int) -> list[str] | None:
    """
    Read the fields of a process from the third one on, its state.
    """
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            # The second field, in parentheses, may contain blanks.
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def findDescendants() -> Iterator[int]:
    """
    Find all descendants of this process.  Without C{/proc} they cannot be found; those
    that have not left the group are then left to the daemon.
    """
    parents: dict[int, list[int]] = {}
    for each in _listProcesses():
        fields = _readStat(each)
        if fields is not None:
            parents.setdefault(int(fields[1]), []).append(each)
    waiting = parents.get(os.getpid(), [])
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(parents.get(pid, []))


def _control(option: int, value: int) -> None:
    """
    Call C{prctl} where there is one.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _runParent(
    directory: str, command: list[str], reports: int, limits: Limits | None
) -> None:
    """
    Run the command as a child, in a process group of their own, and write its end to
    C{reports}.  Does not return.
    """
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _control(DEATH_SIGNAL, signal.SIGKILL)
        os.close(REPORT)
        pid = os.fork()
        if pid == 0:
            _execute(directory, command, limits)
        _, status = os.waitpid(pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            end = {"stopped": os.WSTOPSIG(status)}
        elif os.WIFSIGNALED(status):
            end = {"signal": os.WTERMSIG(status)}
        else:
            end = {"code": os.WEXITSTATUS(status)}
        os.write(reports, json.dumps(end).encode())
    finally:
        os._exit(0)


def _execute(directory: str, command: list[str], limits: Limits | None) -> None:
    """
    Replace this process by the command.  Does not return.
    """
    try:
        _control(DEATH_SIGNAL, signal.SIGKILL)
        for number in IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.chdir(directory)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        if limits is not None:
            limits.setForProcess()
        os.execv(command[0], command)
    except OSError as error:
        os.write(1, f"{error.filename or command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_RUN)


def main(job: str) -> None:
    """
    Run the reaper.  Does not return.
    """
    with contextlib.suppress(PermissionError):
        os.setsid()
    os.dup2(1, 2)
    os.set_inheritable(REPORT, False)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _control(SUBREAPER, 1)
    report = Reaper(json.loads(job)).run()
    os.write(REPORT, json.dumps(report).encode())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
