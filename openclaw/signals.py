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
    Survive a SIGHUP that comes while the daemon starts, when Python would end the
    process.  To be called first of all; L{SignalService} reloads for it then.

    A process that is started with the signal ignored survives it from its first moment,
    before this can be called.
    """
    if signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(signal.SIGHUP, _remember)


CONSOLE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""
Signals that whoever ends or reloads a daemon may send to all of its processes.
"""


@contextmanager
def blocked() -> Iterator[None]:
    """
    Block L{CONSOLE} for this thread.  A process that is started meanwhile begins with
    them blocked: none ends it before it can handle them, and it unblocks them then.
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
    Reloads on SIGHUP; once the daemon stops, the next SIGTERM or SIGINT hurries it.
    It is for a process that is all ours: signals belong to the whole of it.
    """

    def __init__(
        self,
        reactor: Any,
        reload: Callable[[], object],
        cancelRuns: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._reload = reload
        self._hurry = cancelRuns

    def startService(self) -> None:
        """
        Listen to SIGHUP.  One that came since the configuration was read counts, too.
        """
        super().startService()
        self._handle(signal.SIGHUP, self._reload)
        if _remembered:
            _remembered.clear()
            self._reactor.callWhenRunning(self._reload)

    def stopService(self) -> None:
        """
        The first SIGTERM has come, and Twisted has no more use for the next.
        """
        super().stopService()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._handle(signal.SIGTERM, self._hurry)
        self._handle(signal.SIGINT, self._hurry)

    def _handle(self, number: int, action: Callable[[], object]) -> None:
        def received(_: int, frame: FrameType | None) -> None:
            # A signal handler may do next to nothing itself.
            self._reactor.callFromThread(action)

        signal.signal(number, received)
