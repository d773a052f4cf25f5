"""
The program of a worker: a gateway that a daemon has begun, and that ends with it.
"""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from openclaw.errors import OpenClawError
from openclaw.net.monotonic_time import useMonotonicTime
from openclaw.signals import CONSOLE
from openclaw.workers.connection_balance import loadsOf
from openclaw.workers.worker_messages import (
    ORDERS,
    REPORTS,
    Answers,
    Drain,
    Drained,
    Ended,
    EngineFails,
    EngineLeased,
    EngineRefusedLease,
    Failed,
    FromDaemon,
    Heard,
    Hurry,
    Lines,
    Order,
    Question,
    Ready,
    Reload,
    Reloaded,
    Stop,
    lineOf,
)
from openclaw.workers.worker_peers import WorkerPeers

FLUSH_SECONDS = 1.0
"""
Seconds for which the daemon may take to read the last words.
"""


class Channel(Protocol):
    """
    The pipes to the daemon.
    """

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._lines: Lines[FromDaemon] = Lines(FromDaemon)

    def send(self, message: msgspec.Struct) -> None:
        """
        Tell the daemon something.
        """
        if self.transport is not None:
            self.transport.write(lineOf(message))

    def dataReceived(self, data: bytes) -> None:
        """
        It says something.
        """
        for message in self._lines.feed(data):
            self._worker.received(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is gone, or all has been said.
        """
        self._worker.alone()

    def close(self) -> None:
        """
        Send what was said, and no more.
        """
        if self.transport is not None:
            self.transport.loseConnection()


class Worker:
    """
    A gateway, and who tells it what to do.
    """

    def __init__(self, order: Order, reactor: Any) -> None:
        from openclaw.workers.engine_sharing import EngineLease

        self._order = order
        self._reactor = reactor
        self._gateway: Any = None
        self._ended = self._stopped = self._orphaned = self._left = False
        self.channel = Channel(self)
        self._log = Logger(namespace="openclaw")
        self._peers = WorkerPeers(
            order.number, order.count, self.channel.send, self._log
        )
        self._engineLease = EngineLease(self.channel.send)

    def begin(self) -> None:
        """
        Start the gateway, or say why it can't be.
        """
        # Late: by now its log is heard.
        from openclaw.config_reloader import LaunchOptions
        from openclaw.service import GatewayService
        from openclaw.workers.log_forwarding import LogForwarder
        from openclaw.workers.worker_member import WorkerMember

        order = self._order
        reporting = LogForwarder(self.channel.send)
        globalLogBeginner.beginLoggingTo([reporting], redirectStandardIO=False)
        member = WorkerMember(
            peers=self._peers,
            engineLease=self._engineLease,
            sockets=order.sockets,
            folder=Path(order.folder),
            secret=order.secret,
            reactor=self._reactor,
            log=self._log,
        )
        try:
            self._gateway = gateway = GatewayService(
                LaunchOptions(
                    reactor=self._reactor,
                    configOption=order.config,
                    listen=order.listen,
                    checkers=_checkers(order.auth),
                    member=member,
                )
            )
            reporting.asJSON = gateway.logsJSON()
            gateway.startService()
        except OpenClawError as error:
            self._fail(error.message)
        except Exception as error:
            self._log.failure("The worker could not start")
            self._fail(f"A worker could not start: {type(error).__name__}")
        else:
            gateway.ready.addCallbacks(self._serves, self._isBroken)

    def _serves(self, _: None) -> None:
        self.channel.send(Ready())
        gc.collect()
        gc.freeze()

    def _isBroken(self, failure: Failure) -> None:
        error = failure.value
        self._fail(error.message if isinstance(error, OpenClawError) else str(error))

    def _fail(self, reason: str) -> None:
        self.channel.send(Failed(reason))
        self._end()

    def received(self, message: FromDaemon) -> None:
        """
        The daemon has said something.
        """
        match message:
            case Heard() | Question() | Answers():
                self._peers.received(message)
            case EngineLeased() | EngineRefusedLease():
                self._engineLease.received(message)
            case Ended(embeddings):
                self._engineLease.ended(embeddings)
            case EngineFails(embeddings, fails):
                self._engineLease.failing(embeddings, fails)
            case Drain():
                Deferred.fromCoroutine(self._drain())
            case Stop():
                self._end()
            case Reload():
                Deferred.fromCoroutine(self._reload())
            case Hurry() if self._gateway is not None:
                self._gateway.hurry()

    async def _reload(self) -> None:
        if self._gateway is not None:
            await self._gateway.reload()
        self.channel.send(Reloaded())

    async def _drain(self) -> None:
        if self._gateway is not None:
            await self._gateway.drain()
        self.channel.send(Drained())

    def alone(self) -> None:
        """
        There is no daemon to listen to.
        """
        if self._stopped:
            self._leave()
            return
        self._orphaned = True
        if self._gateway is not None:
            self._gateway.hurry()
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        Deferred.fromCoroutine(self._stop()).addBoth(self._sayLast)

    def _sayLast(self, _: object) -> None:
        self._stopped = True
        if self._orphaned:
            self._leave()
        else:
            self._reactor.callLater(FLUSH_SECONDS, self._leave)
            self.channel.close()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._reactor.callWhenRunning(self._reactor.stop)

    async def _stop(self) -> None:
        try:
            if self._gateway is not None:
                await self._gateway.stopService()
        except Exception:
            self._log.failure("The worker could not end as it should")
        try:
            # Where the daemon was killed, the last one cleans up.
            if self._orphaned:
                loadsOf(Path(self._order.folder)).unlink(missing_ok=True)
                os.rmdir(self._order.folder)
        except OSError:
            pass


def _checkers(descriptions: Sequence[str]) -> list[ICredentialsChecker]:
    from openclaw.options import checkersOf

    return checkersOf(descriptions)


def readOrder() -> tuple[Order, bytes]:
    """
    Wait for what the daemon wants.

    @return: That, and what it has said behind it.
    """
    data = b""
    while b"\n" not in data:
        more = os.read(ORDERS, 65536)
        if not more:
            sys.exit(1)
        data += more
    line, _, rest = data.partition(b"\n")
    return msgspec.json.decode(line, type=Order), rest


def main() -> None:
    """
    Serve until the daemon says otherwise, or is gone.
    """
    # A terminal sends its signals to all processes; it is the daemon that heeds them.
    # (What is ignored would stay so in the programs that tools begin.)
    _heedNobody()
    # The daemon has blocked them, so that none comes before this.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CONSOLE)
    order, rest = readOrder()
    for descriptor in (ORDERS, REPORTS, *(each.descriptor for each in order.sockets)):
        os.set_inheritable(descriptor, False)
    sys.path[:] = order.path
    import_module(order.reactor).install()
    from twisted.internet import reactor
    from twisted.internet.stdio import StandardIO

    useMonotonicTime(reactor)
    worker = Worker(order, reactor)
    pipes: Any = StandardIO
    pipes(worker.channel, stdin=ORDERS, stdout=REPORTS)
    if rest:
        worker.channel.dataReceived(rest)
    reactor.callWhenRunning(_heedNobody)
    worker.begin()
    reactor.run()


def _heedNobody() -> None:
    """
    Let the signals of a terminal do nothing.  To be called once more when the reactor
    has begun to listen to them.
    """
    for number in CONSOLE:
        signal.signal(number, lambda number, frame: None)


if __name__ == "__main__":
    main()
