"""
A program that runs beside the tests.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

STDOUT, STDERR = 1, 2


class Program(ProcessProtocol):
    """
    A process whose output the test reads by lines.

    @ivar lines: The lines of its standard output and standard error so far.
    @ivar ended: Fires when it has been reaped.
    @ivar status: Its exit status, once it has ended; C{None} if a signal ended it.
    @ivar signal: The signal that ended it, if one did.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ended: Deferred[None] = Deferred()
        self.status: int | None = None
        self.signal: int | None = None
        self._outputs = {STDOUT: b"", STDERR: b""}
        self._begun = {STDOUT: b"", STDERR: b""}
        self._awaited: list[tuple[str, Deferred[re.Match[str]]]] = []

    def start(
        self, reactor: Any, command: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        """
        Start it.
        """
        reactor.spawnProcess(self, command[0], command, env=dict(environ))

    # Output

    @property
    def output(self) -> str:
        """
        Return its standard output so far.
        """
        return self._outputs[STDOUT].decode()

    @property
    def text(self) -> str:
        """
        Return all its output so far.
        """
        return "\n".join(self.lines)

    def line(self, pattern: str) -> "Deferred[re.Match[str]]":
        """
        Wait for a line with this pattern, unless there is one already.
        """
        for line in self.lines:
            found = re.search(pattern, line)
            if found is not None:
                awaited: Deferred[re.Match[str]] = Deferred()
                awaited.callback(found)
                return awaited
        return self.nextLine(pattern)

    def nextLine(self, pattern: str) -> "Deferred[re.Match[str]]":
        """
        Wait for a later line with this pattern.
        """
        awaited: Deferred[re.Match[str]] = Deferred()
        self._awaited.append((pattern, awaited))
        if self.ended.called:
            self._disappoint()
        return awaited

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._outputs[childFD] += data
        *whole, self._begun[childFD] = (self._begun[childFD] + data).split(b"\n")
        for line in whole:
            self._wrote(line.decode())

    def _wrote(self, line: str) -> None:
        self.lines.append(line)
        for entry in list(self._awaited):
            pattern, awaited = entry
            found = re.search(pattern, line)
            if found is not None:
                self._awaited.remove(entry)
                awaited.callback(found)

    def _disappoint(self) -> None:
        disappointed, self._awaited = self._awaited, []
        for pattern, awaited in disappointed:
            awaited.errback(
                AssertionError(f"ended without saying {pattern!r}:\n{self.text}")
            )

    # Start and end

    @property
    def pid(self) -> int:
        """
        Return its process id.
        """
        return self.transport.pid

    def send(self, signal: str) -> None:
        """
        Send it a signal, such as C{"TERM"}.
        """
        self.transport.signalProcess(signal)

    async def stop(self, signal: str = "TERM") -> None:
        """
        End it with a signal, unless it has ended, and wait for that.
        """
        try:
            self.send(signal)
        except ProcessExitedAlready:
            pass
        await self.ended

    async def abandon(self) -> None:
        """
        Kill it at the end of a test.  A test that timed out waits for a line no more:
        to fail a second time would be reported as the error of another test.
        """
        self._awaited.clear()
        await self.stop("KILL")

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.status = reason.value.exitCode
        self.signal = reason.value.signal
        for left in self._begun.values():
            if left:
                self._wrote(left.decode())
        self.ended.callback(None)
        self._disappoint()


__all__ = ["Program"]
