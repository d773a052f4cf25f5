"""
C{twistd openclaw}: the gateway as the only service of a process.
"""

# The imports below take time, during which a SIGHUP would end the process.
from openclaw.signals import SignalService, rememberHangups

rememberHangups()

import atexit
import gc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from pwd import getpwuid
from typing import Any, NoReturn

from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger, globalLogPublisher
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.python.util import runAsEffectiveUser

from openclaw.config import stateDirectory
from openclaw.errors import ConfigError, StartError
from openclaw.log_formats import jsonObserver
from openclaw.net.monotonic_time import useMonotonicTime
from openclaw.options import Options
from openclaw.service import GatewayService
from openclaw.service import makeService as makeGateway
from openclaw.state_directory import prepareState

STATUS_BYTES = 100
"""
Limit of the error message that twistd reads from its daemon.
"""


class Daemon(MultiService):
    """
    The gateway as the main service of a process, with signals, log and exit status.
    """

    _log = Logger(namespace="openclaw")

    def __init__(
        self, gateway: GatewayService, reactor: Any, twistd: Mapping[str, Any]
    ) -> None:
        """
        @param twistd: The options of twistd itself, or of twist.
        """
        super().__init__()
        self._gateway = gateway
        self._reactor = reactor
        self._twistd = twistd
        self._wantsJSON = gateway.logsJSON()
        gateway.setServiceParent(self)
        SignalService(reactor, gateway.reload, gateway.cancelRuns).setServiceParent(
            self
        )

    def setServiceParent(self, parent: Any) -> None:
        """
        Join twistd's application, and set its log observer.
        """
        super().setServiceParent(parent)
        if self._wantsJSON and isinstance(parent, Componentized):
            observer = jsonObserver(self._twistd, self._reactor)
            if observer is not None:
                parent.setComponent(ILogObserver, observer)
                self._wantsJSON = False

    def privilegedStartService(self) -> None:
        """
        Listen, or exit with one line that gives the reason.
        """
        self._orExit(super().privilegedStartService)

    def startService(self) -> None:
        self._gateway.ready.addCallbacks(self._freezeGarbage, self._fail)
        if self._wantsJSON:
            self._log.warn(
                "logging.format has no effect: the options of this process's command"
                " set up its log"
            )
        # twist has no privileged start.
        self._orExit(super().startService)

    def _orExit(self, start: Callable[[], object]) -> None:
        try:
            start()
        except StartError as error:
            pidfile = self._twistd.get("pidfile")
            if pidfile:
                Path(pidfile).unlink(missing_ok=True)
            pipe = self._twistd.get("statusPipe")
            if pipe is None:
                _exit(error)
            # To the log, and to the parent process, for which the shell waits.
            print(f"openclaw: {error}", file=sys.stderr)
            os.write(pipe, f"1 {error}".encode()[:STATUS_BYTES])
            os.close(pipe)
            sys.exit(1)

    def _freezeGarbage(self, _: None) -> None:
        """
        Exempt the objects of the start from garbage collection.  This reduces its
        longest pause from 60 ms to 1.5 ms.
        """
        gc.collect()
        gc.freeze()

    def _fail(self, failure: Failure) -> None:
        # The log has the reason already.  A stop during the start is not a failure.
        if self._gateway.running:
            _stopWithStatus1(self._reactor)


def _stopWithStatus1(reactor: Any) -> None:
    """
    Stop the daemon with exit status 1.
    """
    atexit.register(os._exit, 1)
    # The start can fail before the reactor runs, and it can't be stopped then.
    reactor.callWhenRunning(reactor.stop)


def _exit(error: Exception) -> NoReturn:
    sys.exit(f"openclaw: {error}")


def _makeAdopt(twistd: Mapping[str, Any]) -> Callable[[Path], None]:
    """
    Return a function that gives files created as root to the daemon's later user.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if os.geteuid() != 0 or (uid is None and gid is None):
        return lambda path: None
    return lambda path: os.chown(
        path, -1 if uid is None else uid, -1 if gid is None else gid
    )


def _checkState(twistd: Mapping[str, Any]) -> None:
    """
    Check that the daemon's later user can write the state directory, as root can.

    @raise StartError: The user can't.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if os.geteuid() != 0 or uid is None:
        return
    runAsEffectiveUser(
        uid,
        getpwuid(uid).pw_gid if gid is None else gid,
        prepareState,
        stateDirectory(os.environ),
        lambda path: None,
    )


def _listensLater(listen: list[str], twistd: Mapping[str, Any]) -> bool:
    """
    Return whether listening must wait until the daemon has forked: the lock of a UNIX
    socket contains the id of the process that created it.
    """
    # twist lacks this option, and never goes into the background.
    background = not twistd.get("nodaemon", True)
    return background and any(each.startswith("unix:") for each in listen)


def _useWorkers(gateway: GatewayService, options: Options, reactor: Any) -> None:
    """
    Let worker processes serve the requests.
    """
    # Imported only if there are workers.
    from openclaw.workers.supervisor import WorkerOptions, WorkerSupervisor

    config = options["config"]
    supervisor = WorkerSupervisor(
        count=options["workers"] or gateway.config.gateway.workers,
        options=WorkerOptions(
            config=None if config is None else os.path.abspath(config),
            listen=options["listen"],
            auth=options["auth"],
        ),
        ports=gateway.ports,
        local=lambda: gateway.local,
        prepare=gateway.prepareLocal,
        environ=os.environ,
        path=sys.path,
        reactor=reactor,
        publish=globalLogPublisher,
        log=gateway.log,
        onFatal=lambda: _stopWithStatus1(reactor),
    )
    gateway.delegate(supervisor)


def makeService(options: Options) -> IService:
    """
    See L{twisted.application.service.IServiceMaker.makeService}.  Errors end the
    process here, before it becomes a daemon.
    """
    from twisted.internet import reactor

    useMonotonicTime(reactor)
    twistd: Mapping[str, Any] = options.parent or {}
    try:
        gateway = makeGateway(
            reactor=reactor,
            config=options["config"],
            listen=options["listen"],
            checkers=options.get("credCheckers") or (),
            adopt=_makeAdopt(twistd),
        )
        _checkState(twistd)
        if (options["workers"] or gateway.config.gateway.workers) > 1:
            _useWorkers(gateway, options, reactor)
        if not _listensLater(options["listen"], twistd):
            gateway.privilegedStartService()
    except (ConfigError, StartError) as error:
        _exit(error)
    return Daemon(gateway, reactor, twistd)
