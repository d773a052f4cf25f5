"""
Runs one command and sees to it that nothing of it is left.

This file is a program: C{python -I -S reaper.py GRACE DIRECTORY COMMAND...}.  It
leads a new session and process group, runs the command in it, and waits.  When the
command has ended, or standard input has (its other end is held by the daemon: so
also when the daemon dies), it asks whatever still runs to end, waits C{GRACE}
seconds, and kills the rest.  On Linux that includes processes that have left the
group: as a I{subreaper} the reaper inherits them.

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

KEPT_OUT = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGPIPE,
)
"""
Signals that the command may send its whole group, of which the reaper is one.
"""


class Reaper:
    """
    The command's process, and all that come from it.

    @ivar _status: How the command ended, as C{waitpid} says; C{None} before.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._status: int | None = None
        self._command = 0
        self._childless = False

    def run(self, directory: str, command: list[str]) -> int:
        """
        Run the command to its end, and to that of all others.

        @return: As C{waitpid} says.
        """
        wakeup, wakes = os.pipe()
        os.set_blocking(wakes, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self._command = os.fork()
        if self._command == 0:
            _become(directory, command)
        # Whoever holds the pipe's other end must see it close when we are done.
        watched = [0, wakeup]
        while self._status is None and 0 in watched:
            ready, _, _ = select.select(watched, [], [])
            if 0 in ready and not os.read(0, 4096):
                watched.remove(0)
            self._drain(wakeup)
            self._reap()
        self._end(signal.SIGTERM, wakeup)
        self._end(signal.SIGKILL, wakeup)
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

    def _end(self, number: int, wakeup: int) -> None:
        """
        Send all a signal, and wait until they are gone or the grace is over.
        """
        deadline = time.monotonic() + self._grace
        told: set[int] = set()
        while not self._childless:
            for pid in descendants():
                # Once is enough, but to be killed again does no harm.
                if pid not in told or number == signal.SIGKILL:
                    told.add(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            select.select([wakeup], [], [], min(left, 0.05))
            self._drain(wakeup)
            self._reap()


def descendants() -> Iterator[int]:
    """
    All processes that come from this one.  Without C{/proc} there is no telling
    which they are: then the group gets the signal, from which this one is safe
    unless it is SIGKILL.  That one is left to the daemon.
    """
    parents: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        names = []
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                # The second field, in parentheses, may hold anything.
                fields = file.read().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(name))
    waiting = parents.get(os.getpid(), [])
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(parents.get(pid, []))


def _become(directory: str, command: list[str]) -> None:
    """
    Be the command.  Doesn't return.
    """
    try:
        signal.set_wakeup_fd(-1)
        for number in (*KEPT_OUT, signal.SIGCHLD):
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
    Be the reaper.  Doesn't return.
    """
    os.setsid()
    os.dup2(1, 2)
    for number in KEPT_OUT:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    status = Reaper(float(arguments[0])).run(arguments[1], arguments[2:])
    if os.WIFEXITED(status):
        os._exit(os.WEXITSTATUS(status))
    ended = os.WTERMSIG(status)
    # A signal that makes a core file would make one of the reaper.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ended != signal.SIGKILL:
        signal.signal(ended, signal.SIG_DFL)
    os.kill(os.getpid(), ended)


if __name__ == "__main__":
    main(sys.argv[1:])
