"""
Separate the thoughts that a model writes into its answer from the answer, without I/O.
"""

import re
from collections.abc import Iterable

from openclaw.events import ReasoningDelta, TextDelta

TextEvent = TextDelta | ReasoningDelta
_TAGS = {
    "<think>": "</think>",  # DeepSeek, Qwen, and most others
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # Gemini behind its OpenAI-compatible endpoint
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",  # Mistral's models on other servers
}
_LONGEST = max(map(len, _TAGS))
_OPENING = re.compile("|".join(map(re.escape, _TAGS)))
_ANY = re.compile("|".join(map(re.escape, (*_TAGS, *_TAGS.values()))))
_QUOTES = "`'\"("

MOST_HELD = 1024
"""
Limit of the blank text before a block, in characters.
"""

_BLANKS = re.compile(r"\s*")


class ThinkingSplitter:
    """
    Some models write their reasoning into the answer, as a C{<think>} block (or
    several) at its start.  This takes it out, with the blank text around it.  Only an
    answer that begins with a block can have others later on: elsewhere the tag is text
    that somebody asked for.
    """

    def __init__(self) -> None:
        self._held = ""
        self._close: str | None = None
        self._hasThought = False
        self._hasText = False
        self._last = ""
        self._skipsBlanks = False
        self._isExpecting = False
        self._guess: list[str] | None = None
        self.passing = False
        """
        True once the answer has begun without a block: C{feed} then only passes text
        on, so it need not be called any more.
        """

    def expectThought(self, expected: bool = True) -> None:
        """
        Take the beginning of the answer for a thought, though no tag opens it: the
        templates of some models open it in the prompt.  An answer in which nothing
        closes it turns out to be no thought at its end.
        """
        self._isExpecting = expected

    def feed(self, text: str) -> list[TextEvent]:
        """
        @param text: The next piece of the model's text.

        @return: What can be told of it by now.  No more is held back than could be a
            part of a tag.
        """
        if self.passing:
            return [TextDelta(text)] if text else []
        events: list[TextEvent] = []
        text, self._held = self._held + text, ""
        # Blocks are found where they are: to cut each off would copy the rest of a
        # long text once for each.
        at = 0
        while True:
            if self._close is not None:
                thought, at = self._readThought(text, at)
                if thought:
                    events.append(ReasoningDelta(thought))
                if self._close is not None:
                    return events
            at = self._readText(text, at, events)
            if self._close is None:
                return events

    def _readText(self, text: str, at: int, events: list[TextEvent]) -> int:
        """
        Read on outside of a block, up to the next one or the end.

        @return: The place behind the tag that opens it.
        """
        if self._hasText:
            return self._readLaterText(text, at, events)
        start = _blanks(text, at)
        opening = _OPENING.match(text, start)
        if opening is not None:
            self._open(opening[0])
            return opening.end()
        answer = text[start if self._hasThought else at :]
        tail = text[start : start + _LONGEST]
        if len(answer) <= MOST_HELD and any(tag.startswith(tail) for tag in _TAGS):
            self._held = answer
        elif self._isExpecting and not self._hasThought:
            self._close, self._guess = _TAGS["<think>"], []
            return at
        elif self._hasThought:
            self._hasText = True
            return self._readLaterText(text, start, events)
        else:
            self.passing = True
            events.append(TextDelta(answer))
        return len(text)

    def _readLaterText(self, text: str, at: int, events: list[TextEvent]) -> int:
        if self._skipsBlanks:
            at = _blanks(text, at)
            self._skipsBlanks = at == len(text)
        opening = _OPENING.search(text, at)
        while opening is not None and self._isQuoted(text, opening.start(), at):
            opening = _OPENING.search(text, opening.end())
        if opening is not None:
            end = opening.start()
        else:
            end = len(text) - _tailThatMayBegin(_TAGS, text[at:])
            self._held = text[end:]
        if end > at:
            self._last = text[end - 1]
            events.append(TextDelta(text[at:end]))
        if opening is None:
            return len(text)
        self._open(opening[0])
        return opening.end()

    def _isQuoted(self, text: str, place: int, start: int) -> bool:
        """
        Does the answer mention a tag, as against having it?
        """
        before = text[place - 1] if place > start else self._last
        return before != "" and before in _QUOTES

    def _open(self, tag: str) -> None:
        self._close = _TAGS[tag]
        if self._hasText:
            # Perhaps the answer only speaks of it.
            self._guess = [tag]
        self._hasThought = True
        self._isExpecting = False

    def _readThought(self, text: str, at: int) -> tuple[str, int]:
        """
        Read on within a block.

        @return: The thought from there on, and the place behind the block.  While the
            block goes on, what may be the beginning of its end is held back.
        """
        assert self._close is not None
        close = text.find(self._close, at)
        if close >= 0:
            known, behind = close, close + len(self._close)
            self._close, self._guess = None, None
            self._hasThought = True
            # The blanks around a block are one separation.
            self._skipsBlanks = self._last.isspace()
        else:
            known = len(text) - _tailThatMayBegin((self._close,), text[at:])
            self._held, behind = text[known:], len(text)
            if self._guess is not None:
                self._guess.append(text[at:known])
        return text[at:known], behind

    def finish(self) -> list[TextEvent]:
        """
        End the text, and return what was held back.
        """
        held, self._held = self._held, ""
        if self._guess is not None:
            # Nothing closed it: this was a part of the answer.
            text = "".join(self._guess) + held
            self._guess, self._close, self.passing = None, None, True
            return [TextDelta(text)] if text else []
        if not held:
            return []
        return [ReasoningDelta(held) if self._close else TextDelta(held)]


def splitUnopened(text: str) -> tuple[str, str]:
    """
    Split a whole text that has the end of a thought but no beginning.

    @return: The thought, and the answer without the blank text before it.  The thought
        is empty if there is none, or if the answer only mentions the tag.
    """
    if not any(tag in text for tag in _TAGS.values()):
        return "", text
    tag = _ANY.search(text)
    if tag is None or tag[0] in _TAGS:
        return "", text
    before, behind = text[: tag.start()], text[tag.end() :]
    isQuoted = before[-1:] in (*_QUOTES,) or behind[:1] in (*_QUOTES, ")")
    if isQuoted or before.count("```") % 2:
        return "", text
    return before, behind.lstrip()


def _blanks(text: str, at: int) -> int:
    """
    The place of the next character that is not blank.
    """
    found = _BLANKS.match(text, at)
    assert found is not None
    return found.end()


def _tailThatMayBegin(tags: Iterable[str], text: str) -> int:
    """
    Count the characters at the end that could begin one of these tags.
    """
    for length in range(min(_LONGEST, len(text)), 0, -1):
        tail = text[-length:]
        if any(tag.startswith(tail) for tag in tags):
            return length
    return 0
