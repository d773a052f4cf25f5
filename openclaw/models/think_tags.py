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
    Separates the reasoning that some models write into the reply, as a C{<think>} block
    (or several) at its start, and removes the blank text around it.  Only a reply that
    begins with a block can have further ones: elsewhere the tag is text.
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
        True once the reply has begun without a block: C{feed} then only passes text on,
        so it need not be called any more.
        """

    def expectThought(self, expected: bool = True) -> None:
        """
        Treat the beginning of the reply as reasoning without an opening tag, which is
        in the prompt of some models.  If no tag closes it, the reply had no reasoning.
        """
        self._isExpecting = expected

    def feed(self, text: str) -> list[TextEvent]:
        """
        @param text: The next piece of the model's text.
        @return: The part that is decided by now.  No more is held back than could be a
            part of a tag.
        """
        if self.passing:
            return [TextDelta(text)] if text else []
        events: list[TextEvent] = []
        text, self._held = self._held + text, ""
        # Blocks are found in place: removing each would copy the rest of a long text.
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

        @return: The position after the opening tag.
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
        Return whether the reply only mentions the tag.
        """
        before = text[place - 1] if place > start else self._last
        return before != "" and before in _QUOTES

    def _open(self, tag: str) -> None:
        self._close = _TAGS[tag]
        if self._hasText:
            # The reply may only mention the tag.
            self._guess = [tag]
        self._hasThought = True
        self._isExpecting = False

    def _readThought(self, text: str, at: int) -> tuple[str, int]:
        """
        Read on within a block.

        @return: The reasoning from there on, and the position after the block.  A
            possible beginning of the closing tag is held back.
        """
        assert self._close is not None
        close = text.find(self._close, at)
        if close >= 0:
            known, behind = close, close + len(self._close)
            self._close, self._guess = None, None
            self._hasThought = True
            # The blanks around a block are one separator.
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
            # No tag closed it, so it was part of the reply.
            text = "".join(self._guess) + held
            self._guess, self._close, self.passing = None, None, True
            return [TextDelta(text)] if text else []
        if not held:
            return []
        return [ReasoningDelta(held) if self._close else TextDelta(held)]


def splitUnopened(text: str) -> tuple[str, str]:
    """
    Split a complete text with a closing tag and no opening one.

    @return: The reasoning, and the reply without leading blanks.  The reasoning is
        empty if there is none, or if the reply only mentions the tag.
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
    Return the position of the next character that is not blank.
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
