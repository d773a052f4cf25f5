"""
The program of a worker: a gateway that the daemon starts and stops.
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
from openclaw.workers.connection_balance import loadFile
from openclaw.workers.worker_messages import (
    FROM_DAEMON,
    TO_DAEMON,
    CancelRuns,
    Drain,
    Drained,
    EngineExited,
    EngineFails,
    EngineLeased,
    EngineRefusedLease,
    Failed,
    FromDaemon,
    MessageDecoder,
    PeerBroadcast,
    PeerQuery,
    Ready,
    Reload,
    Reloaded,
    Replies,
    Stop,
    WorkerSettings,
    encodeMessage,
)
from openclaw.workers.worker_peers import WorkerPeers

FLUSH_SECONDS = 1.0
"""
The time in which the daemon must read the last messages.
"""


class Channel(Protocol):
    """
    The pipes to the daemon.
    """

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._decoder: MessageDecoder[FromDaemon] = MessageDecoder(FromDaemon)

    def send(self, message: msgspec.Struct) -> None:
        if self.transport is not None:
            self.transport.write(encodeMessage(message))

    def dataReceived(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._worker.received(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._worker.daemonLost()

    def close(self) -> None:
        """
        Close the pipes when all messages are written.
        """
        if self.transport is not None:
            self.transport.loseConnection()


class Worker:
    """
    A gateway that the daemon controls.
    """

    def __init__(self, settings: WorkerSettings, reactor: Any) -> None:
        from openclaw.workers.engine_sharing import EngineLease

        self._settings = settings
        self._reactor = reactor
        self._gateway: Any = None
        self._ended = self._stopped = self._orphaned = self._reactorStopped = False
        self.channel = Channel(self)
        self._log = Logger(namespace="openclaw")
        self._peers = WorkerPeers(
            settings.number, settings.count, self.channel.send, self._log
        )
        self._engineLease = EngineLease(self.channel.send)

    def start(self) -> None:
        """
        Start the gateway, or report the reason why it can't be.
        """
        # Imported late, so that log events of these modules reach the daemon.
        from openclaw.config_reloader import LaunchOptions
        from openclaw.service import GatewayService
        from openclaw.workers.log_forwarding import LogForwarder
        from openclaw.workers.worker_member import WorkerMember

        settings = self._settings
        forwarder = LogForwarder(self.channel.send)
        globalLogBeginner.beginLoggingTo([forwarder], redirectStandardIO=False)
        member = WorkerMember(
            peers=self._peers,
            engineLease=self._engineLease,
            sockets=settings.sockets,
            folder=Path(settings.folder),
            secret=settings.secret,
            reactor=self._reactor,
            log=self._log,
        )
        try:
            self._gateway = gateway = GatewayService(
                LaunchOptions(
                    reactor=self._reactor,
                    configOption=settings.config,
                    listen=settings.listen,
                    checkers=_checkers(settings.auth),
                    member=member,
                )
            )
            forwarder.asJSON = gateway.logsJSON()
            gateway.startService()
        except OpenClawError as error:
            self._fail(error.message)
        except Exception as error:
            self._log.failure("The worker failed to start")
            self._fail(f"A worker failed to start: {type(error).__name__}")
        else:
            gateway.ready.addCallbacks(self._reportReady, self._reportFailure)

    def _reportReady(self, _: None) -> None:
        self.channel.send(Ready())
        gc.collect()
        gc.freeze()

    def _reportFailure(self, failure: Failure) -> None:
        error = failure.value
        self._fail(error.message if isinstance(error, OpenClawError) else str(error))

    def _fail(self, reason: str) -> None:
        self.channel.send(Failed(reason))
        self._end()

    def received(self, message: FromDaemon) -> None:
        match message:
            case PeerBroadcast() | PeerQuery() | Replies():
                self._peers.received(message)
            case EngineLeased() | EngineRefusedLease():
                self._engineLease.received(message)
            case EngineExited(embeddings):
                self._engineLease.engineExited(embeddings)
            case EngineFails(embeddings, fails):
                self._engineLease.setFailing(embeddings, fails)
            case Drain():
                Deferred.fromCoroutine(self._drain())
            case Stop():
                self._end()
            case Reload():
                Deferred.fromCoroutine(self._reload())
            case CancelRuns() if self._gateway is not None:
                self._gateway.cancelRuns()

    async def _reload(self) -> None:
        if self._gateway is not None:
            await self._gateway.reload()
        self.channel.send(Reloaded())

    async def _drain(self) -> None:
        if self._gateway is not None:
            await self._gateway.drain()
        self.channel.send(Drained())

    def daemonLost(self) -> None:
        """
        Stop, since the pipes to the daemon are closed.
        """
        if self._stopped:
            self._stopReactor()
            return
        self._orphaned = True
        if self._gateway is not None:
            self._gateway.cancelRuns()
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        Deferred.fromCoroutine(self._stop()).addBoth(self._flush)

    def _flush(self, _: object) -> None:
        self._stopped = True
        if self._orphaned:
            self._stopReactor()
        else:
            self._reactor.callLater(FLUSH_SECONDS, self._stopReactor)
            self.channel.close()

    def _stopReactor(self) -> None:
        if not self._reactorStopped:
            self._reactorStopped = True
            self._reactor.callWhenRunning(self._reactor.stop)

    async def _stop(self) -> None:
        try:
            if self._gateway is not None:
                await self._gateway.stopService()
        except Exception:
            self._log.failure("The worker failed to stop cleanly")
        try:
            # If the daemon was killed, the last worker removes the directory.
            if self._orphaned:
                loadFile(Path(self._settings.folder)).unlink(missing_ok=True)
                os.rmdir(self._settings.folder)
        except OSError:
            pass


def _checkers(descriptions: Sequence[str]) -> list[ICredentialsChecker]:
    from openclaw.options import makeCheckers

    return makeCheckers(descriptions)


def readSettings() -> tuple[WorkerSettings, bytes]:
    """
    Read the settings that the daemon sends first.

    @return: The settings, and further bytes that were read.
    """
    data = b""
    while b"\n" not in data:
        more = os.read(FROM_DAEMON, 65536)
        if not more:
            sys.exit(1)
        data += more
    line, _, rest = data.partition(b"\n")
    return msgspec.json.decode(line, type=WorkerSettings), rest


def main() -> None:
    """
    Serve until the daemon stops this worker or ends.
    """
    settings, rest = readSettings()
    for descriptor in (
        FROM_DAEMON,
        TO_DAEMON,
        *(each.descriptor for each in settings.sockets),
    ):
        os.set_inheritable(descriptor, False)
    sys.path[:] = settings.path
    import_module(settings.reactor).install()
    from twisted.internet import reactor
    from twisted.internet.stdio import StandardIO

    useMonotonicTime(reactor)
    worker = Worker(settings, reactor)
    pipes: Any = StandardIO
    pipes(worker.channel, stdin=FROM_DAEMON, stdout=TO_DAEMON)
    if rest:
        worker.channel.dataReceived(rest)
    reactor.callWhenRunning(_ignoreSignals)
    worker.start()
    reactor.run()


def _ignoreSignals() -> None:
    """
    Install handlers without effect for the signals of a terminal, which it sends to all
    processes: the daemon handles them.  The daemon has blocked them until now, since
    the reactor has installed handlers of its own meanwhile, which would stop it.
    """
    for number in CONSOLE:
        # SIG_IGN would be inherited by the programs of tools.
        signal.signal(number, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CONSOLE)


if __name__ == "__main__":
    main()
