"""
The last messages of sessions, without the rest.
"""

import re
from collections.abc import Iterable

import msgspec

from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolMessage,
    UserMessage,
)
from openclaw.sessions.store.outlines import READ_CHARACTERS

LONG_CHARACTERS = 64 * 1024
"""
Of a message whose JSON is longer than this, only the beginning is read.
"""

_STRING = r'((?:[^"\\]++|\\(?:[^u]|u[0-9a-fA-F]{4}))*+)'
_CONTENT = re.compile(rf'\{{"role":"(\w+)",(?:"tool_call_id":"{_STRING}",)?"content":')
_TEXT = re.compile(f'"{_STRING}')
_decodeText = msgspec.json.Decoder(str).decode


class _Part(msgspec.Struct):
    """
    A part of what a user said, of which the data of images is passed over.
    """

    type: str
    text: str = ""


class _Parts(msgspec.Struct):
    content: list[_Part]


_decodeParts = msgspec.json.Decoder(_Parts).decode


def newest(rows: Iterable[tuple[int, Message]]) -> list[Message]:
    """
    Take messages while they are not too much.

    @param rows: The newest first: the length of each in characters, and what it is.
        They are not read further than it takes.

    @return: The oldest first.
    """
    found: list[Message] = []
    read = 0
    for size, message in rows:
        found.append(message)
        read += size
        if read > READ_CHARACTERS:
            break
    return found[::-1]


def shortened(body: str) -> Message:
    """
    Decode the beginning of a long message.

    @param body: As many characters of it as were read; all of them where its content
        is a list of parts.

    @return: Its role, and the beginning of its text; or its texts, and images without
        their data.

    @raise msgspec.DecodeError: It can't be understood.
    """
    found = _CONTENT.match(body)
    if found is None:
        # The name of the call that it answers is longer than what was read.
        return ToolMessage("", "")
    if body.startswith("[", found.end()):
        parts = _decodeParts(body).content
        return UserMessage(
            tuple(
                TextPart(part.text) if part.type == "text" else ImagePart("", "")
                for part in parts
            )
        )
    begun = _TEXT.match(body, found.end())
    text = _decodeText(f'"{begun[1]}"') if begun is not None else ""
    match found[1]:
        case "user":
            return UserMessage(text)
        case "assistant":
            return AssistantMessage(text)
    return ToolMessage(_decodeText(f'"{found[2] or ""}"'), text)
