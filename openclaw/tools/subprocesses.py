"""
Running programs with limits of time and output.
"""

import os
import signal
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from openclaw.interfaces import ToolError

MAX_WRITTEN_BYTES = 64 * 1024 * 1024
"""
A program that writes more than this is stopped.
"""

CONTINUATION = bytes(range(0x80, 0xC0))
"""
The bytes of UTF-8 that continue a character.
"""

EXIT_GRACE_SECONDS = 1.0
"""
Seconds beyond its time-out that a program may take to end.
"""

ENVIRONMENT = frozenset(
    {"PATH", "HOME", "LANG", "TERM", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR"}
)
"""
Variables of the daemon's environment that programs get, with all C{LC_}.  The others
may contain secrets.
"""


def scrubEnvironment(
    environ: Mapping[str, str], more: Sequence[str] = ()
) -> dict[str, str]:
    """
    Return an environment without secrets.

    @param more: The names of further variables to pass on.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in ENVIRONMENT or name.startswith("LC_") or name in more
    }


class BoundedOutput:
    """
    The beginning and the end of a program's output.
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
        Append data, and drop the middle beyond the limit.
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
        Return the kept output, with a note where something is left out.
        """
        tail = b"".join(self._tail)[-self._tailRoom :] if self._tailRoom else b""
        left = self.size - len(self._head) - len(tail)
        if not left:
            return (self._head + tail).decode("utf-8", "replace")
        # A character that is cut is left out.
        decoder = getincrementaldecoder("utf-8")("replace")
        head = decoder.decode(self._head)
        left += len(decoder.getstate()[0])
        whole = tail.lstrip(CONTINUATION) if len(tail) > 4 else tail
        if len(tail) - len(whole) < 4:
            left += len(tail) - len(whole)
            tail = whole
        return (
            f"{head}\n[... {left} bytes left out ...]\n"
            f"{tail.decode('utf-8', 'replace')}"
        )


@dataclass(frozen=True)
class ExitStatus:
    """
    The status of a program that has ended.

    @ivar code: Its exit status, or C{None}.
    @ivar signal: The signal that ended it, or C{None}.
    @ivar stopReason: C{"timeout"}, C{"output"} (it wrote too much) or C{"cancel"} if
        the daemon stopped it; else C{None}.
    """

    code: int | None
    signal: int | None
    stopReason: str | None = None

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit status {self.code}"
        return f"ended by {nameSignal(self.signal)}"


def nameSignal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Most real-time signals have no name.
        return f"signal {number}"


@dataclass(frozen=True, kw_only=True)
class Program:
    """
    A program to run.

    @ivar arguments: The program's path and its arguments.
    @ivar seconds: Its time-out.
    @ivar graceSeconds: Seconds to end once its standard input is closed; then it is
        killed.
    @ivar descriptors: Further open files: its own descriptors, from 3 on, to ours.
    @ivar exited: Called when the program has ended, but others may still hold its
        output.  If it returns a Deferred, its output ends when that has fired.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    seconds: float
    graceSeconds: float
    descriptors: Mapping[int, int]
    exited: "Callable[[], Deferred[None] | None]" = lambda: None


def runProgram(
    reactor: Any, program: Program, output: BoundedOutput
) -> "Deferred[ExitStatus]":
    """
    Run a program.  It and the rest of its process group have ended when the Deferred
    fires, also when it is cancelled.

    @param output: Receives all output.
    @return: The program's status.  Fails with L{ToolError} if it could not be started.
    """
    return Deferred.fromCoroutine(_run(reactor, program, output))


async def _run(reactor: Any, program: Program, output: BoundedOutput) -> ExitStatus:
    child = _ProgramProtocol(reactor, program, output)
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
        child.stop("cancel")
        await child.ended
        raise


class _ProgramProtocol(ProcessProtocol):
    """
    The protocol of a running program.

    @ivar done: Fires with its L{ExitStatus}.
    @ivar ended: Fires at the same time, and is never cancelled.
    """

    transport: IProcessTransport

    def __init__(self, reactor: Any, program: Program, output: BoundedOutput) -> None:
        self.done: Deferred[ExitStatus] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._reactor = reactor
        self._output = output
        self._grace = program.graceSeconds
        self._stopReason: str | None = None
        self._pid: int | None = None
        self._seconds = program.seconds
        self._exited = program.exited
        self._timer: IDelayedCall

    def connectionMade(self) -> None:
        self._pid = self.transport.pid
        self._timer = self._reactor.callLater(self._seconds, self.stop, "timeout")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._output.add(data)
        if self._output.size > MAX_WRITTEN_BYTES:
            self.stop("output")

    def stop(self, reason: str) -> None:
        """
        Close the program's standard input, and kill it after the grace.
        """
        if self._stopReason is not None:
            return
        self._stopReason = reason
        if self._timer.active():
            self._timer.cancel()
        self.transport.closeStdin()
        self._timer = self._reactor.callLater(self._grace, self._kill)

    def _kill(self) -> None:
        self._killGroup()
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        # Other processes may still hold the pipes.
        self.transport.loseConnection()

    def _killGroup(self) -> None:
        """
        Kill the rest of the program's process group, if it leads one.
        """
        if self._pid is None:
            return
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def processExited(self, reason: Failure) -> None:
        # The process ID is not reused this soon: they are assigned in turn.
        self._killGroup()
        cleaning = self._exited()
        if cleaning is not None:
            # What is left then has escaped.
            cleaning.addBoth(lambda _: self.transport.loseConnection())

    def processEnded(self, reason: Failure) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._pid = None
        error = reason.value
        if isinstance(error, ProcessTerminated):
            ending = ExitStatus(error.exitCode, error.signal, self._stopReason)
        else:
            assert isinstance(error, ProcessDone)
            ending = ExitStatus(0, None, self._stopReason)
        if not self.done.called:
            self.done.callback(ending)
        self.ended.callback(None)
