"""
The owner of a claim: a store in a process, and the check that this process is dead.

A killed daemon leaves its claims behind.  If its process is known to be dead, the next
daemon takes them over immediately, instead of after C{leaseSeconds}.  If that is not
certain, the owner counts as alive: a claim must never be taken from a running run.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Owner:
    """
    An open store in a process.  The C{owner} column has its text form.

    @ivar host: The host and process namespace in which C{pid} is valid.
    @ivar pid: The process id.
    @ivar started: The kernel's start time of the process, or the empty string if it is
        not known.  It distinguishes a process from an earlier one with the same id,
        such as the daemon of a restarted container.
    @ivar nonce: A random text, different for every store object.
    """

    host: str
    pid: int
    started: str
    nonce: str

    @classmethod
    def current(cls) -> "Owner":
        """
        Create an owner for this process.  Call this after any fork.
        """
        pid = os.getpid()
        return cls(
            host=_host(),
            pid=pid,
            started=_startTime(pid) or "",
            nonce=secrets.token_hex(8),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}:{self.nonce}"

    def isProcessGone(self, other: str) -> bool:
        """
        Return whether the process of another owner is certainly gone.

        @param other: The text form of an L{Owner}.  The result is C{False} for an owner
            on another host, and for an invalid text.
        """
        try:
            host, pidText, started, _ = other.rsplit(":", 3)
            pid = int(pidText)
        except ValueError:
            return False
        if host != self.host or pid <= 0:
            return False
        startedNow = _startTime(pid)
        if startedNow is None:
            return True
        return bool(started and startedNow) and started != startedNow


def _host() -> str:
    """
    Return the host's name and, on Linux, the process namespace: two containers can have
    the same name, but do not share processes.
    """
    try:
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def _startTime(pid: int) -> str | None:
    """
    Return the kernel's start time of a process.

    @return: C{None} if the process does not exist or is a zombie; the empty string if
        it lives, and its start is not known.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # it lives, and belongs to another user
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""  # a system without /proc, or one that hides other users' processes
    # pid (name) state ppid ...; the name may hold blanks and brackets
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
