"""
Reading and replacing files of a workspace.  Sizes are bounded.

Blocks: to be used in a thread.
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
Limit of the bytes returned by one read.
"""

MAX_SCAN_BYTES = 64 * 1024 * 1024
"""
Limit of the bytes read to find the first requested line.
"""

MAX_EDIT_BYTES = 8 * 1024 * 1024
"""
Limit of the size of a file that is edited or written.
"""

BLOCK_BYTES = 256 * 1024
"""
Bytes read at once while lines are counted.
"""

SNIFF_BYTES = 8192

Sync = Callable[[int], None]
"""
Flushes what was written to a descriptor to the disk.
"""


@contextmanager
def toolErrorsFor(path: str) -> Iterator[None]:
    """
    Convert the errors of a path to messages for the model.

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
    Read lines of a text file.

    @param first: The number of the first line, from 1.
    @param count: The most lines to return.
    @return: The lines, and a note in brackets if the file has more.
    @raise ToolError: The file cannot be read, is binary, or has fewer lines.
    """
    with toolErrorsFor(path), open(workspace.openFile(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if b"\0" in file.read(SNIFF_BYTES):
            raise ToolError(f"{path}: it is a binary file of {size} bytes")
        file.seek(_findLine(file, path, first, stop))
        data = file.read(MAX_TEXT_BYTES + 1)
    if not data and first > 1:
        raise ToolError(f"{path}: it has only {first - 1} lines")
    text = data[:MAX_TEXT_BYTES]
    count = min(count, MAX_TEXT_BYTES)
    lines = text.split(b"\n", count)
    if len(lines) > count:
        text = text[: len(text) - len(lines[-1])]
    more = len(data) > len(text)
    return _formatLines(text, first, first + text.count(b"\n"), more, size)


def _findLine(file: BinaryIO, path: str, line: int, stop: Event) -> int:
    """
    Find the offset of a line.  Lines are counted by blocks: reading them one by one
    took ten seconds for a file of short lines.

    @raise ToolError: There is no such line, or it is too far into the file.
    """
    file.seek(0)
    offset, before = 0, 0
    ended = True
    while before < line - 1:
        checkStop(stop)
        if offset > MAX_SCAN_BYTES:
            raise ToolError(f"{path}: line {line} is too far into the file")
        block = file.read(BLOCK_BYTES)
        if not block:
            raise ToolError(f"{path}: it has only {before + (not ended)} lines")
        count = block.count(b"\n")
        if before + count >= line - 1:
            return offset + _findLineEnd(block, line - 1 - before)
        before += count
        offset += len(block)
        ended = block.endswith(b"\n")
    return offset


def _findLineEnd(block: bytes, line: int) -> int:
    """
    Find the offset after the end of a line of a block, by bisection.

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


def _formatLines(data: bytes, first: int, following: int, more: bool, size: int) -> str:
    """
    Decode lines and append a note on those that are left out.

    @param following: The number of the line after them, or of the line that is cut.
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
    Read a whole file for editing.

    @raise ToolError: The file is larger than L{MAX_EDIT_BYTES}.
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
    Replace the contents of a file atomically: a reader sees the old or the new
    contents, also after a crash of the machine.  The mode stays.

    @return: Whether the file is new.
    @raise PathRefused: The path is not of a regular file.
    @raise Stopped: It was stopped before anything was changed.
    @raise ToolError: The data is larger than L{MAX_EDIT_BYTES}.
    """
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(
            f"{len(data)} bytes are more than the limit of {MAX_EDIT_BYTES}"
        )
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
