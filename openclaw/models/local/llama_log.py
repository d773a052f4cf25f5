"""
llama.cpp's log: bytes in, levels and texts out.

Its lines look like C{0.00.003.234 I srv  init: build_info…}: a time, a letter for
the level, a text.  Some things it prints without the first two.

While it answers requests, much of what it prints quotes them: the message of an
exception, a schema that it can't use.  No such text comes out of here.
"""

import re
from collections.abc import Iterator
from typing import Literal

Level = Literal["debug", "info", "warn", "error"]

LONGEST_LINE = 500
"""
Bytes; the rest of a line is dropped.
"""

_RECORD = re.compile(r"[\d.]+ ([DIWE]) +(.*)")
_ANSWER = re.compile(r"\b(got exception|error): .*")  # goes to the caller as well
_CRASH = re.compile(r"\S+:\d+: (GGML_ASSERT|fatal error)")

_LEVELS: dict[str, Level] = {"D": "debug", "I": "info", "W": "warn", "E": "error"}


class LineSplitter:
    """
    Cuts a stream into lines of bounded length.
    """

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        The lines that C{data} completes, without their ends.
        """
        *whole, rest = data.split(b"\n")
        for part in whole:
            line, self._begun = self._begun + part, b""
            yield line[:LONGEST_LINE]
        self._begun = (self._begun + rest)[:LONGEST_LINE]

    def finish(self) -> Iterator[bytes]:
        """
        Return the unfinished line at the end of the stream, if there is one.
        """
        if self._begun:
            yield self._begun
            self._begun = b""


def readRecord(line: bytes, serving: bool) -> tuple[Level, str] | None:
    """
    Read one line.

    @param serving: Was the model loaded by then?  From there on only errors are
        of general interest; the rest is several lines for each request.

    @return: Its level and its text; or C{None} for one that is not to be logged.
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
    letter, said = record.groups()
    if not serving:
        return _LEVELS[letter], said
    said, answers = _ANSWER.subn(r"\1", said)
    return "debug" if answers or letter != "E" else "error", said
