"""
C{twistd openclaw}: a gateway as the one thing that a process does.
"""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService, MultiService
from twisted.python.failure import Failure

from openclaw.errors import ConfigError, StartError
from openclaw.options import Options
from openclaw.service import GatewayService
from openclaw.service import makeService as makeGateway
from openclaw.signals import SignalService


class Daemon(MultiService):
    """
    The gateway with what only a process of its own needs: signals, and an exit that
    says what went wrong.
    """

    def __init__(self, gateway: GatewayService, reactor: Any, twistd: Any) -> None:
        """
        @param twistd: twistd's own options, or C{None} under C{twist}.
        """
        super().__init__()
        self._gateway = gateway
        self._reactor = reactor
        self._twistd = twistd or {}
        gateway.setServiceParent(self)
        SignalService(reactor, gateway.reload, gateway.hurry).setServiceParent(self)

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
        # twist has no privileged start.
        self._orExit(super().startService)

    def _orExit(self, start: Callable[[], object]) -> None:
        try:
            start()
        except StartError as error:
            if self._twistd.get("statusPipe") is not None:
                # The process that the shell waits for prints this one's exception.
                raise
            pidfile = self._twistd.get("pidfile")
            if pidfile:
                Path(pidfile).unlink(missing_ok=True)
            _exit(error)

    def _settle(self, _: None) -> None:
        """
        What is there by now stays: the garbage collector need not look at it again.
        Its longest pause falls from 60 ms to 1.5 ms.
        """
        gc.collect()
        gc.freeze()

    def _giveUp(self, failure: Failure) -> None:
        """
        The log has the reason by now.
        """
        atexit.register(os._exit, 1)
        self._reactor.stop()


def _exit(error: Exception) -> NoReturn:
    sys.exit(f"openclaw: {error}")


def _adopter(twistd: Any) -> Callable[[Path], None]:
    """
    Files that are made as root belong to the user that the daemon will be.
    """
    uid, gid = (twistd or {}).get("uid"), (twistd or {}).get("gid")
    if os.geteuid() != 0 or (uid is None and gid is None):
        return lambda path: None
    return lambda path: os.chown(
        path, -1 if uid is None else uid, -1 if gid is None else gid
    )


def makeService(options: Options) -> IService:
    """
    See L{twisted.application.service.IServiceMaker.makeService}.  What is wrong ends
    the process here, before it becomes a daemon.
    """
    from twisted.internet import reactor

    twistd = options.parent
    try:
        gateway = makeGateway(
            reactor=reactor,
            config=options["config"],
            listen=options["listen"],
            checkers=options.get("credCheckers") or (),
            adopt=_adopter(twistd),
        )
    except (ConfigError, StartError) as error:
        _exit(error)
    return Daemon(gateway, reactor, twistd)


__all__ = ["Daemon", "Options", "makeService"]
