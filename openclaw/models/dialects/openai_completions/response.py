"""
Decode responses of the C{openai-completions} dialect.

Follows U{https://platform.openai.com/docs/api-reference/chat}, and is lenient where
the many servers that speak it are sloppy: fields may be C{null} or missing,
C{[DONE]} or the C{finish_reason} (not both) may be left out, an answer may come
unstreamed though a stream was asked for.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.errors import UpstreamTruncated
from openclaw.interfaces import ModelReply, ModelRequest
from openclaw.messages import FinishReason, Usage
from openclaw.models.dialects.openai_completions.request import bodyOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal, ReplyDecoder

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


class OpenAICompletions:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  The base URL is with the
    version, as in C{https://api.openai.com/v1}.
    """

    def path(self, request: ModelRequest) -> str:
        return "/chat/completions"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        accept = ("Accept", "text/event-stream")
        if key is None:
            return [accept]
        return [accept, ("Authorization", f"Bearer {key.reveal()}")]

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, profile), profile)

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        return ChatCompletionDecoder(provider, refusal)
