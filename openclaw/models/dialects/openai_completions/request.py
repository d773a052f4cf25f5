"""
Build requests of the C{openai-completions} dialect.

Follows U{https://platform.openai.com/docs/api-reference/chat}, and the profile of the
provider where that differs.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from openclaw.interfaces import ModelRequest, NamedTool, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.message_fitting import fitMessages, isFitting
from openclaw.models.opaque_members import decodeCallMembers, memberOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import dataURI, resultText, shortCallID
from openclaw.models.translation import mapToolNames
from openclaw.raw_json import wireForm
from openclaw.transcript import PlainTranscript

CACHED = {"type": "ephemeral"}
"""
Anthropic's C{cache_control}, which OpenRouter passes on.
"""


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct):
    id: str
    function: _Function
    type: Literal["function"] = "function"


_Content = str | list[dict[str, Any]]


class _Said(msgspec.Struct, omit_defaults=True):
    role: str
    content: _Content | msgspec.UnsetType | None
    tool_calls: Sequence[_ToolCall | dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Messages:
    """
    Converts the messages of one request to the API's format.
    """

    def __init__(self, request: ModelRequest, profile: Profile) -> None:
        self._request = request
        self._profile = profile
        self._names = (
            mapToolNames(request.messages) if profile.requiresToolResultName else {}
        )

    def wire(self) -> list[_Said | Message | dict[str, Any]] | msgspec.Raw:
        """
        Return all messages, the system prompt first.
        """
        messages, profile = self._request.messages, self._profile
        said = self._system()
        if (
            isinstance(messages, PlainTranscript)
            and isFitting(messages, profile)
            and not profile.supportsCacheControl
        ):
            # It may be long, so it is copied only once.
            encoded = messages.encoded
            system = b",".join(map(msgspec.json.encode, said))
            comma = b"," if system and encoded else b""
            return msgspec.Raw(b"".join((b"[", system, comma, encoded, b"]")))
        said += map(self._message, fitMessages(messages, profile))
        if profile.supportsCacheControl:
            _markCached(said)
        return said

    def _system(self) -> list[_Said | Message | dict[str, Any]]:
        if not self._request.system:
            return []
        isDeveloper = self._profile.supportsDeveloperRole and self._request.reasoning
        role = "developer" if isDeveloper else "system"
        return [_Said(role, self._request.system)]

    def _message(self, message: Message) -> _Said | Message | dict[str, Any]:
        # Most need no conversion, and there can be a thousand.
        if isinstance(message, UserMessage):
            return message if isinstance(message.content, str) else _withParts(message)
        if isinstance(message, ToolMessage):
            return self._result(message)
        if message.tool_calls or message.thoughts:
            return self._withCalls(message)
        return message

    def _result(self, message: ToolMessage) -> _Said | Message | dict[str, Any]:
        profile = self._profile
        if profile.requiresToolResultName or profile.requiresMistralToolIds:
            return _Said(
                "tool",
                resultText(message),
                tool_call_id=self._callID(message.tool_call_id),
                name=self._names.get(message.tool_call_id),
            )
        if message.isError:
            return ToolMessage(message.tool_call_id, resultText(message))
        return message

    def _callID(self, id: str) -> str:
        return shortCallID(id) if self._profile.requiresMistralToolIds else id

    def _call(self, call: ToolCall) -> _ToolCall | dict[str, Any]:
        said = _ToolCall(self._callID(call.id), _Function(call.name, call.arguments))
        if not call.signature or self._profile.strictMessageKeys:
            return said
        return {**decodeCallMembers(call.signature), **msgspec.to_builtins(said)}

    def _withCalls(self, message: AssistantMessage) -> _Said | dict[str, Any]:
        profile = self._profile
        calls = [self._call(call) for call in message.tool_calls]
        content: _Content | msgspec.UnsetType | None = message.content
        fields, members = {}, {}
        for thought in message.thoughts:
            member = memberOf(thought)
            if member is None:
                fields[thought.signature] = thought.text
            else:
                members[member[0]] = member[1]
        if profile.requiresThinkingAsText and fields:
            content = "\n\n".join(filter(None, [*fields.values(), message.content]))
        if profile.strictMessageKeys or profile.requiresThinkingAsText:
            fields, members = {}, {}
        if profile.requiresReasoningContentOnAssistantMessages and calls:
            fields.setdefault("reasoning_content", "")
        if calls and not content and profile.contentBesideCalls != "empty":
            content = None if profile.contentBesideCalls == "null" else msgspec.UNSET
        said = _Said(
            "assistant",
            content,
            calls or None,
            reasoning_content=fields.get("reasoning_content"),
            reasoning=fields.get("reasoning"),
        )
        return {**members, **msgspec.to_builtins(said)} if members else said


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


def _markCached(said: list[_Said | Message | dict[str, Any]]) -> None:
    """
    Mark the system prompt and the newest user's message for caching, as in
    U{https://openrouter.ai/docs/features/prompt-caching}.
    """
    newest = max(
        (i for i, each in enumerate(said) if _roleOf(each) == "user"), default=None
    )
    for index in {0, newest} - {None}:
        assert index is not None
        each = said[index] if said else None
        if _roleOf(each) not in ("system", "developer", "user"):
            continue
        content: Any = each.content  # type: ignore[union-attr]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        *others, last = content
        said[index] = _Said(_roleOf(each), [*others, {**last, "cache_control": CACHED}])


def _roleOf(said: _Said | Message | dict[str, Any] | None) -> str:
    if isinstance(said, _Said):
        return said.role
    return "user" if isinstance(said, UserMessage) else ""


def _wireTool(tool: ToolSpec, profile: Profile) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "parameters": wireForm(tool.parameters),
    }
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None and profile.supportsStrictMode:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _reasoningFields(effort: str, form: str) -> dict[str, Any]:
    """
    Build the fields of the reasoning effort.

    @param form: See C{thinkingFormat} of L{openclaw.config.Compat}.
    """
    isOn = effort != "none"
    match form:
        case "openrouter":
            return {"reasoning": {"effort": effort}}
        case "together":
            return {"reasoning": {"enabled": isOn}}
        case "deepseek" | "zai":
            return {"thinking": {"type": "enabled" if isOn else "disabled"}}
        case "qwen":
            return {"enable_thinking": isOn}
        case "qwen-chat-template":
            return {"chat_template_kwargs": {"enable_thinking": isOn}}
    return {"reasoning_effort": effort}


def _samplingFields(request: ModelRequest, profile: Profile) -> dict[str, Any]:
    sampling = request.sampling
    fields: dict[str, Any] = {
        name: wireForm(value)
        for name in sampling.__struct_fields__
        if (value := getattr(sampling, name)) is not None
    }
    limitField = profile.maxTokensField
    if limitField is not None:
        limits = [
            fields.pop(name, None) for name in ("max_completion_tokens", "max_tokens")
        ]
        limit = limits[1] if limits[0] is None else limits[0]
        if limit is not None:
            fields[limitField] = limit
    if "seed" in fields and profile.seedField != "seed":
        fields[profile.seedField] = fields.pop("seed")
    if "reasoning_effort" in fields:
        effort = fields.pop("reasoning_effort")
        fields |= _reasoningFields(effort, profile.thinkingFormat)
    if profile.supportsPromptCacheKey and request.cacheKey:
        fields.setdefault("prompt_cache_key", request.cacheKey)
    return fields


def _toolFields(request: ModelRequest, profile: Profile) -> dict[str, Any]:
    tools: Iterable[ToolSpec] = request.tools
    fields: dict[str, Any] = {"tools": [_wireTool(tool, profile) for tool in tools]}
    choice = request.toolChoice
    if isinstance(choice, NamedTool):
        function = {"name": choice.name}
        fields["tool_choice"] = {"type": "function", "function": function}
    elif choice != "auto":
        fields["tool_choice"] = choice
    return fields


def bodyOf(request: ModelRequest, profile: Profile = DEFAULT_PROFILE) -> dict[str, Any]:
    """
    Return the JSON body of a streaming request with usage.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _Messages(request, profile).wire(),
        "stream": True,
    }
    if profile.supportsUsageInStreaming:
        body["stream_options"] = {"include_usage": True}
    body |= _samplingFields(request, profile)
    if request.tools:
        body |= _toolFields(request, profile)
    return body
