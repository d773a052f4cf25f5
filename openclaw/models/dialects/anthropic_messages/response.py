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
from openclaw.interfaces import ModelRequest
from openclaw.models.dialects.anthropic_messages.request import REDACTED, bodyOf
from openclaw.models.finish_reasons import isFailure, nearestReason
from openclaw.models.lenient_json import LenientDecoder, textOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal

VERSION = "2023-06-01"

# Responses, as far as they are read


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str | None = None
    text: Any = None
    thinking: Any = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: Any = None
    thinking: Any = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


class _Unstreamed(msgspec.Struct):
    content: list[_Block | str] | str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


_EVENT = LenientDecoder(_Event)
_decodeEvent = _EVENT.decode
_UNSTREAMED = LenientDecoder(_Unstreamed)


class MessagesDecoder(StreamedReply):
    """
    Decodes a response: bytes in, events out.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._messageID: str | None = None
        self._others: set[int | None] = set()
        self._thought = bytearray()

    def read(self, payload: bytes) -> None:
        """
        Decode one event.  Unknown ones are ignored, as the API requires.
        """
        try:
            event = _decodeEvent(payload)
        except (msgspec.DecodeError, UnicodeError):
            event = _EVENT.decodeLeniently(payload)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                self._continue(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                self._begin(event.index, event.content_block)
            case "message_start" if event.message is not None:
                self._startMessage(event.message)
            case "message_delta":
                self._count(event.usage)
                self._stop(event.delta.stop_reason if event.delta else None)
            case "message_stop":
                self._end()
            case "message":
                self._readWhole(_UNSTREAMED.read(payload))
            case "content_block_delta" | "content_block_start" | "content_block_stop":
                pass
            case _:
                self.readUnknown(payload)

    def _startMessage(self, message: _Message) -> None:
        """
        Decode the start of a message.  Some proxies repeat it; a different message is
        an error.
        """
        isOther = message.id is not None and message.id != self._messageID
        if self._messageID is not None and isOther and self.hasContent:
            raise self.brokenOff()
        self._messageID = message.id or self._messageID
        self._count(message.usage)

    def _begin(self, index: int | None, block: _Block) -> None:
        match block.type:
            case "text":
                self.say(textOf(block.text))
            case "thinking":
                self._thought.clear()
                self._goOnThinking(block.thinking)
                self._signThought(block.signature)
            case "redacted_thinking" if block.data:
                self.keepThought("", REDACTED + block.data)
            case "tool_use":
                self.beginCall(index, block.name, block.id)
                if block.input:
                    self.continueCall(index, self.argumentsText(block.input))
            case _:
                self.noteItem(self._others, index)

    def _continue(self, index: int | None, delta: _Delta) -> None:
        match delta.type:
            case "text_delta":
                self.say(delta.text if type(delta.text) is str else textOf(delta.text))
            case "thinking_delta":
                self._goOnThinking(delta.thinking)
            case "signature_delta":
                self._signThought(delta.signature)
            case "input_json_delta" if index not in self._others:
                self.continueCall(index, delta.partial_json or "")

    def _goOnThinking(self, thought: Any) -> None:
        self._thought += self.think(textOf(thought)).encode()

    def _signThought(self, signature: str | None) -> None:
        if signature:
            self.keepThought(self._thought.decode(), signature)

    def _stop(self, reason: str | None) -> None:
        if reason:
            if isFailure(reason):
                raise self.brokenOff()
            self.finishReason = nearestReason(reason)

    def _end(self) -> None:
        self.finishReason = self.finishReason or "stop"
        self.complete = True

    def _readWhole(self, message: _Unstreamed) -> None:
        content = message.content or ()
        for index, block in enumerate([content] if type(content) is str else content):
            if isinstance(block, str):
                self.say(block)
            else:
                self._begin(index, block)
        self._count(message.usage)
        self._stop(message.stop_reason)
        self._end()

    def _count(self, usage: _Usage | None) -> None:
        # Counts increase: the last ones are right, but not all are repeated.
        if usage is None:
            return
        details = usage.output_tokens_details or _OutputDetails()
        # input_tokens does not include cached tokens.
        prompts = (
            usage.input_tokens,
            usage.cache_creation_input_tokens,
            usage.cache_read_input_tokens,
        )
        told = [count for count in prompts if count is not None]
        self.countAtLeast(
            sum(told) if told else None,
            usage.output_tokens,
            usage.cache_read_input_tokens,
            details.thinking_tokens,
        )


class AnthropicMessages:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  Its base URL has no version,
    as in C{https://api.anthropic.com}.
    """

    def path(self, request: ModelRequest) -> str:
        return "/v1/messages"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        headers = [("Accept", "text/event-stream"), ("Anthropic-Version", VERSION)]
        if key is not None:
            headers.append(("X-Api-Key", key.reveal()))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, profile), profile)

    def decoder(self, provider: str, refusal: Refusal) -> MessagesDecoder:
        return MessagesDecoder(provider, refusal)
