"""
Parse llama.cpp's log.

Its lines look like C{0.00.003.234 I srv init: build_info…}: a time, a letter for the
level, a text.  Some lines have neither time nor level.

While it serves requests, many lines quote them: the message of an exception, an invalid
schema.  Such texts are removed.
"""

import re
from collections.abc import Iterator
from typing import Literal

Level = Literal["debug", "info", "warn", "error"]

MAX_LINE_BYTES = 500
"""
Limit of a line; the rest is dropped.
"""

_RECORD = re.compile(r"[\d.]+ ([DIWE]) +(.*)")
_QUOTE = re.compile(r"\b(got exception|error): .*")  # also sent to the client
_CRASH = re.compile(r"\S+:\d+: (GGML_ASSERT|fatal error)")

_LEVELS: dict[str, Level] = {"D": "debug", "I": "info", "W": "warn", "E": "error"}


class LineSplitter:
    """
    Splits a stream into lines of limited length.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Return the lines completed by C{data}, without their ends.
        """
        *whole, rest = data.split(b"\n")
        for part in whole:
            line, self._buffer = self._buffer + part, b""
            yield line[:MAX_LINE_BYTES]
        self._buffer = (self._buffer + rest)[:MAX_LINE_BYTES]

    def finish(self) -> Iterator[bytes]:
        """
        Return the last line if it lacks its end.
        """
        if self._buffer:
            yield self._buffer
            self._buffer = b""


def readRecord(line: bytes, serving: bool) -> tuple[Level, str] | None:
    """
    Parse one line.

    @param serving: Whether the model was loaded before.  From then on only errors are
        of general interest; the rest is several lines for each request.
    @return: Its level and text; C{None} if it is not to be logged.
    """
    text = line.decode("utf-8", "replace")
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    record = _RECORD.fullmatch(text)
    if record is None:
        if not text:
            return None
        if _CRASH.match(text):
            return "error", text
        return None if serving else ("info", text)
    letter, message = record.groups()
    if not serving:
        return _LEVELS[letter], message
    message, quotes = _QUOTE.subn(r"\1", message)
    return "debug" if quotes or letter != "E" else "error", message
