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
Limit of a message's JSON; only the beginning of a longer one is read.
"""

_STRING = r'((?:[^"\\]++|\\(?:[^u]|u[0-9a-fA-F]{4}))*+)'
_CONTENT = re.compile(rf'\{{"role":"(\w+)",(?:"tool_call_id":"{_STRING}",)?"content":')
_TEXT = re.compile(f'"{_STRING}')
_decodeText = msgspec.json.Decoder(str).decode


class _Part(msgspec.Struct):
    """
    A part of a user's message, without the data of images.
    """

    type: str
    text: str = ""


class _Parts(msgspec.Struct):
    content: list[_Part]


_decodeParts = msgspec.json.Decoder(_Parts).decode


def takeNewest(rows: Iterable[tuple[int, Message]]) -> list[Message]:
    """
    Take messages until they exceed L{READ_CHARACTERS}.

    @param rows: The length in characters of each message, and the message, newest
        first.  Only as many as needed are read.

    @return: The messages, oldest first.
    """
    found: list[Message] = []
    read = 0
    for size, message in rows:
        found.append(message)
        read += size
        if read > READ_CHARACTERS:
            break
    return found[::-1]


def decodeTruncated(body: str) -> Message:
    """
    Decode the beginning of a long message.

    @param body: The beginning of its JSON; all of it if its content is a list of parts.

    @return: A message with the beginning of the text, or with all parts, but without
        the data of images.

    @raise msgspec.DecodeError: It is not a message.
    """
    found = _CONTENT.match(body)
    if found is None:
        # The id of the call that it answers is longer than the part that was read.
        return ToolMessage("", "")
    if body.startswith("[", found.end()):
        parts = _decodeParts(body).content
        return UserMessage(
            tuple(
                TextPart(part.text) if part.type == "text" else ImagePart("", "")
                for part in parts
            )
        )
    beginning = _TEXT.match(body, found.end())
    text = _decodeText(f'"{beginning[1]}"') if beginning is not None else ""
    match found[1]:
        case "user":
            return UserMessage(text)
        case "assistant":
            return AssistantMessage(text)
    return ToolMessage(_decodeText(f'"{found[2] or ""}"'), text)
