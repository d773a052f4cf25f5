"""
Temporary files in workspaces, removed at the next start if the daemon was killed.

A file is written under a temporary name in its own directory, from which it takes its
group and access list.  A daemon that is killed meanwhile leaves it behind.  A note
beside it makes it possible to find it without a search of the whole workspace: a file
of the same stem in the workspace's root that contains the path, and only the root is
searched at the start.  The writer holds a lock on the note; an unlocked note is a
leftover, also of another daemon.

Blocks: to be used in a thread.
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
Limit of the entries of a workspace that are searched for notes.
"""

MAX_NOTE_BYTES = 16 * 1024
"""
Above the longest path of L{openclaw.tools.confinement.MAX_DEPTH} names.
"""

_NAME = re.compile(r"\.openclaw-[0-9a-f]{16}\.(?:tmp|note)")
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KNOWN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def temporaryFile(target: PathTarget) -> Iterator[tuple[str, int]]:
    """
    Create an empty file in the directory of a path.

    @return: Its name, and a descriptor for writing.  On exit it is closed, and removed
        if it still has that name.
    """
    stem = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    note, name = f"{stem}.note", f"{stem}.tmp"
    with _createFile(target.root, note, 0o600) as held:
        _lock(held)
        os.write(held, os.fsencode("/".join((*target.folders, name))))
        with _createFile(target.directory, name, 0o666) as descriptor:
            yield name, descriptor


@contextmanager
def _createFile(directory: int, name: str, mode: int) -> Iterator[int]:
    descriptor = os.open(name, _NEW, mode, dir_fd=directory)
    try:
        yield descriptor
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """
    Lock a file unless it is locked.  On a file system without locks this fails, so that
    nothing in use is removed.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def removeLeftovers(root: Path) -> int:
    """
    Remove the temporary files that killed daemons have left in a workspace.

    @return: The number of files removed, without their notes.
    """
    removed = 0
    try:
        with Workspace(root).directory(".") as directory:
            for name in _findNotes(directory):
                removed += _removeLeftover(root, directory, name)
    except (OSError, PathRefused):
        # The agent's tools will report what is wrong with its workspace.
        pass
    return removed


def _findNotes(directory: int) -> list[str]:
    """
    Find the names in a workspace that are of temporary files and notes.
    """
    found = []
    with os.scandir(directory) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_SCANNED:
                break
            if _NAME.fullmatch(entry.name):
                found.append(entry.name)
    # Notes come first: a locked note protects its file.
    return sorted(found)


def _removeLeftover(root: Path, directory: int, name: str) -> int:
    """
    Remove a leftover file or note.

    @return: The number of temporary files removed.
    """
    stem, _, kind = name.rpartition(".")
    if kind == "tmp":
        # Its note is in the same directory; without one the file is a leftover.
        return 0 if _exists(directory, f"{stem}.note") else _remove(directory, name)
    removed = 0
    with suppress(OSError, PathRefused):
        descriptor = os.open(name, _KNOWN, dir_fd=directory)
        try:
            if not _isOwnFile(os.fstat(descriptor)) or not _lock(descriptor):
                return 0
            path = os.fsdecode(os.read(descriptor, MAX_NOTE_BYTES))
            # A note may have been forged: only a file of its own stem is removed.
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
    Remove a regular file of this user.

    @return: 1 if it was removed, else 0.
    """
    try:
        if not _isOwnFile(os.stat(name, dir_fd=directory, follow_symlinks=False)):
            return 0
        os.unlink(name, dir_fd=directory)
    except OSError:
        return 0
    return 1


def _isOwnFile(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
