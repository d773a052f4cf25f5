"""
One process of the embedded model, from its start until it is reaped.
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
    ANSWER,
    STDERR,
    STDIN,
    STDOUT,
    Answer,
    EngineListening,
    EngineOrder,
)
from openclaw.models.local.llama_log import LineSplitter, readRecord

PROGRAM = "openclaw.models.local.engine_main"

KEPT_ENVIRONMENT = (
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
Variables of the daemon's environment that the process gets; others can hold secrets.
"""

LOAD_SECONDS = 120.0
"""
The longest that loading a model may take.
"""

STOP_SECONDS = 5.0
"""
Seconds until the process is killed if it does not end by itself.
"""

LONGEST_ANSWER = 65536


class ModelProcess(ProcessProtocol):
    """
    The daemon's side of the process.

    @ivar listening: Fires with the address of the model's HTTP server, such as
        C{http://127.0.0.1:41259}, once the model is loaded; or with C{None} if it
        can't be, once the process has ended.
    @ivar ended: Fires with C{None} once the process is reaped, after C{listening}.
        Nothing is left of it then, neither a descriptor nor a delayed call.
    """

    transport: IProcessTransport

    def __init__(self, *, order: EngineOrder, clock: IReactorTime, log: Logger) -> None:
        self.listening: Deferred[str | None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._order = order
        self._clock = clock
        self._log = log
        self._killing: IDelayedCall | None = None
        self._stopping = False
        self._answer = b""
        self._lines = {STDOUT: LineSplitter(), STDERR: LineSplitter()}

    def spawn(self, reactor: IReactorProcess, environment: Mapping[str, str]) -> None:
        """
        Start the process.  Where even that fails, it counts as a process that
        ended at once.
        """
        kept = {n: environment[n] for n in KEPT_ENVIRONMENT if n in environment}
        try:
            reactor.spawnProcess(
                self,
                sys.executable,
                # -P: whatever lies in the working directory is not ours.
                [sys.executable, "-P", "-m", PROGRAM],
                env=kept,
                childFDs={STDIN: "w", STDOUT: "r", STDERR: "r", ANSWER: "r"},
            )
        except OSError:
            self.processEnded(Failure())

    def stop(self) -> None:
        """
        Make the process end; L{ended} tells when it has.
        """
        if not self.ended.called:
            self._stopping = True
            self.transport.closeStdin()
            self._killAfter(STOP_SECONDS, "ending")

    def connectionMade(self) -> None:
        """
        Hand the order over, and give the model its time to load.
        """
        self.transport.write(msgspec.json.encode(self._order) + b"\n")
        self._killAfter(LOAD_SECONDS, "loading")

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Log it, or read the answer to the order.
        """
        if childFD != ANSWER:
            for line in self._lines[childFD].feed(data):
                self._logLine(line)
            return
        self._answer += data
        line, end, _ = self._answer.partition(b"\n")
        if end or len(line) > LONGEST_ANSWER:
            self.transport.closeChildFD(ANSWER)
            self._answered(line)

    def processEnded(self, reason: Failure) -> None:
        """
        The process is reaped and all that it wrote has been read.
        """
        self._cancelKilling()
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

    def _answered(self, line: bytes) -> None:
        if self._stopping:
            return
        try:
            # A cast, because mypy takes a union for no type.
            answer = msgspec.json.decode(line, type=cast("type[Answer]", Answer))
        except msgspec.DecodeError:
            self._log.error("The embedded model's process gave no proper answer")
            self._kill()
            return
        if isinstance(answer, EngineListening):
            self._cancelKilling()
            self.listening.callback(answer.address)
        else:
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
        self._cancelKilling()
        self._killing = self._clock.callLater(seconds, self._tooSlow, seconds, what)

    def _cancelKilling(self) -> None:
        if self._killing is not None and self._killing.active():
            self._killing.cancel()

    def _tooSlow(self, seconds: float, what: str) -> None:
        self._log.error(
            "The embedded model's process is killed: {what} took more than {seconds} s",
            what=what,
            seconds=seconds,
        )
        self._kill()

    def _kill(self) -> None:
        self._cancelKilling()
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
