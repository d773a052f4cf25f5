"""
Requests, for the tests of dialects.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.interfaces import ModelRequest, Sampling, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.provider import Dialect

PIXEL = ImagePart("image/png", "iVBORw0KGgo=")

TOOL = ToolSpec(
    "read",
    "Reads a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}},
)

CONVERSATION: Sequence[Message] = (
    UserMessage((TextPart("What is on this?"), PIXEL)),
    AssistantMessage(
        "I look.",
        (ToolCall("call_1", "read", '{"path":"a"}'), ToolCall("call_2", "ls", "")),
    ),
    ToolMessage("call_1", "A cat."),
    ToolMessage("call_2", ""),
    UserMessage("Well?"),
    AssistantMessage("A cat."),
)
"""
One with an image, and with two calls at once.
"""

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}

SCHEMA_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "count", "schema": SCHEMA, "strict": True},
}
"""
A C{response_format} as in chat completions.
"""


def encoded(dialect: Dialect, *messages: Message, **more: Any) -> Any:
    """
    Encode a request.

    @param more: Fields of the request.
    """
    said = messages or (UserMessage("Hello"),)
    request = ModelRequest(**{"model": "m", "system": "", "messages": said} | more)
    return msgspec.json.decode(dialect.encode(request))


def sampled(dialect: Dialect, **fields: Any) -> Any:
    """
    Encode a request with these sampling fields.
    """
    return encoded(dialect, sampling=Sampling(**fields))


__all__ = [
    "CONVERSATION",
    "PIXEL",
    "SCHEMA",
    "SCHEMA_FORMAT",
    "TOOL",
    "encoded",
    "sampled",
]
