"""
Start the workers, restart those that die, and stop them together.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, Logger

from openclaw.errors import StartError
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.workers.connection_balance import (
    ConnectionBalance,
    createLoadFile,
    loadFile,
)
from openclaw.workers.shared_ports import sharedSockets
from openclaw.workers.switchboard import Switchboard
from openclaw.workers.worker_messages import (
    FIRST_PORT,
    CancelRuns,
    Drain,
    EngineExited,
    EngineFails,
    Stop,
    WorkerSettings,
)
from openclaw.workers.worker_process import WorkerProcess

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
"""
The wait before a worker is restarted, in seconds: doubled each time that it dies.
"""

HEALTHY_SECONDS = 10.0
"""
The uptime after which the wait starts from L{FIRST_WAIT} again.
"""

GRACE_SECONDS = 10.0
"""
The time after the drain in which a worker must end before it is killed.
"""


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """
    Command line options that workers need.

    @ivar config: The configuration file, if given.
    @ivar listen: Endpoint descriptions.
    @ivar auth: strcred's descriptions.
    """

    config: str | None
    listen: Sequence[str]
    auth: Sequence[str]


class WorkerSupervisor:
    """
    All workers; see L{openclaw.backends.Backend}.
    """

    def __init__(
        self,
        *,
        count: int,
        options: WorkerOptions,
        ports: Callable[[], Sequence[Any]],
        local: Callable[[], LocalModelProvider],
        prepare: Callable[[], object],
        environ: Mapping[str, str],
        path: Sequence[str],
        reactor: Any,
        publish: ILogObserver,
        log: Logger,
        onFatal: Callable[[], object],
    ) -> None:
        """
        @param count: The number of workers.
        @param ports: Returns the open ports.
        @param local: Returns the provider of the embedded model.
        @param prepare: Loads the embedded model, if it is to start at once.
        @param environ: The workers' environment.
        @param path: C{sys.path} for the workers.
        @param publish: The observer for the workers' log events.
        @param onFatal: Called when no worker can be started any more.
        """
        self._onFatal = onFatal
        self._count = count
        self._options = options
        self._ports = ports
        self._local = local
        self._prepare = prepare
        self._environ = environ
        self._path = path
        self._reactor = reactor
        self._publish = publish
        self._log = log
        self._secret = token_urlsafe(32)
        self._folder = ""
        self._balance: ConnectionBalance | None = None
        self._stopping = self._started = False
        self.workers = [_Worker(number, self) for number in range(count)]
        self.switchboard = Switchboard(
            send=lambda number, message: self.workers[number].send(message),
            others=self._readyPeers,
            local=local,
            clock=reactor,
        )

    def _readyPeers(self, number: int) -> list[int]:
        return [
            each.number
            for each in self.workers
            if each.number != number and each.isReady
        ]

    # All workers

    async def start(self) -> None:
        """
        Start all workers.

        @raise StartError: One of them can't start.
        """
        try:
            self._folder = tempfile.mkdtemp(prefix="openclaw-")
            self._balance = createLoadFile(loadFile(Path(self._folder)), self._count)
        except OSError as error:
            raise StartError(f"The workers' files can't be created: {error}") from None
        self._watchModel()
        self._prepare()
        begun = await DeferredList([worker.start() for worker in self.workers])
        for _, reason in begun:
            if reason is not None:
                raise StartError(str(reason))
        if not all(worker.isReady for worker in self.workers):
            raise StartError("A worker has ended.")
        self._started = True

    async def reload(self) -> None:
        self._watchModel()
        await DeferredList([worker.reload() for worker in self.workers])

    def cancelRuns(self) -> None:
        self._sendAll(CancelRuns())

    async def drain(self, seconds: float) -> None:
        """
        Drain all workers, then stop them.
        """
        self._stopping = True
        for worker in self.workers:
            worker.stop()
        self._sendAll(Drain())
        patience = self._reactor.callLater(seconds + GRACE_SECONDS, self._killAll)
        # Until the last run has ended, all workers reject new requests with a
        # Retry-After.
        await DeferredList([worker.untilDrained() for worker in self.workers])
        self._sendAll(Stop())
        await DeferredList([worker.untilEnd() for worker in self.workers])
        if patience.active():
            patience.cancel()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _sendAll(self, message: msgspec.Struct) -> None:
        for worker in self.workers:
            worker.send(message)

    def _killAll(self) -> None:
        for worker in self.workers:
            worker.kill()

    def _watchModel(self) -> None:
        """
        Report changes of the embedded model to the workers.  A reload can replace its
        provider.
        """
        for embeddings in (False, True):
            workerExited = partial(self._sendAll, EngineExited(embeddings))
            engine = self._local().engine(embeddings)
            engine.onLost = workerExited
            engine.onFails = partial(self._sendFails, embeddings)
            self._sendFails(embeddings, engine.fails)

    def _sendFails(self, embeddings: bool, fails: bool) -> None:
        self._sendAll(EngineFails(embeddings, fails))

    # One worker

    def spawn(self, number: int) -> WorkerProcess:
        ports = self._ports()
        settings = WorkerSettings(
            number=number,
            count=self._count,
            config=self._options.config,
            listen=self._options.listen,
            sockets=sharedSockets(ports, FIRST_PORT),
            auth=self._options.auth,
            folder=self._folder,
            secret=self._secret,
            reactor=type(self._reactor).__module__,
            path=[os.path.abspath(each) for each in self._path],
        )
        process = WorkerProcess(settings, self.switchboard, self._publish, self._log)
        process.spawn(
            self._reactor, self._environ, [port.socket.fileno() for port in ports]
        )
        for embeddings in (False, True):
            fails = self._local().engine(embeddings).fails
            process.send(EngineFails(embeddings, fails))
        return process

    def workerExited(self, number: int, wait: float) -> IDelayedCall | None:
        """
        Handle the end of a worker's process, expected or not.

        @return: The timer that restarts it, if it is restarted.
        """
        self.switchboard.workerExited(number)
        if self._balance is not None:
            self._balance.markClosed(number)
        if self._stopping or not self._started:
            return None
        worker = self.workers[number]
        if worker.startError is not None:
            self._log.error(
                "Worker {number} can't be started: {reason}",
                number=number,
                reason=worker.startError,
            )
            if wait == LONGEST_WAIT and all(each.startError for each in self.workers):
                # A missing daemon is noticed sooner than one that never responds.
                self._stopping = True
                self._log.critical("No worker can be started; stopping the daemon")
                self._onFatal()
                return None
        self._log.error(
            "Worker {number} has ended; restarting it in {seconds:g} s",
            number=number,
            seconds=wait,
        )
        later: IDelayedCall = self._reactor.callLater(wait, worker.start)
        return later

    def seconds(self) -> float:
        now: float = self._reactor.seconds()
        return now


class _Worker:
    """
    One worker: its current process and its restarts.

    @ivar isReady: The process accepts connections.
    @ivar startError: The reason why the latest process did not become ready, if so.
    """

    def __init__(self, number: int, supervisor: WorkerSupervisor) -> None:
        self.number = number
        self.isReady = False
        self.startError: str | None = None
        self._supervisor = supervisor
        self._process: WorkerProcess | None = None
        self._next: IDelayedCall | None = None
        self._wait = FIRST_WAIT
        self._readyAt = 0.0

    def start(self) -> "Deferred[str | None]":
        """
        Start a process.

        @return: See L{WorkerProcess.ready}.
        """
        self._next = None
        self._process = process = self._supervisor.spawn(self.number)
        first: Deferred[str | None] = Deferred()

        def settled(reason: str | None) -> None:
            self.startError = reason
            if reason is None:
                self.isReady = True
                self._readyAt = self._supervisor.seconds()
            first.callback(reason)

        process.ready.addCallback(settled)
        process.ended.addCallback(self._ended)
        return first

    def _ended(self, _: None) -> None:
        lived = self._supervisor.seconds() - self._readyAt
        if self.isReady and lived >= HEALTHY_SECONDS:
            self._wait = FIRST_WAIT
        self.isReady = False
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        self._next = self._supervisor.workerExited(self.number, wait)

    def send(self, message: msgspec.Struct) -> None:
        """
        Send a message, if there is a process.
        """
        if self._process is not None:
            self._process.send(message)

    def reload(self) -> "Deferred[None]":
        return succeed(None) if self._process is None else self._process.reload()

    def stop(self) -> None:
        """
        Cancel a pending restart.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def kill(self) -> None:
        if self._process is not None and not self._process.ended.called:
            self._process.kill()

    def untilDrained(self) -> "Deferred[None]":
        end: Deferred[None] = Deferred()
        if self._process is None:
            end.callback(None)
        else:
            self._process.drained.addCallback(end.callback)
        return end

    def untilEnd(self) -> "Deferred[None]":
        end: Deferred[None] = Deferred()
        if self._process is None:
            end.callback(None)
        else:
            self._process.ended.addCallback(end.callback)
        return end
