"""
Read files that hold secrets or grant access, if no other user can have written them.
"""

import os
import stat
from errno import EISDIR
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class UnsafeFile(Exception):
    """
    The file may have been written by another user, can be read by others, or can't be
    read whole.  The text continues a sentence that begins with the file's name, such as
    C{has more than 5 bytes}.
    """


def readPrivateFile(path: Path, maxBytes: int) -> tuple[bytes, os.stat_result]:
    """
    Read a file of the state directory.  Its owner must be this process's user, the
    directory's owner or root; no other user may write it; and it must be a regular
    file: opening a FIFO could wait forever, and a link may lead to another user's file.

    @return: The contents and the status of the file.

    @raise OSError: It can't be read.

    @raise UnsafeFile: It must not be used.
    """
    try:
        descriptor = os.open(path, _FLAGS | os.O_NOFOLLOW)
    except OSError:
        if path.is_symlink():
            raise UnsafeFile("is a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        owners = {0, os.geteuid(), os.stat(path.parent).st_uid}
        fault = _fault(status, owners)
        if fault is not None:
            raise UnsafeFile(fault)
        return _read(descriptor, status, maxBytes), status
    finally:
        os.close(descriptor)


def readRegularFile(path: Path, maxBytes: int) -> bytes:
    """
    Read a file that an administrator named.  It may be a link, as in a directory of
    Kubernetes secrets, but not a pipe or a device, which could block the reactor or
    have no end.

    @raise OSError: It can't be read.

    @raise UnsafeFile: It is not a regular file, or larger than C{maxBytes}.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        return _read(descriptor, os.fstat(descriptor), maxBytes)
    finally:
        os.close(descriptor)


def _read(descriptor: int, status: os.stat_result, maxBytes: int) -> bytes:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if stat.S_ISFIFO(status.st_mode):
        raise UnsafeFile("is a FIFO")
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile("is not a regular file")
    with open(descriptor, "rb", closefd=False) as file:
        # The size may change during reading, or be 0 as in /proc.
        data = file.read(maxBytes + 1)
    if len(data) > maxBytes:
        raise UnsafeFile(f"has more than {maxBytes} bytes")
    return data


def accessWarning(path: Path, *, secret: bool) -> str | None:
    """
    Return a warning if other users can change a file or directory that an administrator
    named, or can read a secret.  The file is used nevertheless: credentials of systemd
    and secrets of Kubernetes have their own groups and owners.

    @param secret: Whether only the daemon should be able to read it.

    @return: A sentence, or C{None} if nothing is wrong or the file does not exist.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if mode & 0o002 and not mode & stat.S_ISVTX:
        return f"{path} can be changed by every user of this machine; chmod o-w."
    if mode & 0o020 and not stat.S_ISDIR(mode):
        return f"{path} can be changed by its group; chmod g-w."
    if secret and mode & 0o004:
        return f"{path} can be read by every user of this machine; chmod o-r."
    return None


def _fault(status: os.stat_result, owners: set[int]) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid not in owners:
        return "belongs to another user"
    if status.st_mode & 0o022:
        return "can be written by others than its owner; chmod 600"
    if status.st_mode & 0o004:
        return "can be read by all users; chmod 600"
    return None
