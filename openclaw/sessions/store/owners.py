"""
The owner of a claim: a store in a process, and the check that this process is dead.

A daemon that was killed leaves its claims behind.  Knowing that it is dead lets the
next one take them over at once, instead of after C{leaseSeconds}.  Where this can't
be known for certain the owner counts as alive: a claim must never be taken from a
run that goes on.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Owner:
    """
    One open store in one process.  Its text form is what the C{owner} column keeps.

    @ivar host: The place in which C{pid} means something.
    @ivar pid: The process.
    @ivar started: When the process started, in the kernel's own count, or the empty
        string where that can't be had.  It tells a process from an earlier one that
        had the same number, as the daemon in a restarted container has.
    @ivar nonce: Different for every store object.
    """

    host: str
    pid: int
    started: str
    nonce: str

    @classmethod
    def here(cls) -> "Owner":
        """
        A new owner in this process.  To be called after any fork.
        """
        pid = os.getpid()
        return cls(
            host=_host(),
            pid=pid,
            started=_startOf(pid) or "",
            nonce=secrets.token_hex(8),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.started}:{self.nonce}"

    def knowsDead(self, other: str) -> bool:
        """
        Is the process of another owner certainly gone?

        @param other: The text form of an L{Owner}.  Of an owner elsewhere, or a
            text that is none, nothing is known.
        """
        try:
            host, pidText, started, _ = other.rsplit(":", 3)
            pid = int(pidText)
        except ValueError:
            return False
        if host != self.host or pid <= 0:
            return False
        startedNow = _startOf(pid)
        if startedNow is None:
            return True
        return bool(started and startedNow) and started != startedNow


def _host() -> str:
    """
    The host's name and, where there are such, the process namespace: two containers
    can have one name, but not each other's processes.
    """
    try:
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"


def _startOf(pid: int) -> str | None:
    """
    When a process started, in the kernel's own count.

    @return: C{None} when there is no such process, or only its body, not yet
        buried; the empty string when it lives but its start can't be known.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # it lives, as somebody else
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""  # a system without /proc, or one that hides other people's
    # pid (name) state ppid ...; the name may hold blanks and brackets
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]
