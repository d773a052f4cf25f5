"""
A conversation of plain texts, kept as the JSON that OpenAI's API takes.

Most are: without tools, images or thoughts.  Then the JSON in which messages are kept
is what OpenAI's API takes, too, and neither has to be made of the other: a session
costs the same at its five hundredth turn as at its fifth.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

from openclaw.messages import AssistantMessage, Message, UserMessage

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Message, ...]).decode


def isPlain(messages: Sequence[Message]) -> bool:
    """
    Are these texts alone?
    """
    if isinstance(messages, PlainTranscript):
        return True
    # Each turn looks at all that its caller brings: any() would take thrice the time.
    for message in messages:
        if type(message) is UserMessage:
            if type(message.content) is not str:
                return False
        elif type(message) is not AssistantMessage or (
            message.tool_calls or message.thoughts
        ):
            return False
    return True


class PlainTranscript(Sequence[Message]):
    """
    Messages that are read only if somebody looks at them.

    @ivar encoded: Each as a JSON object, oldest first, with a comma between two.
    """

    __slots__ = ("_count", "_messages", "encoded")

    def __init__(
        self, encoded: bytes, count: int, messages: Sequence[Message] | None = None
    ) -> None:
        """
        @param count: How many there are.

        @param messages: What they are, where that is known already.
        """
        self.encoded = encoded
        self._count = count
        self._messages = messages

    def _read(self) -> Sequence[Message]:
        if self._messages is None:
            self._messages = _decode(b"[%b]" % self.encoded)
        return self._messages

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(self._read())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


def encodedIfPlain(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Encode a conversation in advance, if it is texts alone.
    """
    if not isPlain(messages):
        return messages
    # No map(): that would be one call, for all of which the GIL is held.
    encoded = b",".join([_encode(message) for message in messages])
    return PlainTranscript(encoded, len(messages), messages)
