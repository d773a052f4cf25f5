"""
Reading text files of a workspace in pages.

Blocks: to be used in a thread.
"""

import codecs
import io
import os
import unicodedata
from dataclasses import dataclass
from threading import Event
from typing import BinaryIO

from openclaw.interfaces import ToolError
from openclaw.net.threads import checkStop
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import MAX_EDIT_BYTES, toolErrorsFor
from openclaw.tools.printable import escapeControls, hasControls
from openclaw.tools.text_encoding import (
    SNIFF_BYTES,
    UTF8,
    BinaryData,
    TextEncoding,
    detectEncoding,
    maySwitch,
)

MAX_TEXT_BYTES = 64 * 1024
"""
Limit of the bytes of a page, and of the characters that are shown of it.
"""

MAX_SCAN_BYTES = 64 * 1024 * 1024
"""
Limit of the bytes read to find the first requested line.
"""

BLOCK_BYTES = 256 * 1024
"""
Bytes read at once while lines are counted.
"""

ESCAPED = "control characters are shown as \\x1b and the like"


@dataclass(frozen=True)
class _Source:
    """
    A text file in an encoding in which a line ends with the byte LF.

    @ivar original: The encoding of the file if that is another, and C{file} is UTF-8.
    @ivar size: The file's size in bytes.
    """

    file: BinaryIO
    size: int
    original: TextEncoding | None
    mark: bytes = b""

    def detect(self, page: bytes) -> TextEncoding:
        """
        Find the encoding of a page that may end within a character.
        """
        if self.original is not None or (page.isascii() and not maySwitch(page)):
            return UTF8
        if self.size <= MAX_EDIT_BYTES:
            self.file.seek(0)
            page = self.file.read(MAX_EDIT_BYTES)
        elif _isBeginning(page) and not maySwitch(page):
            return UTF8
        try:
            return detectEncoding(page)
        except BinaryData:
            # It begins with NUL, beyond the part of the file that is checked for that.
            return TextEncoding("utf-8", "UTF-8", damaged=True)


def readLines(
    workspace: Workspace,
    path: str,
    first: int,
    count: int,
    stop: Event,
    column: int = 1,
) -> str:
    """
    Read a page of a text file: whole lines, or a part of one that is too long.

    @param first: The number of the first line, from 1.
    @param count: The most lines to return.
    @param column: The first character of the first line, from 1.
    @return: The lines, and a note in brackets on what is not shown as it is.
    @raise ToolError: The file cannot be read, is binary, or has fewer lines.
    """
    with toolErrorsFor(path), open(workspace.openFile(path), "rb") as file:
        source = _openText(file, path)
        start = _findLine(source.file, path, first, stop) or len(source.mark)
        if column > 1:
            start = _findColumn(source, path, start, first, column, stop)
        source.file.seek(start)
        data = source.file.read(MAX_TEXT_BYTES + 2)
        # A line of just that length has its end, too.
        ends = data[MAX_TEXT_BYTES : MAX_TEXT_BYTES + 1] == b"\n"
        page = data[: MAX_TEXT_BYTES + ends]
        whole = len(page) == len(data)
        if not data and first > 1 and column == 1:
            raise ToolError(f"{path}: it has only {first - 1} lines")
        encoding = source.detect(page)
    text, left = _decode(page, encoding, whole)
    return _formatPage(source, encoding, text, first, column, count, not whole or left)


def _openText(file: BinaryIO, path: str) -> _Source:
    """
    Check that a file is text, and decode UTF-16 and UTF-32.

    @raise ToolError: It is binary, or too large to be decoded.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(SNIFF_BYTES)
    mark = codecs.BOM_UTF8 if head.startswith(codecs.BOM_UTF8) else b""
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide and b"\0" not in head:
        return _Source(file, size, None, mark)
    if wide and size > MAX_EDIT_BYTES:
        raise ToolError(
            f"{path}: it is UTF-16, and its {size} bytes are too many to be decoded"
        )
    data = head + file.read(MAX_EDIT_BYTES)
    try:
        encoding = detectEncoding(data)
    except BinaryData:
        raise ToolError(f"{path}: it is a binary file of {size} bytes") from None
    if encoding.isUTF8:
        return _Source(file, size, None, mark)
    text = encoding.decode(data).encode("utf-8", "surrogatepass")
    return _Source(io.BytesIO(text), size, encoding)


def _isBeginning(data: bytes) -> bool:
    """
    Return whether data is valid UTF-8 but for a character that is cut at its end.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _decode(page: bytes, encoding: TextEncoding, whole: bool) -> tuple[str, bool]:
    """
    Decode a page.

    @param whole: Nothing follows the page.
    @return: The text, and whether bytes of a character that is cut are left.
    """
    errors = "surrogateescape" if encoding.isUTF8 else "replace"
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors)
    text = decoder.decode(page, final=whole)
    return text, not whole and bool(decoder.getstate()[0])


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


def _findColumn(
    source: _Source, path: str, start: int, line: int, column: int, stop: Event
) -> int:
    """
    Find the offset of a character of a line.

    @param start: The offset of the line.
    @raise ToolError: The line is shorter, or the character is too far into it.
    """
    source.file.seek(start)
    encoding = source.detect(source.file.read(MAX_TEXT_BYTES))
    errors = "surrogateescape" if encoding.isUTF8 else "replace"
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors)
    offset, before = start, 0
    while True:
        checkStop(stop)
        if offset - start > MAX_SCAN_BYTES:
            raise ToolError(f"{path}: column {column} is too far into line {line}")
        source.file.seek(offset)
        block = source.file.read(BLOCK_BYTES)
        end = block.find(b"\n") + 1 or len(block)
        pending = len(decoder.getstate()[0])
        text = decoder.decode(block[:end])
        wanted = column - 1 - before
        if len(text) > wanted:
            head = text[:wanted].encode(encoding.codec, errors)
            return offset - pending + len(head)
        before += len(text.removesuffix("\n"))
        offset += end
        if not block or text.endswith("\n"):
            raise ToolError(f"{path}: line {line} has only {before} characters")


def _formatPage(
    source: _Source,
    encoding: TextEncoding,
    text: str,
    first: int,
    column: int,
    count: int,
    more: bool,
) -> str:
    """
    Take the lines of a page that can be shown, and append a note on what is left out.

    @param text: The decoded page.
    @param more: The file has more after it.
    """
    shown, taken, room = [], 0, MAX_TEXT_BYTES + 1
    lines = text.split("\n", min(count, MAX_TEXT_BYTES))
    # What follows the last line end is a line if the file ends there.
    ends = [f"{line}\n" for line in lines[:-1]]
    if len(lines) <= count and not more and lines[-1]:
        ends.append(lines[-1])
    for line in ends[:count]:
        escaped = escapeControls(line)
        if len(escaped) > room:
            break
        shown.append(escaped)
        taken += len(line)
        room -= len(escaped)
    notes = []
    if not shown and text:
        taken = _findCut(text)
        shown.append(escapeControls(text[:taken]))
        last = column + taken - 1
        notes.append(
            f"characters {column} to {last} of line {first};"
            f" go on with offset {first} and column {last + 1}"
        )
    elif more or taken < len(text):
        following = first + len(shown)
        notes.append(f"lines {first} to {following - 1}; go on with offset {following}")
    if notes:
        notes.append(f"the file has {source.size} bytes")
    notes.extend(_describeEncoding(source, encoding))
    if not encoding.damaged and hasControls(text[:taken]):
        notes.append(ESCAPED)
    if not text and not notes:
        return "[the file is empty]"
    body = "".join(shown)
    return f"{body.removesuffix(chr(10))}\n[{'; '.join(notes)}]" if notes else body


def _findCut(text: str) -> int:
    """
    Find the number of characters of a line that can be shown: not all, and not up to
    one that combines with the character before it.
    """
    cut = min(text.find("\n") + 1 or len(text), MAX_TEXT_BYTES)
    while len(escapeControls(text[:cut])) > MAX_TEXT_BYTES:
        cut //= 2
    whole = cut
    if cut == len(text) and not text.isascii():
        # The page may end before such a character.
        cut -= 1
    while 1 < cut < len(text) and unicodedata.combining(text[cut]):
        cut -= 1
    return cut if cut > 1 else whole


def _describeEncoding(source: _Source, encoding: TextEncoding) -> list[str]:
    """
    Say how the file is encoded, if it is not plain UTF-8.
    """
    if source.original is not None:
        encoding = source.original
    if encoding.damaged and encoding.isUTF8:
        return ["bytes that are not UTF-8 are shown as \\xff and the like"]
    if encoding.damaged:
        return [f"the file is in {encoding.label}, with bytes that are not valid"]
    if not encoding.isUTF8:
        return [f"the file is in {encoding.label}; it is shown decoded"]
    return ["the file begins with a byte order mark"] if source.mark else []
