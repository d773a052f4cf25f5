"""
The C{openai-completions} dialect: OpenAI's chat completions as a provider.

Follows U{https://platform.openai.com/docs/api-reference/chat}, and is lenient where
the many servers that speak it are sloppy: fields may be C{null} or missing,
C{[DONE]} or the C{finish_reason} (not both) may be left out, an answer may come
unstreamed though a stream was asked for.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from openclaw.config import Secret
from openclaw.errors import UpstreamTruncated
from openclaw.interfaces import ModelReply, ModelRequest, NamedTool, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    FinishReason,
    Message,
    TextPart,
    ToolMessage,
    Usage,
    UserMessage,
)
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import dataURI, resultText
from openclaw.models.upstream_call import Refusal, ReplyDecoder
from openclaw.raw_json import wireForm
from openclaw.transcript import PlainTranscript

# What comes back, as far as it is read.


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _CallDelta(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _FunctionDelta | None = None


class _Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None  # DeepSeek, vLLM, llama.cpp
    reasoning: str | None = None  # OpenRouter, Ollama
    tool_calls: list[_CallDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: Any = None
    message: Any = None
    code: Any = None


_FINISH: dict[str, FinishReason] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
"""
Finish reasons of providers, in OpenAI's words; all others mean C{stop}.
"""

_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})
"""
Finish reasons by which OpenRouter, vLLM and DeepSeek mark an answer that is not whole.
"""


_decodeChunk = msgspec.json.Decoder(_Chunk).decode


class ChatCompletionDecoder(StreamedReply):
    """
    An answer's bytes in, events out; see L{openclaw.models.upstream_call.ReplyDecoder}.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._thought = bytearray()
        self._thoughtField = ""

    def read(self, payload: bytes) -> None:
        """
        Understand one chunk, or a whole completion.
        """
        chunk = _decodeChunk(payload)
        choice = chunk.choices[0] if chunk.choices else None
        if choice is not None:
            self._readChoice(choice)
        if chunk.usage is not None:
            self.usage = _neutral(chunk.usage)
        if chunk.error:
            self._report(chunk.error)
        if chunk.object == "error":  # vLLM
            self._report({"code": chunk.code, "message": chunk.message})
        if choice is not None and choice.finish_reason in _BROKEN_OFF:
            raise UpstreamTruncated(
                f"The answer of provider {self.provider!r} broke off."
            )

    def reply(self) -> ModelReply:
        """
        The whole answer.  DeepSeek and others insist on having the thoughts back that
        led to calls; in place of a signature is the field in which they came.
        """
        if self._thought:
            self.keepThought(self._thought.decode(), self._thoughtField)
        return super().reply()

    def _readChoice(self, choice: _Choice) -> None:
        said = choice.delta or choice.message
        if said is not None:
            if said.reasoning_content:
                self._think("reasoning_content", said.reasoning_content)
            elif said.reasoning:
                self._think("reasoning", said.reasoning)
            if said.content:
                self.say(said.content)
            if said.tool_calls:
                for position, call in enumerate(said.tool_calls):
                    self._readCall(call, position)
        if choice.finish_reason:
            self.finishReason = _FINISH.get(choice.finish_reason, "stop")

    def _think(self, field: str, text: str) -> None:
        self._thoughtField = field
        self._thought += text.encode()
        self.think(text)

    def _readCall(self, call: _CallDelta, position: int) -> None:
        """
        Some servers leave the index out, others the id; what is new has a name.
        """
        function = call.function
        key: object = position if call.index is None else call.index
        if function is None:
            return
        if function.name and (not self.knowsCall(key) or call.index is None):
            if self.knowsCall(key):
                key = call.id or object()
            self.beginCall(key, function.name, call.id)
        arguments = function.arguments
        if arguments:
            if not isinstance(arguments, str):
                arguments = msgspec.json.encode(arguments).decode()
            self.continueCall(key, arguments)

    def _report(self, error: Any) -> None:
        status = error.get("code") if isinstance(error, dict) else None
        raise self.reported(
            status if isinstance(status, int) and status >= 400 else 500, error
        )


def _neutral(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=(prompt.cached_tokens or 0) if prompt else 0,
        reasoning_tokens=(completion.reasoning_tokens or 0) if completion else 0,
    )


# What is sent.


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


class OpenAICompletions:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.
    """

    def path(self, request: ModelRequest) -> str:
        """
        The same for every model.
        """
        return "/chat/completions"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The key as a bearer token.
        """
        accept = ("Accept", "text/event-stream")
        if key is None:
            return [accept]
        return [accept, ("Authorization", f"Bearer {key.reveal()}")]

    def encode(self, request: ModelRequest) -> bytes:
        """
        The JSON body that asks for a stream with usage.
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
        return msgspec.json.encode(body)

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        """
        See L{ChatCompletionDecoder}.
        """
        return ChatCompletionDecoder(provider, refusal)
