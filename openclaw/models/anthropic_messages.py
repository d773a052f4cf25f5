"""
The C{anthropic-messages} dialect: Anthropic's Messages API.

Follows U{https://platform.claude.com/docs/en/api/messages}, with
U{https://platform.claude.com/docs/en/build-with-claude/streaming} for the answer and
U{https://platform.claude.com/docs/en/api/errors} for the errors in it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from openclaw.config import Secret
from openclaw.errors import OpenClawError
from openclaw.interfaces import (
    ModelRequest,
    NamedTool,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from openclaw.messages import (
    AssistantMessage,
    FinishReason,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolMessage,
    Usage,
    UserMessage,
)
from openclaw.models.replies import StreamedReply
from openclaw.models.requests import (
    argumentsOf,
    callID,
    outputLimit,
    refuseFields,
    stopSequences,
    unsupported,
)
from openclaw.models.translation import wantedFormat
from openclaw.models.upstream import Refusal

API = "anthropic-messages"
VERSION = "2023-06-01"

DEFAULT_MAX_TOKENS = 4096
"""
The bound, which the API insists on, where neither the request nor the configuration
has one.
"""

# What comes back, as far as it is read.


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct):
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


class _Unstreamed(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


_FINISH: dict[str, FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
"""
Stop reasons in OpenAI's words; all else means C{stop}.
"""

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""
The HTTP status that each type of error has when it comes before the answer.
"""


class MessagesDecoder(StreamedReply):
    """
    An answer's bytes in, events out.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._decode = msgspec.json.Decoder(_Event).decode
        self._others: set[int | None] = set()

    def read(self, payload: bytes) -> None:
        """
        Understand one event.  Unknown ones are passed over, as the API asks for.
        """
        event = self._decode(payload)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                self._continue(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                self._begin(event.index, event.content_block)
            case "message_start" if event.message is not None:
                self._count(event.message.usage)
            case "message_delta":
                self._count(event.usage)
                self._stop(event.delta.stop_reason if event.delta else None)
            case "message_stop":
                self.complete = True
            case "message":
                self._readWhole(msgspec.json.decode(payload, type=_Unstreamed))
            case "error":
                raise self._reported(event.error)

    def _begin(self, index: int | None, block: _Block) -> None:
        match block.type:
            case "text":
                self.say(block.text or "")
            case "thinking":
                self.think(block.thinking or "")
            case "tool_use":
                self.beginCall(index, block.name, block.id)
                if block.input:
                    self.continueCall(index, msgspec.json.encode(block.input).decode())
            case _:
                self._others.add(index)

    def _continue(self, index: int | None, delta: _Delta) -> None:
        match delta.type:
            case "text_delta":
                self.say(delta.text or "")
            case "thinking_delta":
                self.think(delta.thinking or "")
            case "input_json_delta" if index not in self._others:
                self.continueCall(index, delta.partial_json or "")

    def _stop(self, reason: str | None) -> None:
        if reason is not None:
            self.finishReason = _FINISH.get(reason, "stop")

    def _readWhole(self, message: _Unstreamed) -> None:
        for index, block in enumerate(message.content):
            self._begin(index, block)
        self._count(message.usage)
        self._stop(message.stop_reason)
        self.complete = True

    def _count(self, usage: _Usage | None) -> None:
        # The counts grow: the last ones are right, but not all of them come twice.
        if usage is None:
            return
        details = usage.output_tokens_details or _OutputDetails()
        cached = usage.cache_read_input_tokens or 0
        # What goes through the cache is not in input_tokens.
        prompt = (
            (usage.input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0)
            + cached
        )
        before = self.usage
        self.usage = Usage(
            prompt_tokens=max(before.prompt_tokens, prompt),
            completion_tokens=max(before.completion_tokens, usage.output_tokens or 0),
            cached_tokens=max(before.cached_tokens, cached),
            reasoning_tokens=max(before.reasoning_tokens, details.thinking_tokens or 0),
        )

    def _reported(self, error: Any) -> OpenClawError:
        kind = error.get("type") if isinstance(error, dict) else None
        return self.reported(_STATUS.get(str(kind), 500), error)


# What is sent.

_REFUSED: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "seed": None,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
}
"""
What the API has no word for, with the values that ask for nothing.  Mapped are
C{temperature}, C{top_p}, C{max_tokens}, C{max_completion_tokens}, C{stop},
C{reasoning_effort}, C{parallel_tool_calls}, and C{response_format} with a schema.
"""

_EFFORTS = {"minimal": "low"}
"""
The efforts that have another name here.
"""

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}

_Role = Literal["user", "assistant"]
_Blocks = list[dict[str, Any]]


def _text(text: str) -> _Blocks:
    # The API takes no text without a letter in it.
    return [{"type": "text", "text": text}] if text.strip() else []


def _part(part: Part) -> _Blocks:
    match part:
        case TextPart(text=text):
            return _text(text)
        case ImagePart(mediaType=mediaType, data=data):
            source = {"type": "base64", "media_type": mediaType, "data": data}
            return [{"type": "image", "source": source}]


def _blocks(message: Message) -> tuple[_Role, _Blocks]:
    match message:
        case UserMessage(content=content):
            if isinstance(content, str):
                return "user", _text(content)
            return "user", [block for part in content for block in _part(part)]
        case AssistantMessage(content=text, tool_calls=calls):
            uses = [
                {
                    "type": "tool_use",
                    "id": callID(call.id),
                    "name": call.name,
                    "input": argumentsOf(call),
                }
                for call in calls
            ]
            return "assistant", _text(text) + uses
        case ToolMessage(tool_call_id=id, content=text):
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": callID(id)}
            if text.strip():
                result["content"] = text
            return "user", [result]


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """
    The conversation as turns of the two roles, which begin with the user, take
    turns, and have the results of calls first.
    """
    turns: list[dict[str, Any]] = []
    for role, blocks in map(_blocks, messages):
        if not blocks:
            continue
        if not turns and role == "assistant":
            # Such as when the oldest messages were left out.
            turns.append({"role": "user", "content": _text("…")})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return turns


def _tool(tool: ToolSpec) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"type": "object", **tool.parameters},
    }
    if tool.strict:
        encoded["strict"] = True
    return encoded


def _toolFields(
    tools: Sequence[ToolSpec], choice: ToolChoice, parallel: bool | None
) -> dict[str, Any]:
    if not tools:
        return {}
    encoded: dict[str, Any] = (
        {"type": "tool", "name": choice.name}
        if isinstance(choice, NamedTool)
        else {"type": _CHOICES[choice]}
    )
    if parallel is False and choice != "none":
        encoded["disable_parallel_tool_use"] = True
    return {"tools": [_tool(tool) for tool in tools], "tool_choice": encoded}


def _samplingFields(sampling: Sampling) -> dict[str, Any]:
    refuseFields(sampling, _REFUSED, API)
    fields: dict[str, Any] = {}
    if sampling.temperature is not None:
        fields["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        fields["top_p"] = sampling.top_p
    if stop := stopSequences(sampling):
        fields["stop_sequences"] = stop
    output: dict[str, Any] = {}
    effort = sampling.reasoning_effort
    if effort == "none":
        fields["thinking"] = {"type": "disabled"}
    elif effort is not None:
        output["effort"] = _EFFORTS.get(effort, effort)
    schema = wantedFormat(sampling, API)
    if schema == "json":
        raise unsupported("response_format", API)
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        fields["output_config"] = output
    return fields


class AnthropicMessages:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  Its base URL is without
    the version, as in C{https://api.anthropic.com}.
    """

    def path(self, request: ModelRequest) -> str:
        """
        The same for every model.
        """
        return "/v1/messages"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The key in a header of its own, and the version of the API.
        """
        headers = [("Accept", "text/event-stream"), ("Anthropic-Version", VERSION)]
        if key is not None:
            headers.append(("X-Api-Key", key.reveal()))
        return headers

    def encode(self, request: ModelRequest) -> bytes:
        """
        The JSON body that asks for a stream.

        @raise openclaw.errors.InvalidRequest: It wants what the API can't do.
        """
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": (
                outputLimit(request) or request.maxOutputTokens or DEFAULT_MAX_TOKENS
            ),
            "messages": _turns(request.messages),
            "stream": True,
        }
        if request.system.strip():
            body["system"] = request.system
        body |= _samplingFields(sampling)
        body |= _toolFields(
            request.tools, request.toolChoice, sampling.parallel_tool_calls
        )
        return msgspec.json.encode(body)

    def decoder(self, provider: str, refusal: Refusal) -> MessagesDecoder:
        """
        What reads an answer.
        """
        return MessagesDecoder(provider, refusal)


__all__ = [
    "API",
    "DEFAULT_MAX_TOKENS",
    "VERSION",
    "AnthropicMessages",
    "MessagesDecoder",
]
