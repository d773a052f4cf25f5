"""
The daemon's side of one process of the embedded model.
"""

import sys
from collections.abc import Mapping
from typing import cast

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import (
    IDelayedCall,
    IProcessTransport,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from openclaw.models.local.engine_messages import (
    RESPONSE,
    STDERR,
    STDIN,
    STDOUT,
    EngineListening,
    EngineOrder,
    EngineResponse,
)
from openclaw.models.local.llama_log import LineSplitter, readRecord

PROGRAM = "openclaw.models.local.engine_main"

ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "DYLD_LIBRARY_PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONPATH",
    "TMPDIR",
)
"""
Variables of the daemon's environment that the process gets; others may contain secrets.
"""

LOAD_SECONDS = 120.0
"""
Time-out for loading the model, in seconds.
"""

STOP_SECONDS = 5.0
"""
Kill the process if it has not ended after this long, in seconds.
"""

MAX_RESPONSE_BYTES = 65536


class ModelProcess(ProcessProtocol):
    """
    The protocol of the process.

    @ivar listening: Fires with the address of the model's HTTP server, such as
        C{http://127.0.0.1:41259}, once the model is loaded; or with C{None} once the
        process has ended without loading it.
    @ivar missingLibrary: The shared library for want of which it could not start.
    @ivar ended: Fires with C{None} once the process is reaped, after C{listening}.  No
        descriptor and no delayed call is left then.
    """

    transport: IProcessTransport

    def __init__(self, *, order: EngineOrder, clock: IReactorTime, log: Logger) -> None:
        self.listening: Deferred[str | None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._order = order
        self._clock = clock
        self._log = log
        self._killTimer: IDelayedCall | None = None
        self.missingLibrary: str | None = None
        self._stopping = False
        self._response = b""
        self._lines = {STDOUT: LineSplitter(), STDERR: LineSplitter()}

    def spawn(self, reactor: IReactorProcess, environment: Mapping[str, str]) -> None:
        """
        Start the process.  A failure to do so counts as a process that has ended.
        """
        variables = {n: environment[n] for n in ENVIRONMENT if n in environment}
        try:
            reactor.spawnProcess(
                self,
                sys.executable,
                # -P: do not import from the working directory.
                [sys.executable, "-P", "-m", PROGRAM],
                env=variables,
                childFDs={STDIN: "w", STDOUT: "r", STDERR: "r", RESPONSE: "r"},
            )
        except OSError:
            self.processEnded(Failure())

    def stop(self) -> None:
        """
        Stop the process; L{ended} fires when it has ended.
        """
        if not self.ended.called:
            self._stopping = True
            self.transport.closeStdin()
            self._killAfter(STOP_SECONDS, "ending")

    def connectionMade(self) -> None:
        self.transport.write(msgspec.json.encode(self._order) + b"\n")
        self._killAfter(LOAD_SECONDS, "loading")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD != RESPONSE:
            for line in self._lines[childFD].feed(data):
                self._logLine(line)
            return
        self._response += data
        line, end, _ = self._response.partition(b"\n")
        if end or len(line) > MAX_RESPONSE_BYTES:
            self.transport.closeChildFD(RESPONSE)
            self._readResponse(line)

    def processEnded(self, reason: Failure) -> None:
        self._cancelKill()
        for lines in self._lines.values():
            for line in lines.finish():
                self._logLine(line)
        if self._stopping:
            self._log.info("The embedded model is stopped")
        else:
            self._log.error(
                "The embedded model's process has ended: {reason}",
                reason=reason.getErrorMessage(),
            )
        if not self.listening.called:
            self.listening.callback(None)
        self.ended.callback(None)

    def _readResponse(self, line: bytes) -> None:
        if self._stopping:
            return
        try:
            # mypy does not accept a union as a type argument.
            answer = msgspec.json.decode(
                line, type=cast("type[EngineResponse]", EngineResponse)
            )
        except msgspec.DecodeError:
            self._log.error("The embedded model's process sent an invalid response")
            self._kill()
            return
        if isinstance(answer, EngineListening):
            self._cancelKill()
            self.listening.callback(answer.address)
        else:
            self.missingLibrary = answer.missingLibrary
            self._log.error(
                "The embedded model can't be run: {reason}", reason=answer.reason
            )

    def _logLine(self, line: bytes) -> None:
        record = readRecord(line, serving=self.listening.called)
        if record is not None:
            level, text = record
            self._log.emit(
                LogLevel.levelWithName(level), "embedded model: {line}", line=text
            )

    def _killAfter(self, seconds: float, what: str) -> None:
        self._cancelKill()
        self._killTimer = self._clock.callLater(seconds, self._timedOut, seconds, what)

    def _cancelKill(self) -> None:
        if self._killTimer is not None and self._killTimer.active():
            self._killTimer.cancel()

    def _timedOut(self, seconds: float, what: str) -> None:
        self._log.error(
            "The embedded model's process is killed: {what} took more than {seconds} s",
            what=what,
            seconds=seconds,
        )
        self._kill()

    def _kill(self) -> None:
        self._cancelKill()
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
