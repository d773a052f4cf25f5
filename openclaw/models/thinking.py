"""
Tells a model's C{<think>} block from its answer, without I/O.
"""

from openclaw.events import ModelEvent, ReasoningDelta, TextDelta

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkingSplitter:
    """
    Some models write their reasoning into the answer, as one C{<think>} block at
    its start.  This takes it out.  Only the start is looked at: later on, the tag
    is text that somebody asked for.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
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
        text = self._held + text
        self._held = ""
        if not self._thinking:
            start = text.lstrip()
            if not start.startswith(_OPEN):
                if _OPEN.startswith(start):
                    self._held = text
                    return []
                self.passing = True
                return [TextDelta(text)]
            self._thinking = True
            text = start[len(_OPEN) :]
        return self._insideThought(text)

    def _insideThought(self, text: str) -> list[ModelEvent]:
        thought, close, answer = text.partition(_CLOSE)
        if not close:
            keep = _tailThatMayOpen(text)
            self._held = text[len(text) - keep :]
            thought = text[: len(text) - keep]
            return [ReasoningDelta(thought)] if thought else []
        self._thinking = False
        events: list[ModelEvent] = [ReasoningDelta(thought)] if thought else []
        # What follows may be blank lines, or another block.
        return events + self.feed(answer.lstrip())

    def finish(self) -> list[ModelEvent]:
        """
        The model has stopped: nothing is held back any longer.
        """
        held, self._held = self._held, ""
        if not held:
            return []
        return [ReasoningDelta(held) if self._thinking else TextDelta(held)]


def _tailThatMayOpen(text: str) -> int:
    """
    How many characters at the end could be the beginning of the closing tag.
    """
    for length in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0


__all__ = ["ThinkingSplitter"]
