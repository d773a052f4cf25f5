"""
Handle the daemon's signals.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from twisted.application.service import Service


def rememberHangups() -> None:
    """
    Remember a SIGHUP during the start, which would end the process, so that
    L{SignalService} can reload for it later.  Call this first.

    For a SIGHUP before this call, start the process with the signal ignored.
    """
    if signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(signal.SIGHUP, _remember)


CONSOLE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""
Signals that may be sent to all processes of a daemon to stop or reload it.
"""


@contextmanager
def blocked() -> Iterator[None]:
    """
    Block L{CONSOLE} for this thread.  A process that is started meanwhile inherits
    that: these signals can't end it before it has installed handlers and unblocks them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CONSOLE)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_remembered: list[int] = []


def _remember(number: int, frame: FrameType | None) -> None:
    _remembered.append(number)


class SignalService(Service):
    """
    Reloads on SIGHUP, and cancels runs on a SIGTERM or SIGINT while the daemon stops.
    Signals are global, so this is only for a process of which the gateway is the main
    service.
    """

    def __init__(
        self,
        reactor: Any,
        reload: Callable[[], object],
        cancelRuns: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._reload = reload
        self._cancelRuns = cancelRuns

    def startService(self) -> None:
        """
        Handle SIGHUP, including one since L{rememberHangups}.
        """
        super().startService()
        self._handle(signal.SIGHUP, self._reload)
        if _remembered:
            _remembered.clear()
            self._reactor.callWhenRunning(self._reload)

    def stopService(self) -> None:
        """
        Ignore SIGHUP, and let another SIGTERM or SIGINT cancel runs.
        """
        super().stopService()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._handle(signal.SIGTERM, self._cancelRuns)
        self._handle(signal.SIGINT, self._cancelRuns)

    def _handle(self, number: int, action: Callable[[], object]) -> None:
        def received(_: int, frame: FrameType | None) -> None:
            # A signal handler may interrupt any code.
            self._reactor.callFromThread(action)

        signal.signal(number, received)
