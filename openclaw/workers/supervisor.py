"""
The workers, as the daemon sees them: begun together, replaced when they die, ended
together.
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
from openclaw.workers.connection_balance import ConnectionBalance, loadsOf, prepare
from openclaw.workers.shared_ports import shared
from openclaw.workers.switchboard import Switchboard
from openclaw.workers.worker_messages import (
    FIRST_PORT,
    Drain,
    Ended,
    EngineFails,
    Hurry,
    Order,
    Stop,
)
from openclaw.workers.worker_process import WorkerProcess

FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
"""
Seconds until a worker is replaced: doubled each time, while new ones die.
"""

HEALTHY_SECONDS = 10.0
"""
One that served for so long was a good one, and the waiting begins anew.
"""

GRACE_SECONDS = 10.0
"""
Seconds until a worker is killed that does not end after its runs.
"""


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """
    Options of the command line that workers must know.

    @ivar config: The configuration file that was asked for, if one was.
    @ivar listen: Endpoint strings.
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
        wishes: WorkerOptions,
        ports: Callable[[], Sequence[Any]],
        local: Callable[[], LocalModelProvider],
        prepare: Callable[[], object],
        environ: Mapping[str, str],
        path: Sequence[str],
        reactor: Any,
        publish: ILogObserver,
        log: Logger,
        giveUp: Callable[[], object],
    ) -> None:
        """
        @param count: How many.

        @param ports: The open ports.

        @param local: The embedded model.

        @param prepare: Has it loaded, if that is not to wait.

        @param environ: The workers' environment.

        @param path: Where Python finds modules.

        @param publish: Takes what they log.

        @param giveUp: Ends the daemon, when no worker can be started any more.
        """
        self._giveUp = giveUp
        self._count = count
        self._wishes = wishes
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
        self._stopping = self._whole = False
        self.workers = [_Worker(number, self) for number in range(count)]
        self.switchboard = Switchboard(
            send=lambda number, message: self.workers[number].send(message),
            others=self._others,
            local=local,
            clock=reactor,
        )

    def _others(self, number: int) -> list[int]:
        return [
            each.number
            for each in self.workers
            if each.number != number and each.serves
        ]

    # What they do together

    async def start(self) -> None:
        """
        Begin them all.

        @raise StartError: One of them can't serve.
        """
        try:
            self._folder = tempfile.mkdtemp(prefix="openclaw-")
            self._balance = prepare(loadsOf(Path(self._folder)), self._count)
        except OSError as error:
            raise StartError(f"The workers' files can't be made: {error}") from None
        self._watchModel()
        self._prepare()
        begun = await DeferredList([worker.begin() for worker in self.workers])
        for _, reason in begun:
            if reason is not None:
                raise StartError(str(reason))
        if not all(worker.serves for worker in self.workers):
            raise StartError("A worker has ended.")
        self._whole = True

    async def reload(self) -> None:
        """
        Have them read the configuration.
        """
        self._watchModel()
        await DeferredList([worker.reload() for worker in self.workers])

    def hurry(self) -> None:
        """
        Have them wait no longer for runs.
        """
        self._tellAll(Hurry())

    async def drain(self, seconds: float) -> None:
        """
        Have them end their runs, and end.
        """
        self._stopping = True
        for worker in self.workers:
            worker.stop()
        self._tellAll(Drain())
        patience = self._reactor.callLater(seconds + GRACE_SECONDS, self._killAll)
        # Until the last run has ended, all of them say to all callers that they
        # should come again.
        await DeferredList([worker.untilDrained() for worker in self.workers])
        self._tellAll(Stop())
        await DeferredList([worker.untilEnd() for worker in self.workers])
        if patience.active():
            patience.cancel()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _tellAll(self, message: msgspec.Struct) -> None:
        for worker in self.workers:
            worker.send(message)

    def _killAll(self) -> None:
        for worker in self.workers:
            worker.kill()

    def _watchModel(self) -> None:
        """
        The embedded model's provider can be another one now.
        """
        for embeddings in (False, True):
            lost = partial(self._tellAll, Ended(embeddings))
            engine = self._local().engine(embeddings)
            engine.onLost = lost
            engine.onFails = partial(self._tellFails, embeddings)
            self._tellFails(embeddings, engine.fails)

    def _tellFails(self, embeddings: bool, fails: bool) -> None:
        self._tellAll(EngineFails(embeddings, fails))

    # What one of them needs

    def spawn(self, number: int) -> WorkerProcess:
        """
        Start the process of one.
        """
        ports = self._ports()
        order = Order(
            number=number,
            count=self._count,
            config=self._wishes.config,
            listen=self._wishes.listen,
            sockets=shared(ports, FIRST_PORT),
            auth=self._wishes.auth,
            folder=self._folder,
            secret=self._secret,
            reactor=type(self._reactor).__module__,
            path=[os.path.abspath(each) for each in self._path],
        )
        process = WorkerProcess(order, self.switchboard, self._publish, self._log)
        process.spawn(
            self._reactor, self._environ, [port.socket.fileno() for port in ports]
        )
        for embeddings in (False, True):
            fails = self._local().engine(embeddings).fails
            process.send(EngineFails(embeddings, fails))
        return process

    def lost(self, number: int, wait: float) -> IDelayedCall | None:
        """
        A process has ended, whether it should or not.

        @return: What begins the next one, if there is to be one.
        """
        self.switchboard.gone(number)
        if self._balance is not None:
            self._balance.leave(number)
        if self._stopping or not self._whole:
            return None
        worker = self.workers[number]
        if worker.fault is not None:
            self._log.error(
                "Worker {number} can't be started: {reason}",
                number=number,
                reason=worker.fault,
            )
            if wait == LONGEST_WAIT and all(each.fault for each in self.workers):
                # Better no daemon, which is noticed, than one that answers nothing.
                self._stopping = True
                self._log.critical("No worker can be started: the daemon ends")
                self._giveUp()
                return None
        self._log.error(
            "Worker {number} has ended; another one begins in {seconds:g} s",
            number=number,
            seconds=wait,
        )
        later: IDelayedCall = self._reactor.callLater(wait, worker.begin)
        return later

    def seconds(self) -> float:
        """
        The time.
        """
        now: float = self._reactor.seconds()
        return now


class _Worker:
    """
    One worker: a process after the other.

    @ivar serves: It is there, and is ready.
    @ivar fault: The reason why its latest process did not become ready, if that is so.
    """

    def __init__(self, number: int, supervisor: WorkerSupervisor) -> None:
        self.number = number
        self.serves = False
        self.fault: str | None = None
        self._supervisor = supervisor
        self._process: WorkerProcess | None = None
        self._next: IDelayedCall | None = None
        self._wait = FIRST_WAIT
        self._begun = 0.0

    def begin(self) -> "Deferred[str | None]":
        """
        Start a process.

        @return: See L{WorkerProcess.ready}.
        """
        self._next = None
        self._process = process = self._supervisor.spawn(self.number)
        first: Deferred[str | None] = Deferred()

        def settled(reason: str | None) -> None:
            self.fault = reason
            if reason is None:
                self.serves = True
                self._begun = self._supervisor.seconds()
            first.callback(reason)

        process.ready.addCallback(settled)
        process.ended.addCallback(self._ended)
        return first

    def _ended(self, _: None) -> None:
        lived = self._supervisor.seconds() - self._begun
        if self.serves and lived >= HEALTHY_SECONDS:
            self._wait = FIRST_WAIT
        self.serves = False
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT)
        self._next = self._supervisor.lost(self.number, wait)

    def send(self, message: msgspec.Struct) -> None:
        """
        Tell it something, if it is there.
        """
        if self._process is not None:
            self._process.send(message)

    def reload(self) -> "Deferred[None]":
        """
        Have it read the configuration, if it is there.
        """
        return succeed(None) if self._process is None else self._process.reload()

    def stop(self) -> None:
        """
        Begin no other.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def kill(self) -> None:
        """
        End it now.
        """
        if self._process is not None and not self._process.ended.called:
            self._process.kill()

    def untilDrained(self) -> "Deferred[None]":
        """
        Wait until it has no more runs.
        """
        end: Deferred[None] = Deferred()
        if self._process is None:
            end.callback(None)
        else:
            self._process.drained.addCallback(end.callback)
        return end

    def untilEnd(self) -> "Deferred[None]":
        """
        Wait until its process is gone.
        """
        end: Deferred[None] = Deferred()
        if self._process is None:
            end.callback(None)
        else:
            self._process.ended.addCallback(end.callback)
        return end
