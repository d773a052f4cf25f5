"""
Temporary files in workspaces, which don't outlive the daemon that made them by more
than its next start.

A file is written under a temporary name in the directory where it belongs, since it
takes its group and its access list from there.  A daemon that is killed meanwhile
leaves it behind.  So that nobody has to search a whole workspace for it, a note beside
it says where it is: a file of the same name in the workspace itself, which is all that
is looked through at the start.  Who writes holds a lock on the note; one that nobody
holds was left behind, also by another daemon.

Blocking work, for a thread.
"""

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openclaw.tools.confinement import PathRefused, PathTarget, Workspace

TEMPORARY_PREFIX = ".openclaw-"
MAX_SCANNED = 100_000
"""
The entries of a workspace that are looked at for notes.
"""

MAX_NOTE_BYTES = 16 * 1024
"""
A path of L{openclaw.tools.confinement.MAX_DEPTH} names has at most that many.
"""

_NAME = re.compile(r"\.openclaw-[0-9a-f]{16}\.(?:tmp|note)")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KNOWN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def temporaryFile(target: PathTarget) -> Iterator[tuple[str, int]]:
    """
    Make an empty file beside a path.

    @return: Its name, and a descriptor for writing.  At the end it is closed, and
        removed if it still has that name.
    """
    stem = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    note, name = f"{stem}.note", f"{stem}.tmp"
    with _created(target.root, note, 0o600) as held:
        _lock(held)
        os.write(held, os.fsencode("/".join((*target.folders, name))))
        with _created(target.directory, name, 0o666) as descriptor:
            yield name, descriptor


@contextmanager
def _created(directory: int, name: str, mode: int) -> Iterator[int]:
    descriptor = os.open(name, _NEW, mode, dir_fd=directory)
    try:
        yield descriptor
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """
    Lock a file, if nobody else has.  Where there are no locks, nothing is removed that
    might be in use.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def removeLeftovers(root: Path) -> int:
    """
    Remove the temporary files that daemons left in a workspace when they were killed.

    @return: How many files were removed, their notes not counted.
    """
    removed = 0
    try:
        with Workspace(root).directory(".") as directory:
            for name in _notesIn(directory):
                removed += _removeNoted(root, directory, name)
    except (OSError, PathRefused):
        # An agent's tools will say what is wrong with its workspace.
        pass
    return removed


def _notesIn(directory: int) -> list[str]:
    """
    The names in a workspace that are ours.
    """
    found = []
    with os.scandir(directory) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_SCANNED:
                break
            if _NAME.fullmatch(entry.name):
                found.append(entry.name)
    # Notes come first: while one is locked, so is the file that it is about.
    return sorted(found)


def _removeNoted(root: Path, directory: int, name: str) -> int:
    """
    Remove what is left behind under one of our names.
    """
    stem, _, kind = name.rpartition(".")
    if kind == "tmp":
        # Its own note is in the same directory, and gone if nobody holds it.
        return 0 if _exists(directory, f"{stem}.note") else _remove(directory, name)
    removed = 0
    with suppress(OSError, PathRefused):
        descriptor = os.open(name, _KNOWN, dir_fd=directory)
        try:
            if not _isOurs(os.fstat(descriptor)) or not _lock(descriptor):
                return 0
            path = os.fsdecode(os.read(descriptor, MAX_NOTE_BYTES))
            # A note could say anything: it can't lead to a file of another name.
            if path and path.rpartition("/")[2] == f"{stem}.tmp":
                with suppress(OSError, PathRefused), Workspace(root).target(path) as at:
                    removed = _remove(at.directory, f"{stem}.tmp")
            _remove(directory, name)
        finally:
            os.close(descriptor)
    return removed


def _exists(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True


def _remove(directory: int, name: str) -> int:
    """
    Remove a regular file of our own.

    @return: How many were.
    """
    try:
        if not _isOurs(os.stat(name, dir_fd=directory, follow_symlinks=False)):
            return 0
        os.unlink(name, dir_fd=directory)
    except OSError:
        return 0
    return 1


def _isOurs(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
