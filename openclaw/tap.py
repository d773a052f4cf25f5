"""
C{twistd openclaw}: the gateway as the only service of a process.
"""

# Each import below takes its time, in which a SIGHUP would end the process.
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
As much as twistd reads of why its daemon could not start.
"""


class Daemon(MultiService):
    """
    The gateway with what only a process of its own needs: signals, a log, and an exit
    that says what went wrong.
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
        Become a part of twistd's application, which is asked for a log.
        """
        super().setServiceParent(parent)
        if self._wantsJSON and isinstance(parent, Componentized):
            observer = jsonObserver(self._twistd, self._reactor)
            if observer is not None:
                parent.setComponent(ILogObserver, observer)
                self._wantsJSON = False

    def privilegedStartService(self) -> None:
        """
        Listen, or end the process with one line that says why not.
        """
        self._orExit(super().privilegedStartService)

    def startService(self) -> None:
        """
        Start.
        """
        self._gateway.ready.addCallbacks(self._settle, self._giveUp)
        if self._wantsJSON:
            self._log.warn(
                "logging.format is without effect: the log of this process is set up by"
                " the options of its command"
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
            # To the log, and to the process that the shell waits for.
            print(f"openclaw: {error}", file=sys.stderr)
            os.write(pipe, f"1 {error}".encode()[:STATUS_BYTES])
            os.close(pipe)
            sys.exit(1)

    def _settle(self, _: None) -> None:
        """
        Exempt all that exists by now from garbage collection. Its longest pause falls
        from 60 ms to 1.5 ms.
        """
        gc.collect()
        gc.freeze()

    def _giveUp(self, failure: Failure) -> None:
        """
        The log has the reason by now, unless there is none but a signal.
        """
        if not self._gateway.running:
            return
        _stopWithStatus1(self._reactor)


def _stopWithStatus1(reactor: Any) -> None:
    """
    Stop the daemon, and let its status tell that it failed.
    """
    atexit.register(os._exit, 1)
    # The start can fail before the reactor runs, which can't be stopped then.
    reactor.callWhenRunning(reactor.stop)


def _exit(error: Exception) -> NoReturn:
    sys.exit(f"openclaw: {error}")


def _adopter(twistd: Mapping[str, Any]) -> Callable[[Path], None]:
    """
    Files that are made as root belong to the user that the daemon will be.
    """
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if os.geteuid() != 0 or (uid is None and gid is None):
        return lambda path: None
    return lambda path: os.chown(
        path, -1 if uid is None else uid, -1 if gid is None else gid
    )


def _checkState(twistd: Mapping[str, Any]) -> None:
    """
    Root can write everywhere; can the user that the daemon will be?

    @raise StartError: The state directory is not theirs.
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
    Must listening wait until the daemon has its own process?  A UNIX socket's lock
    has the number of the process that made it.
    """
    # twist has no such option, and never goes into the background.
    background = not twistd.get("nodaemon", True)
    return background and any(each.startswith("unix:") for each in listen)


def _divide(gateway: GatewayService, options: Options, reactor: Any) -> None:
    """
    Have the work done by several processes.
    """
    # Late: a daemon that does it all by itself need not know them.
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
    See L{twisted.application.service.IServiceMaker.makeService}.  What is wrong ends
    the process here, before it becomes a daemon.
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
            adopt=_adopter(twistd),
        )
        _checkState(twistd)
        if (options["workers"] or gateway.config.gateway.workers) > 1:
            _divide(gateway, options, reactor)
        if not _listensLater(options["listen"], twistd):
            gateway.privilegedStartService()
    except (ConfigError, StartError) as error:
        _exit(error)
    return Daemon(gateway, reactor, twistd)
