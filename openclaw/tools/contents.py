"""
Reading and replacing files of a workspace, a bounded amount at a time.

Blocking work, for a thread.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from openclaw.interfaces import ToolError
from openclaw.tools.confinement import PathRefused, Place, Workspace, openRegular
from openclaw.tools.threads import checkStop

MAX_TEXT_BYTES = 64 * 1024
"""
The most of a file that is shown at once.
"""

MAX_SCAN_BYTES = 64 * 1024 * 1024
"""
How far into a file one looks for the lines that are wanted.
"""

MAX_EDIT_BYTES = 8 * 1024 * 1024
"""
The largest file that can be edited.
"""

SNIFF_BYTES = 8192
TEMPORARY_PREFIX = ".openclaw-"


Sync = Callable[[int], None]
"""
Brings what was written to a descriptor to the disk.
"""


@contextmanager
def explained(path: str) -> Iterator[None]:
    """
    Turn what goes wrong with a path into what a model can read.

    @raise ToolError: In place of L{PathRefused} and L{OSError}.
    """
    try:
        yield
    except PathRefused as refused:
        raise ToolError(f"{path}: {refused}") from None
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror or 'it failed'}") from None


def readLines(
    workspace: Workspace, path: str, first: int, count: int, stop: Event
) -> str:
    """
    Some lines of a text file, as they are.

    @param first: The number of the first one, from 1.

    @param count: How many at most.

    @return: The lines, and a note in brackets if they are not all.

    @raise ToolError: There is no such text.
    """
    with explained(path), open(workspace.openFile(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if b"\0" in file.read(SNIFF_BYTES):
            raise ToolError(f"{path}: it is a binary file of {size} bytes")
        file.seek(0)
        number = 1
        while number < first:
            checkStop(stop)
            if file.tell() > MAX_SCAN_BYTES:
                raise ToolError(f"{path}: line {first} is too far into the file")
            line = file.readline(MAX_TEXT_BYTES)
            if not line:
                raise ToolError(f"{path}: it has only {number - 1} lines")
            number += line.endswith(b"\n")
        kept: list[bytes] = []
        room = MAX_TEXT_BYTES
        while number < first + count and room > 0:
            line = file.readline(room)
            if not line:
                break
            kept.append(line)
            room -= len(line)
            number += line.endswith(b"\n")
        more = bool(file.read(1))
    return _shown(b"".join(kept), first, number, more, size)


def _shown(data: bytes, first: int, following: int, more: bool, size: int) -> str:
    """
    Lines with a note on what is not there.

    @param following: The number of the line that comes next, or that is cut.
    """
    text = data.decode("utf-8", "replace")
    if not data:
        return "[the file is empty]"
    if not more:
        return text
    if data.endswith(b"\n"):
        note = f"lines {first} to {following - 1}; go on with offset {following}"
    else:
        note = f"line {following} is too long and cut here"
    return f"{text.removesuffix(chr(10))}\n[{note}; the file has {size} bytes]"


def readWhole(place: Place, path: str) -> bytes:
    """
    All of a file that is not too large to be edited.

    @raise ToolError: It is.
    """
    with open(openRegular(place), "rb") as file:
        data = file.read(MAX_EDIT_BYTES + 1)
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(f"{path}: it is too large to be edited here")
    return data


def replaceFile(place: Place, data: bytes, stop: Event, sync: Sync = os.fsync) -> bool:
    """
    Let a file have these contents, all at once: whoever looks sees the old ones or
    the new ones, also after the machine failed.  The mode stays.

    @return: Whether the file is a new one.

    @raise PathRefused: There is something else than a file.

    @raise Stopped: In time, and nothing was changed.
    """
    mode = None
    try:
        status = os.stat(place.name, dir_fd=place.directory, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(status.st_mode):
            raise PathRefused("it is not a regular file")
        mode = stat.S_IMODE(status.st_mode)
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}.tmp"
    descriptor = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o666,
        dir_fd=place.directory,
    )
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.flush()
            sync(file.fileno())
        checkStop(stop)
        os.rename(
            temporary,
            place.name,
            src_dir_fd=place.directory,
            dst_dir_fd=place.directory,
        )
    except BaseException:
        os.unlink(temporary, dir_fd=place.directory)
        raise
    return mode is None


__all__ = [
    "MAX_EDIT_BYTES",
    "MAX_SCAN_BYTES",
    "MAX_TEXT_BYTES",
    "SNIFF_BYTES",
    "TEMPORARY_PREFIX",
    "Sync",
    "explained",
    "readLines",
    "readWhole",
    "replaceFile",
]
