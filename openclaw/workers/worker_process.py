"""
One process of a worker, from its start until it is reaped; the daemon's side of it.
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
from openclaw.workers.log_forwarding import eventOf
from openclaw.workers.worker_messages import (
    FIRST_PORT,
    ORDERS,
    REPORTS,
    Drained,
    Failed,
    FromWorker,
    Lines,
    Logged,
    Order,
    Ready,
    Reload,
    Reloaded,
    lineOf,
)

PROGRAM = "openclaw.workers.worker_main"
STDIN, STDOUT, STDERR = 0, 1, 2
FEW_DESCRIPTORS = 1000


class Exchange(Protocol):
    """
    Receives the messages of a worker for others.
    """

    def received(self, number: int, message: msgspec.Struct) -> None:
        """
        A worker has said something.
        """


class WorkerProcess(ProcessProtocol):
    """
    A process that serves.

    @ivar ready: Fires with C{None} once it serves, or with why it can't.
    @ivar drained: Fires once it has no more runs, or has ended.
    @ivar ended: Fires once it is reaped, after C{ready}.
    """

    transport: IProcessTransport

    def __init__(
        self,
        order: Order,
        exchange: Exchange,
        publish: ILogObserver,
        log: Logger,
    ) -> None:
        """
        @param publish: Takes what it logs.
        """
        self.ready: Deferred[str | None] = Deferred()
        self.drained: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._reloading: list[Deferred[None]] = []
        self._takesOrders = True
        self._order = order
        self._exchange = exchange
        self._publish = publish
        self._log = log
        self._lines: Lines[FromWorker] = Lines(FromWorker)
        self._raw = {STDOUT: b"", STDERR: b""}

    def spawn(
        self,
        reactor: IReactorProcess,
        environ: Mapping[str, str],
        descriptors: Sequence[int],
    ) -> None:
        """
        Start it.

        @param descriptors: The ports, as this process knows them.
        """
        # -P: whatever lies in the working directory is not ours.
        command = [sys.executable, "-P", "-m", PROGRAM]
        try:
            with open(os.devnull, "r+b", buffering=0) as nothing:
                fds: dict[int, Any] = {STDIN: nothing.fileno(), STDOUT: "r"}
                fds |= {STDERR: "r", ORDERS: "w", REPORTS: "r"}
                fds |= dict(enumerate(descriptors, FIRST_PORT))
                with blocked():
                    reactor.spawnProcess(
                        self, sys.executable, command, env=environ, childFDs=fds
                    )
        except OSError:
            self.processEnded(Failure())

    def send(self, message: msgspec.Struct) -> None:
        """
        Tell it something.
        """
        if self._takesOrders and not self.ended.called:
            self.transport.writeToChild(ORDERS, lineOf(message))

    def reload(self) -> "Deferred[None]":
        """
        Have it read the configuration.

        @return: Fires when it has, or is gone.
        """
        done: Deferred[None] = Deferred()
        if self.ended.called:
            done.callback(None)
        else:
            self._reloading.append(done)
            self.send(Reload())
        return done

    def kill(self) -> None:
        """
        End it now.
        """
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def connectionMade(self) -> None:
        """
        Tell it what it is to be.
        """
        self.send(self._order)

    def childConnectionLost(self, childFD: int) -> None:
        """
        It is ending: it closes its pipes before it can be reaped.
        """
        if childFD == ORDERS:
            self._takesOrders = False

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        It says something.
        """
        if childFD != REPORTS:
            self._wrote(childFD, data)
            return
        try:
            messages = self._lines.feed(data)
        except msgspec.MsgspecError:
            self._log.error(
                "Worker {number} makes no sense, and is killed",
                number=self._order.number,
            )
            self.kill()
            return
        for message in messages:
            self._said(message)

    def _said(self, message: FromWorker) -> None:
        match message:
            case Logged():
                self._publish(eventOf(self._order.number, message))
            case Ready():
                self._settle(None)
            case Reloaded():
                self._reloading.pop(0).callback(None)
            case Drained():
                self._drainEnds()
            case Failed(reason):
                self._settle(reason)
            case _:
                self._exchange.received(self._order.number, message)

    def _wrote(self, childFD: int, data: bytes) -> None:
        """
        Nothing of ours writes there: these are last words.
        """
        *lines, self._raw[childFD] = (self._raw[childFD] + data).split(b"\n")
        for line in lines:
            self._log.warn(
                "[worker {number}] {line}",
                number=self._order.number,
                line=line.decode("utf-8", "replace"),
            )

    def _settle(self, reason: str | None) -> None:
        if not self.ready.called:
            self.ready.callback(reason)

    def _drainEnds(self) -> None:
        if not self.drained.called:
            self.drained.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """
        It is reaped, and all that it wrote has been read.
        """
        for descriptor in self._raw:
            self._wrote(descriptor, b"\n" if self._raw[descriptor] else b"")
        self._settle(_startFault(reason))
        self._drainEnds()
        while self._reloading:
            self._reloading.pop(0).callback(None)
        self.ended.callback(None)


def _startFault(reason: Failure) -> str:
    """
    Say why a worker is not there, and what to do where the system gives no more
    descriptors: a process that can't be spawned then fails with one of several errors.
    """
    limit, error = openFileLimit(), reason.value
    if not isinstance(error, OSError) or limit is None or limit > FEW_DESCRIPTORS:
        return f"A worker has ended: {reason.getErrorMessage()}"
    fault = f"A worker can't be started: too many open files (limit {limit})"
    if error.errno == errno.EBADF:
        # posix_spawn can't close it in the new process.
        fault += ", of which one that this process was given has a number beyond that"
    return (
        f"{fault}. This process may open only {limit} files; raise that (`ulimit -n`,"
        " LimitNOFILE= of the unit)."
    )
