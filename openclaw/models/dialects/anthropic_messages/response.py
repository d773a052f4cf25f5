"""
The C{anthropic-messages} dialect: decode responses of Anthropic's Messages API.

Follows U{https://platform.claude.com/docs/en/api/messages}, with
U{https://platform.claude.com/docs/en/build-with-claude/streaming} for the answer and
U{https://platform.claude.com/docs/en/api/errors} for the errors in it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.errors import OpenClawError
from openclaw.interfaces import ModelRequest
from openclaw.messages import FinishReason, Usage
from openclaw.models.dialects.anthropic_messages.request import REDACTED, bodyOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal

VERSION = "2023-06-01"

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
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
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
        self._thought = bytearray()

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
                self._thought.clear()
                self._goOnThinking(block.thinking or "")
                self._signThought(block.signature)
            case "redacted_thinking" if block.data:
                self.keepThought("", REDACTED + block.data)
            case "tool_use":
                self.beginCall(index, block.name, block.id)
                if block.input:
                    self.continueCall(index, msgspec.json.encode(block.input).decode())
            case _:
                self.noteItem(self._others, index)

    def _continue(self, index: int | None, delta: _Delta) -> None:
        match delta.type:
            case "text_delta":
                self.say(delta.text or "")
            case "thinking_delta":
                self._goOnThinking(delta.thinking or "")
            case "signature_delta":
                self._signThought(delta.signature)
            case "input_json_delta" if index not in self._others:
                self.continueCall(index, delta.partial_json or "")

    def _goOnThinking(self, text: str) -> None:
        self._thought += text.encode()
        self.think(text)

    def _signThought(self, signature: str | None) -> None:
        if signature:
            self.keepThought(self._thought.decode(), signature)

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

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, profile), profile)

    def decoder(self, provider: str, refusal: Refusal) -> MessagesDecoder:
        """
        Return a decoder of an answer.
        """
        return MessagesDecoder(provider, refusal)
