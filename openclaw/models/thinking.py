"""
Tells a model's C{<think>} block from its answer, without I/O.
"""

from openclaw.events import ModelEvent, ReasoningDelta, TextDelta

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkingSplitter:
    """
    Some models write their reasoning into the answer, as a C{<think>} block (or
    several) at its start.  This takes it out, with the blank text around it.  Only
    the start is looked at: later on, the tag is text that somebody asked for.
    """

    __slots__ = ("_hasThought", "_held", "_thinking", "passing")

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
        rest, self._held = self._held + text, ""
        while True:
            if self._thinking:
                thought, self._thinking, rest = self._readThought(rest)
                if thought:
                    events.append(ReasoningDelta(thought))
                if self._thinking:
                    return events
            start = rest.lstrip()
            if not start.startswith(_OPEN):
                break
            self._thinking = self._hasThought = True
            rest = start[len(_OPEN) :]
        answer = start if self._hasThought else rest
        if _OPEN.startswith(start):
            self._held = answer
            return events
        self.passing = True
        return [*events, TextDelta(answer)]

    def _readThought(self, text: str) -> tuple[str, bool, str]:
        """
        @return: What of it is thought, whether that goes on, and what comes after.
        """
        thought, close, rest = text.partition(_CLOSE)
        if close:
            return thought, False, rest
        known = len(text) - _tailThatMayClose(text)
        self._held = text[known:]
        return text[:known], True, ""

    def finish(self) -> list[ModelEvent]:
        """
        The model has stopped: nothing is held back any longer.
        """
        held, self._held = self._held, ""
        if not held:
            return []
        return [ReasoningDelta(held) if self._thinking else TextDelta(held)]


def _tailThatMayClose(text: str) -> int:
    """
    How many characters at the end could be the beginning of the closing tag.
    """
    for length in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0


__all__ = ["ThinkingSplitter"]
