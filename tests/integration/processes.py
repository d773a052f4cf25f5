"""
Processes that are not children of the tests (on Linux).
"""

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


def missingProcesses() -> str | None:
    """
    Return the reason to skip tests that inspect such processes; C{None} if they can.
    """
    if not hasattr(os, "pidfd_open") or not _childrenOf(os.getpid()).exists():
        return "the system does not tell enough about its processes"
    return None


def _childrenOf(pid: int) -> Path:
    return Path(f"/proc/{pid}/task/{pid}/children")


def children(pid: int) -> list[int]:
    """
    Return the running children of a process, except for its workers.
    """
    return [child for child in _allChildren(pid) if not _isWorker(child)]


def workers(pid: int) -> list[int]:
    """
    Return the workers of a daemon.
    """
    return [child for child in _allChildren(pid) if _isWorker(child)]


def _allChildren(pid: int) -> list[int]:
    return [int(child) for child in _childrenOf(pid).read_text().split()]


def _isWorker(pid: int) -> bool:
    try:
        return (
            b"openclaw.workers.worker_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


def sockets(pid: int) -> int:
    """
    Count the sockets of a process.
    """
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(descriptor).startswith("socket:")
        except FileNotFoundError:
            pass
    return count


@implementer(IReadDescriptor)
class Watch:
    """
    A watch on a process.

    @ivar ended: Fires when it has ended.
    """

    def __init__(self, reactor: Any, pid: int) -> None:
        self.ended: Deferred[None] = Deferred()
        self._reactor = reactor
        self._descriptor = os.pidfd_open(pid)
        reactor.addReader(self)

    def fileno(self) -> int:
        """
        Return a descriptor that becomes readable when the process has ended.
        """
        return self._descriptor

    def doRead(self) -> None:
        self.stop()
        self.ended.callback(None)

    def stop(self) -> None:
        """
        Stop watching.
        """
        if self._descriptor >= 0:
            self._reactor.removeReader(self)
            os.close(self._descriptor)
            self._descriptor = -1

    def connectionLost(self, reason: Failure) -> None:
        """
        Do nothing.
        """

    def logPrefix(self) -> str:
        return "watch"


__all__ = ["Watch", "children", "missingProcesses", "sockets", "workers"]
