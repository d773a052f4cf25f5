"""
Files that hold secrets, or decide who may come in: read only if nobody else can have
put them there.
"""

import os
import stat
from pathlib import Path


class UnsafeFile(Exception):
    """
    Somebody else may have written the file, or can read it.  The text says why.
    """


def readPrivateFile(path: Path, maxBytes: int) -> tuple[bytes, os.stat_result]:
    """
    Read a file of the state directory.  Its owner must be this process's user, the
    directory's or root, nobody else may write it, and it is a regular file: opening a
    FIFO would wait for ever, and a link may lead to a file of somebody else's.

    @return: Its contents, and what the system says of it.

    @raise OSError: It can't be read.

    @raise UnsafeFile: It is not to be used.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)
    except OSError:
        if path.is_symlink():
            raise UnsafeFile("it is a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        owners = {0, os.geteuid(), os.stat(path.parent).st_uid}
        fault = _fault(status, owners, maxBytes)
        if fault is not None:
            raise UnsafeFile(fault)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(maxBytes), status
    finally:
        os.close(descriptor)


def _fault(status: os.stat_result, owners: set[int], maxBytes: int) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if status.st_uid not in owners:
        return "it belongs to another user"
    if status.st_mode & 0o022:
        return "it can be written by others than its owner; chmod 600"
    if status.st_mode & 0o004:
        return "it can be read by everybody; chmod 600"
    if status.st_size > maxBytes:
        return f"it has more than {maxBytes} bytes"
    return None
