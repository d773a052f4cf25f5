"""
Separate a model's C{<think>} block from its answer, without I/O.
"""

import re

from openclaw.events import ModelEvent, ReasoningDelta, TextDelta

_OPEN = "<think>"
_CLOSE = "</think>"

MOST_HELD = 1024
"""
The longest blank text, in characters, that may come before a block.
"""

_BLANKS = re.compile(r"\s*")


class ThinkingSplitter:
    """
    Some models write their reasoning into the answer, as a C{<think>} block (or
    several) at its start.  This takes it out, with the blank text around it.  Only
    the start is looked at: later on, the tag is text that somebody asked for.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._hasThought = False
        self.passing = False
        """
        True once the start is behind: C{feed} then only passes text on, so it
        need not be called any more.
        """

    def feed(self, text: str) -> list[ModelEvent]:
        """
        @param text: The next piece of what the model wrote.

        @return: What can be told of it by now.  No more is held back than could
            be a part of a tag.
        """
        if self.passing:
            return [TextDelta(text)] if text else []
        events: list[ModelEvent] = []
        text, self._held = self._held + text, ""
        # Blocks are found where they are: to cut each off would copy the rest of a
        # long text once for each.
        at = 0
        while True:
            if self._thinking:
                thought, at = self._readThought(text, at)
                if thought:
                    events.append(ReasoningDelta(thought))
                if self._thinking:
                    return events
            start = _blanks(text, at)
            if not text.startswith(_OPEN, start):
                break
            self._thinking = self._hasThought = True
            at = start + len(_OPEN)
        answer = text[start if self._hasThought else at :]
        tail = text[start : start + len(_OPEN)]
        if len(answer) <= MOST_HELD and _OPEN.startswith(tail):
            self._held = answer
            return events
        self.passing = True
        return [*events, TextDelta(answer)]

    def _readThought(self, text: str, at: int) -> tuple[str, int]:
        """
        Read on within a block.

        @return: The thought from there on, and the place behind the block.  While the
            block goes on, what may be the beginning of its end is held back.
        """
        close = text.find(_CLOSE, at)
        if close >= 0:
            self._thinking = False
            return text[at:close], close + len(_CLOSE)
        known = len(text) - _tailThatMayClose(text[at:])
        self._held = text[known:]
        return text[at:known], len(text)

    def finish(self) -> list[ModelEvent]:
        """
        The model has stopped: nothing is held back any longer.
        """
        held, self._held = self._held, ""
        if not held:
            return []
        return [ReasoningDelta(held) if self._thinking else TextDelta(held)]


def _blanks(text: str, at: int) -> int:
    """
    The place of the next character that is not blank.
    """
    found = _BLANKS.match(text, at)
    assert found is not None
    return found.end()


def _tailThatMayClose(text: str) -> int:
    """
    Count the characters at the end that could begin the closing tag.
    """
    for length in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0
