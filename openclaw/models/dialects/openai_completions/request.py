"""
Requests of the C{openai-completions} dialect: OpenAI's chat completions as a provider.

Follows U{https://platform.openai.com/docs/api-reference/chat}.
"""

import re
from typing import Any, Literal

import msgspec

from openclaw.interfaces import ModelRequest, NamedTool, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    Message,
    TextPart,
    ToolMessage,
    UserMessage,
)
from openclaw.models.request_encoding import dataURI, resultText
from openclaw.raw_json import wireForm
from openclaw.transcript import PlainTranscript


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _Said(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[dict[str, Any]]
    tool_calls: list[_ToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


def _wireMessages(request: ModelRequest) -> list[_Said | Message] | msgspec.Raw:
    said: list[_Said | Message] = []
    if request.system:
        said.append(_Said("system", request.system))
    if isinstance(request.messages, PlainTranscript):
        # It may be long, so it is copied only once.
        encoded = request.messages.encoded
        system = b",".join(map(msgspec.json.encode, said))
        comma = b"," if system and encoded else b""
        return msgspec.Raw(b"".join((b"[", system, comma, encoded, b"]")))
    said += map(_wireMessage, request.messages)
    return said


def _wireMessage(message: Message) -> _Said | Message:
    # Most are on the wire as they are in a transcript, and there can be a thousand.
    if isinstance(message, UserMessage):
        return message if isinstance(message.content, str) else _withParts(message)
    if isinstance(message, ToolMessage):
        if message.isError:
            return ToolMessage(message.tool_call_id, resultText(message))
        return message
    return _withCalls(message) if message.tool_calls or message.thoughts else message


def _withParts(message: UserMessage) -> _Said:
    return _Said(
        "user",
        [
            {"type": "text", "text": part.text}
            if isinstance(part, TextPart)
            else {"type": "image_url", "image_url": {"url": dataURI(part)}}
            for part in message.content
            if not isinstance(part, str)
        ],
    )


def _withCalls(message: AssistantMessage) -> _Said:
    calls = message.tool_calls
    wanted = [_ToolCall(c.id, _Function(c.name, c.arguments)) for c in calls]
    fields = {thought.signature: thought.text for thought in message.thoughts}
    return _Said(
        "assistant",
        message.content,
        wanted or None,
        reasoning_content=fields.get("reasoning_content"),
        reasoning=fields.get("reasoning"),
    )


def _wireTool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "parameters": wireForm(tool.parameters),
    }
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


_TAKES_NO_MAX_TOKENS = re.compile(r"(?:openai/)?(?:o\d|gpt-(?:[5-9]|\d\d))")
"""
Models of OpenAI's that know the bound by its newer name only.  Other servers may
know the older one only.
"""


def _samplingFields(request: ModelRequest) -> dict[str, Any]:
    sampling = request.sampling
    fields: dict[str, Any] = {
        name: wireForm(value)
        for name in sampling.__struct_fields__
        if (value := getattr(sampling, name)) is not None
    }
    if "max_tokens" in fields and _TAKES_NO_MAX_TOKENS.match(request.model):
        older = fields.pop("max_tokens")
        fields.setdefault("max_completion_tokens", older)
    return fields


def bodyOf(request: ModelRequest) -> dict[str, Any]:
    """
    Return the JSON body that asks for a stream with usage.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _wireMessages(request),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body |= _samplingFields(request)
    if request.tools:
        body["tools"] = [_wireTool(tool) for tool in request.tools]
        choice = request.toolChoice
        if isinstance(choice, NamedTool):
            function = {"name": choice.name}
            body["tool_choice"] = {"type": "function", "function": function}
        elif choice != "auto":
            body["tool_choice"] = choice
    return body
