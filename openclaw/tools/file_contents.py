"""
Reading and replacing files of a workspace, a bounded amount at a time.

Blocking work, for a thread.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import BinaryIO

from openclaw.interfaces import ToolError
from openclaw.net.threads import checkStop
from openclaw.tools.confinement import PathRefused, PathTarget, Workspace, openRegular
from openclaw.tools.temporary import temporaryFile

MAX_TEXT_BYTES = 64 * 1024
"""
The most of a file that is shown at once.
"""

MAX_SCAN_BYTES = 64 * 1024 * 1024
"""
Bytes of a file in which the wanted lines are looked for.
"""

MAX_EDIT_BYTES = 8 * 1024 * 1024
"""
The largest file that can be edited or written.
"""

BLOCK_BYTES = 256 * 1024
"""
Bytes that are read at once while lines are counted.
"""

SNIFF_BYTES = 8192

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
        file.seek(_placeOf(file, path, first, stop))
        data = file.read(MAX_TEXT_BYTES + 1)
    if not data and first > 1:
        raise ToolError(f"{path}: it has only {first - 1} lines")
    text = data[:MAX_TEXT_BYTES]
    count = min(count, MAX_TEXT_BYTES)
    lines = text.split(b"\n", count)
    if len(lines) > count:
        text = text[: len(text) - len(lines[-1])]
    more = len(data) > len(text)
    return _shown(text, first, first + text.count(b"\n"), more, size)


def _placeOf(file: BinaryIO, path: str, line: int, stop: Event) -> int:
    """
    Find the place where a line begins.  Lines are counted a block at a time: to read
    each took ten seconds for a file of short ones.

    @raise ToolError: There is no such line, or it is too far into the file.
    """
    file.seek(0)
    begin, before = 0, 0
    ended = True
    while before < line - 1:
        checkStop(stop)
        if begin > MAX_SCAN_BYTES:
            raise ToolError(f"{path}: line {line} is too far into the file")
        block = file.read(BLOCK_BYTES)
        if not block:
            raise ToolError(f"{path}: it has only {before + (not ended)} lines")
        count = block.count(b"\n")
        if before + count >= line - 1:
            return begin + _endOf(block, line - 1 - before)
        before += count
        begin += len(block)
        ended = block.endswith(b"\n")
    return begin


def _endOf(block: bytes, line: int) -> int:
    """
    Find the place behind the end of a line that ends in this block, by halves.

    @param line: Counted from 1.
    """
    low, high = 0, len(block)
    while low < high:
        middle = (low + high) // 2
        if block.count(b"\n", 0, middle) < line:
            low = middle + 1
        else:
            high = middle
    return low


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


def readWhole(target: PathTarget, path: str) -> bytes:
    """
    All of a file that is not too large to be edited.

    @raise ToolError: It is.
    """
    with open(openRegular(target), "rb") as file:
        data = file.read(MAX_EDIT_BYTES + 1)
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(f"{path}: it is too large to be edited here")
    return data


def replaceFile(
    target: PathTarget, data: bytes, stop: Event, sync: Sync = os.fsync
) -> bool:
    """
    Let a file have these contents, all at once: whoever looks sees the old ones or
    the new ones, also after the machine failed.  The mode stays.

    @return: Whether the file is a new one.

    @raise PathRefused: There is something else than a file.

    @raise Stopped: In time, and nothing was changed.
    @raise ToolError: They are too large.
    """
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(f"{len(data)} bytes are too many: {MAX_EDIT_BYTES} may be")
    mode = None
    try:
        status = os.stat(target.name, dir_fd=target.directory, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(status.st_mode):
            raise PathRefused("it is not a regular file")
        mode = stat.S_IMODE(status.st_mode)
    with temporaryFile(target) as (temporary, descriptor):
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        if mode is not None:
            os.fchmod(descriptor, mode)
        sync(descriptor)
        checkStop(stop)
        os.rename(
            temporary,
            target.name,
            src_dir_fd=target.directory,
            dst_dir_fd=target.directory,
        )
    return mode is None
