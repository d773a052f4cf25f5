"""
Programs that are run to their end, or are ended.
"""

import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from openclaw.interfaces import ToolError

MAX_FLOOD_BYTES = 64 * 1024 * 1024
"""
A program that writes more than this, most of which nobody will see, is ended.
"""

LAST_GRACE_SECONDS = 1.0
"""
Seconds beyond its time-out that a program may take to end.
"""

ENVIRONMENT = frozenset(
    {"PATH", "HOME", "LANG", "TERM", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR"}
)
"""
Variables of the daemon's environment that programs get, with all C{LC_}. The rest may
hold secrets.
"""


def scrubbed(environ: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """
    An environment without secrets.

    @param more: The names of variables that are wanted too.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in ENVIRONMENT or name.startswith("LC_") or name in more
    }


class BoundedOutput:
    """
    The output of a program: its beginning and its end.
    """

    def __init__(self, limit: int) -> None:
        """
        @param limit: The bytes that are kept.
        """
        self._headRoom = limit - limit // 2
        self._tailRoom = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tailSize = 0
        self.size = 0

    def add(self, data: bytes) -> None:
        """
        Keep what comes next, and forget what is in the middle.
        """
        self.size += len(data)
        room = self._headRoom - len(self._head)
        self._head += data[:room]
        data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tailSize += len(data)
        while self._tail and self._tailSize - len(self._tail[0]) >= self._tailRoom:
            self._tailSize -= len(self._tail.popleft())

    def text(self) -> str:
        """
        All that was kept, with a note where something is left out.
        """
        tail = b"".join(self._tail)[-self._tailRoom :] if self._tailRoom else b""
        left = self.size - len(self._head) - len(tail)
        if not left:
            return (self._head + tail).decode("utf-8", "replace")
        return (
            f"{self._head.decode('utf-8', 'replace')}\n[... {left} bytes left out"
            f" ...]\n{tail.decode('utf-8', 'replace')}"
        )


@dataclass(frozen=True)
class Ending:
    """
    The end of a program.

    @ivar status: Its exit status, or C{None}.
    @ivar signal: The signal that ended it, or C{None}.
    @ivar why: C{"time"} or C{"flood"} if we ended it, for one of these, or C{None}.
    """

    status: int | None
    signal: int | None
    why: str | None = None

    def __str__(self) -> str:
        """
        Say it in a few words.
        """
        if self.signal is None:
            return f"exit status {self.status}"
        try:
            return f"ended by {signal.Signals(self.signal).name}"
        except ValueError:
            # Most of the real-time ones have no name.
            return f"ended by signal {self.signal}"


@dataclass(frozen=True, kw_only=True)
class Program:
    """
    A program to run.

    @ivar arguments: The program's path and its arguments.
    @ivar seconds: How long it may take.
    @ivar graceSeconds: How long it may take to end once its standard input is
        closed; then it is killed.
    @ivar descriptors: Files that it gets, by its own numbers for them, from 3 on.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    seconds: float
    graceSeconds: float
    descriptors: Mapping[int, int]


def runProgram(
    reactor: Any, program: Program, output: BoundedOutput
) -> "Deferred[Ending]":
    """
    Run a program.  It, and what is left of its process group, has ended when this
    fires; also when it is cancelled.

    @param output: Gets all that it writes.

    @return: How it ended.  Fails with L{ToolError} if it could not begin.
    """
    return Deferred.fromCoroutine(_run(reactor, program, output))


async def _run(reactor: Any, program: Program, output: BoundedOutput) -> Ending:
    child = _Child(reactor, program, output)
    try:
        reactor.spawnProcess(
            child,
            program.arguments[0],
            list(program.arguments),
            env=dict(program.environment),
            childFDs={0: "w", 1: "r", 2: "r", **program.descriptors},
        )
    except OSError as error:
        raise ToolError(f"No process could be started: {error.strerror}.") from None
    try:
        return await child.done
    except CancelledError:
        child.end("cancel")
        await child.gone
        raise


class _Child(ProcessProtocol):
    """
    A running program.

    @ivar done: Fires with its L{Ending}.
    @ivar gone: Fires at the same time, and is never cancelled.
    """

    transport: IProcessTransport

    def __init__(self, reactor: Any, program: Program, output: BoundedOutput) -> None:
        self.done: Deferred[Ending] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._reactor = reactor
        self._output = output
        self._grace = program.graceSeconds
        self._why: str | None = None
        self._pid: int | None = None
        self._seconds = program.seconds
        self._timer: IDelayedCall

    def connectionMade(self) -> None:
        self._pid = self.transport.pid
        self._timer = self._reactor.callLater(self._seconds, self.end, "time")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._output.add(data)
        if self._output.size > MAX_FLOOD_BYTES:
            self.end("flood")

    def end(self, why: str) -> None:
        """
        Ask it to end, and see to it that it does.
        """
        if self._why is not None:
            return
        self._why = why
        if self._timer.active():
            self._timer.cancel()
        self.transport.closeStdin()
        self._timer = self._reactor.callLater(self._grace, self._kill)

    def _kill(self) -> None:
        self._sweep()
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        # Somebody else may still hold the other ends.
        self.transport.loseConnection()

    def _sweep(self) -> None:
        """
        Kill what is left of the program's group, if it leads one.
        """
        if self._pid is None:
            return
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def processExited(self, reason: Failure) -> None:
        # Its number can't be another group's yet: they are given out in turn.
        self._sweep()

    def processEnded(self, reason: Failure) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._pid = None
        error = reason.value
        if isinstance(error, ProcessTerminated):
            ending = Ending(error.exitCode, error.signal, self._why)
        else:
            assert isinstance(error, ProcessDone)
            ending = Ending(0, None, self._why)
        if not self.done.called:
            self.done.callback(ending)
        self.gone.callback(None)
