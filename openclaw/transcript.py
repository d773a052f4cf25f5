"""
A conversation of plain texts, kept as the JSON that OpenAI's API takes.

Most conversations are: they have no tools, images or thoughts.  Their stored JSON is
also what OpenAI's API takes, so it is sent without decoding, and the five hundredth
turn of a session costs as much as the fifth.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec

from openclaw.messages import AssistantMessage, Message, UserMessage

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Message, ...]).decode


def isPlain(messages: Sequence[Message]) -> bool:
    if isinstance(messages, PlainTranscript):
        return True
    # Each turn checks all messages of the request: any() takes three times as long.
    for message in messages:
        if type(message) is UserMessage:
            if type(message.content) is not str:
                return False
        elif type(message) is not AssistantMessage or (
            message.tool_calls or message.thoughts or message.refused
        ):
            return False
    return True


class PlainTranscript(Sequence[Message]):
    """
    Messages that are decoded on first access.

    @ivar encoded: The messages as JSON objects, oldest first, separated by commas.
    """

    __slots__ = ("_count", "_messages", "encoded")

    def __init__(
        self, encoded: bytes, count: int, messages: Sequence[Message] | None = None
    ) -> None:
        """
        @param count: The number of messages.

        @param messages: The decoded messages, if they are available.
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
    Encode a conversation in advance, if it is plain texts.
    """
    if not isPlain(messages):
        return messages
    # Not with map(), which would hold the GIL for the whole conversation.
    encoded = b",".join([_encode(message) for message in messages])
    return PlainTranscript(encoded, len(messages), messages)
