"""
The process of a worker, seen from the daemon.
"""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from openclaw.server.limits import openFileLimit
from openclaw.signals import blocked
from openclaw.workers.log_forwarding import workerLogEvent
from openclaw.workers.worker_messages import (
    FIRST_PORT,
    FROM_DAEMON,
    TO_DAEMON,
    Drained,
    Failed,
    FromWorker,
    Logged,
    MessageDecoder,
    Ready,
    Reload,
    Reloaded,
    WorkerSettings,
    encodeMessage,
)

PROGRAM = "openclaw.workers.worker_main"
STDIN, STDOUT, STDERR = 0, 1, 2
FEW_DESCRIPTORS = 1000


class MessageHandler(Protocol):
    """
    Handles the messages of a worker to other workers.
    """

    def received(self, number: int, message: msgspec.Struct) -> None:
        """
        Handle a message.

        @param number: The worker's number.
        """


class WorkerProcess(ProcessProtocol):
    """
    A worker's process.

    @ivar ready: Fires with C{None} when the worker accepts connections, or with the
        reason why it can't.
    @ivar drained: Fires when its last run has ended, or the process has.
    @ivar ended: Fires when the process is reaped, after C{ready}.
    """

    transport: IProcessTransport

    def __init__(
        self,
        settings: WorkerSettings,
        handler: MessageHandler,
        publish: ILogObserver,
        log: Logger,
    ) -> None:
        """
        @param publish: The observer for the worker's log events.
        """
        self.ready: Deferred[str | None] = Deferred()
        self.drained: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._reloading: list[Deferred[None]] = []
        self._acceptsMessages = True
        self._settings = settings
        self._handler = handler
        self._publish = publish
        self._log = log
        self._decoder: MessageDecoder[FromWorker] = MessageDecoder(FromWorker)
        self._raw = {STDOUT: b"", STDERR: b""}

    def spawn(
        self,
        reactor: IReactorProcess,
        environ: Mapping[str, str],
        descriptors: Sequence[int],
    ) -> None:
        """
        Start the process.

        @param descriptors: The descriptors of the ports in this process.
        """
        # -P: don't import modules from the working directory.
        command = [sys.executable, "-P", "-m", PROGRAM]
        try:
            with open(os.devnull, "r+b", buffering=0) as devNull:
                fds: dict[int, Any] = {STDIN: devNull.fileno(), STDOUT: "r"}
                fds |= {STDERR: "r", FROM_DAEMON: "w", TO_DAEMON: "r"}
                fds |= dict(enumerate(descriptors, FIRST_PORT))
                with blocked():
                    reactor.spawnProcess(
                        self, sys.executable, command, env=environ, childFDs=fds
                    )
        except OSError:
            self.processEnded(Failure())

    def send(self, message: msgspec.Struct) -> None:
        if self._acceptsMessages and not self.ended.called:
            self.transport.writeToChild(FROM_DAEMON, encodeMessage(message))

    def reload(self) -> "Deferred[None]":
        """
        Request a reload.

        @return: Fires when the worker has reloaded, or has ended.
        """
        done: Deferred[None] = Deferred()
        if self.ended.called:
            done.callback(None)
        else:
            self._reloading.append(done)
            self.send(Reload())
        return done

    def kill(self) -> None:
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def connectionMade(self) -> None:
        self.send(self._settings)

    def childConnectionLost(self, childFD: int) -> None:
        """
        Note that the worker is ending: it closes its pipes before it can be reaped.
        """
        if childFD == FROM_DAEMON:
            self._acceptsMessages = False

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD != TO_DAEMON:
            self._logOutput(childFD, data)
            return
        try:
            messages = self._decoder.feed(data)
        except msgspec.MsgspecError:
            self._log.error(
                "Worker {number} sent an invalid message and is killed",
                number=self._settings.number,
            )
            self.kill()
            return
        for message in messages:
            self._dispatch(message)

    def _dispatch(self, message: FromWorker) -> None:
        match message:
            case Logged():
                self._publish(workerLogEvent(self._settings.number, message))
            case Ready():
                self._becomeReady(None)
            case Reloaded():
                self._reloading.pop(0).callback(None)
            case Drained():
                self._endDrain()
            case Failed(reason):
                self._becomeReady(reason)
            case _:
                self._handler.received(self._settings.number, message)

    def _logOutput(self, childFD: int, data: bytes) -> None:
        """
        Log output on stdout or stderr.  No code writes there, so it is from a crash.
        """
        *lines, self._raw[childFD] = (self._raw[childFD] + data).split(b"\n")
        for line in lines:
            self._log.warn(
                "[worker {number}] {line}",
                number=self._settings.number,
                line=line.decode("utf-8", "replace"),
            )

    def _becomeReady(self, reason: str | None) -> None:
        if not self.ready.called:
            self.ready.callback(reason)

    def _endDrain(self) -> None:
        if not self.drained.called:
            self.drained.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """
        Resolve all Deferreds.  Twisted calls this when the pipes are read to the end.
        """
        for descriptor in self._raw:
            self._logOutput(descriptor, b"\n" if self._raw[descriptor] else b"")
        self._becomeReady(_explainExit(reason))
        self._endDrain()
        while self._reloading:
            self._reloading.pop(0).callback(None)
        self.ended.callback(None)


def _explainExit(reason: Failure) -> str:
    """
    Describe why a worker ended, and the remedy if the system provides too few
    descriptors: spawning a process then fails with one of several errors.
    """
    limit, error = openFileLimit(), reason.value
    if not isinstance(error, OSError) or limit is None or limit > FEW_DESCRIPTORS:
        return f"A worker has ended: {reason.getErrorMessage()}"
    text = f"A worker can't be started: too many open files (limit {limit})"
    if error.errno == errno.EBADF:
        # posix_spawn can't close such a descriptor in the new process.
        text += "; an inherited descriptor has a number above it"
    return (
        f"{text}. This process may open only {limit} files; raise the limit"
        " (`ulimit -n`, LimitNOFILE= of the unit)."
    )
