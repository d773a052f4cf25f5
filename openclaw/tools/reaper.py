"""
The program that runs one command, and leaves no process of it behind.

This file is a program: C{python -I -S reaper.py GRACE DIRECTORY COMMAND...}.  It leads
a new session and process group, runs the command in it, and waits.  When the command
has ended, or standard input has been closed (the daemon holds its other end, so this
includes the daemon's death), it sends SIGTERM to all processes that still run, waits
C{GRACE} seconds, and kills the rest.  On Linux that includes processes that have left
the group: as a I{subreaper}, the reaper inherits them.

It ends as the command did: with its exit status, or by its signal.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
CANNOT_RUN = 127

IGNORED_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGPIPE,
)
"""
Signals that the command may send to its whole group, which includes the reaper.
"""


class Reaper:
    """
    The command's process and its descendants.

    @ivar _status: The command's status as C{waitpid} returns it; C{None} while it runs.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._status: int | None = None
        self._command = 0
        self._childless = False

    def run(self, directory: str, command: list[str]) -> int:
        """
        Run the command until it and its descendants have ended.

        @return: The status as C{waitpid} returns it.
        """
        wakeup, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._command = os.fork()
        if self._command == 0:
            _execute(directory, command)
        # The daemon must see the pipe close when the reaper is done.
        watched = [0, wakeup]
        while self._status is None and 0 in watched:
            ready, _, _ = select.select(watched, [], [])
            if 0 in ready and not os.read(0, 4096):
                watched.remove(0)
            self._drain(wakeup)
            self._reap()
        self._signalAll(signal.SIGTERM, wakeup)
        self._signalAll(signal.SIGKILL, wakeup)
        return signal.SIGKILL if self._status is None else self._status

    def _drain(self, wakeup: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 4096)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._command:
                self._status = status

    def _signalAll(self, number: int, wakeup: int) -> None:
        """
        Send a signal to all descendants, and wait until they have ended or the grace is
        over.
        """
        deadline = time.monotonic() + self._grace
        signalled: set[int] = set()
        while not self._childless:
            for pid in findDescendants():
                # One signal is enough; a repeated SIGKILL does no harm.
                if pid not in signalled or number == signal.SIGKILL:
                    signalled.add(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            select.select([wakeup], [], [], min(left, 0.05))
            self._drain(wakeup)
            self._reap()


def findDescendants() -> Iterator[int]:
    """
    Find all descendants of this process.  Without C{/proc} they cannot be found; then
    the group gets the signal, which this process ignores unless it is SIGKILL.  That
    one is left to the daemon.
    """
    parents: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        names = []
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                # The second field, in parentheses, may contain blanks.
                fields = file.read().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(name))
    waiting = parents.get(os.getpid(), [])
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(parents.get(pid, []))


def _execute(directory: str, command: list[str]) -> None:
    """
    Replace this process by the command.  Does not return.
    """
    try:
        signal.set_wakeup_fd(-1)
        for number in (*IGNORED_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(directory)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execv(command[0], command)
    except OSError as error:
        os.write(1, f"{error.filename or command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(CANNOT_RUN)


def main(arguments: list[str]) -> None:
    """
    Run the reaper.  Does not return.
    """
    os.setsid()
    os.dup2(1, 2)
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    status = Reaper(float(arguments[0])).run(arguments[1], arguments[2:])
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    ended = os.WTERMSIG(status)
    # The reaper must not write a core file for the command's signal.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ended != signal.SIGKILL:
        signal.signal(ended, signal.SIG_DFL)
    os.kill(os.getpid(), ended)


if __name__ == "__main__":
    main(sys.argv[1:])
