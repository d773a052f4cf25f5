"""
The C{openclaw} command as a process.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import tests


class Command(ProcessProtocol):
    """
    A process of the command.

    @ivar ended: Fires with the exit status; C{None} if a signal ended it.
    """

    def __init__(self) -> None:
        self.ended: Deferred[int | None] = Deferred()
        self._out = b""
        self._err = b""
        self._awaited: list[tuple[str, Deferred[None]]] = []

    @classmethod
    def start(
        cls, environ: Mapping[str, str], *arguments: str, stdin: bytes | None = None
    ) -> "Command":
        """
        Start the process.

        @param environ: Additions to this process's environment.
        @param stdin: The standard input, if any.
        """
        command = cls()
        root = Path(tests.__file__).absolute().parent.parent
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("OPENCLAW_")
        }
        reactor.spawnProcess(
            command,
            sys.executable,
            [sys.executable, "-m", "openclaw.cli.main", *arguments],
            env={**inherited, "PYTHONPATH": str(root), **environ},
        )
        if stdin is not None:
            command.transport.write(stdin)
        command.transport.closeStdin()
        return command

    @property
    def stdout(self) -> str:
        """
        Return the standard output so far.
        """
        return self._out.decode()

    @property
    def stderr(self) -> str:
        """
        Return the standard error so far.
        """
        return self._err.decode()

    def until(self, text: str) -> Deferred[None]:
        """
        Wait until the output is exactly this.
        """
        awaited: Deferred[None] = Deferred()
        self._awaited.append((text, awaited))
        self._check()
        return awaited

    def interrupt(self) -> None:
        """
        Send SIGINT, like Ctrl-C.
        """
        self.transport.signalProcess("INT")

    def kill(self) -> None:
        """
        Leave no process behind when a test fails.
        """
        if not self.ended.called:
            self.transport.signalProcess("KILL")

    def _check(self) -> None:
        for text, awaited in list(self._awaited):
            if self.stdout == text:
                self._awaited.remove((text, awaited))
                awaited.callback(None)

    def outReceived(self, data: bytes) -> None:
        self._out += data
        self._check()

    def errReceived(self, data: bytes) -> None:
        self._err += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.exitCode)


__all__ = ["Command"]
