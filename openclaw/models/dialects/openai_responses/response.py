"""
The C{openai-responses} dialect: decode responses of OpenAI's Responses API.

Follows U{https://platform.openai.com/docs/api-reference/responses}, with
U{https://platform.openai.com/docs/api-reference/responses-streaming} for the answer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.interfaces import ModelRequest
from openclaw.models.call_matching import CallMatcher
from openclaw.models.dialects.openai_responses.request import PHASE, bodyOf
from openclaw.models.finish_reasons import nearestReason
from openclaw.models.lenient_json import LenientDecoder, textOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal

# Responses, as far as they are read


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Item(msgspec.Struct):
    # The last four have other types in items that are not read.
    type: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    content: Any = None
    encrypted_content: Any = None
    phase: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    object: str | None = None
    output_index: int | None = None
    item_id: str | None = None
    summary_index: int | None = None
    item: _Item | None = None
    response: _Response | None = None
    delta: Any = None
    logprobs: Any = None
    arguments: Any = None
    error: Any = None


_EVENT = LenientDecoder(_Event)
_decodeEvent = _EVENT.decode
_RESPONSE = LenientDecoder(_Response)
_NOT_WHOLE = ("cancelled", "in_progress", "queued")


class ResponseDecoder(StreamedReply):
    """
    Decodes a response: bytes in, events out.  It consists of items (messages, calls,
    and reasoning) that are identified by their index, calls also by the item's id.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._told: set[int | None] = set()
        self._kept: set[int | None] = set()
        self._matcher = CallMatcher(self.hasWholeArguments)

    def read(self, payload: bytes) -> None:
        """
        Decode one event.  Those that repeat earlier ones, or were not requested, are
        ignored.
        """
        try:
            event = _decodeEvent(payload)
        except (msgspec.DecodeError, UnicodeError):
            event = _EVENT.decodeLeniently(payload)
        index, delta = event.output_index, event.delta
        match event.type:
            case "response.output_text.delta":
                self.noteItem(self._told, index)
                self.say(delta if type(delta) is str else textOf(delta))
                if event.logprobs:
                    self.score(event.logprobs)
            case "response.refusal.delta":
                self.noteItem(self._told, index)
                self.decline(textOf(delta))
            case "response.function_call_arguments.delta":
                key = self._matcher.find(event.item_id or "", index, "")
                self.continueCall(key, self.argumentsText(delta))
            case (
                "response.reasoning_text.delta"
                | "response.reasoning_summary_text.delta"
            ):
                self.think(textOf(delta))
            case "response.reasoning_summary_part.added" if event.summary_index:
                self.think("\n\n")
            case "response.output_item.added" if event.item is not None:
                if event.item.type == "function_call":
                    self._beginCall(index, event.item)
            case "response.output_item.done" if event.item is not None:
                self._readItem(index, event.item)
            case _:
                self._readEnd(event, payload)

    def _readEnd(self, event: _Event, payload: bytes) -> None:
        match event.type:
            case (
                "response.completed"
                | "response.incomplete"
                | "response.failed"
                | "response.cancelled"
            ):
                response = event.response or _Response()
                status = event.type.removeprefix("response.")
                if status == "completed":
                    status = response.status or status
            case None if event.object == "response":
                # It came complete, though a stream was requested.
                response = _RESPONSE.read(payload)
                status = response.status or "completed"
            case str(name) if name.startswith("response.") and not event.error:
                return
            case _:
                self.readUnknown(payload)
                return
        if response.error or status == "failed":
            raise self.reported(response.error)
        if status in _NOT_WHOLE:
            raise self.brokenOff()
        self._end(response, status)

    def _end(self, response: _Response, status: str) -> None:
        if not self._told:
            for index, item in enumerate(response.output or ()):
                self._readItem(index, item)
        if response.usage is not None:
            self._count(response.usage)
        why = response.incomplete_details
        if status == "incomplete":
            word = (why and why.reason) or "length"
            self.finishReason = nearestReason(word, "length")
        else:
            self.finishReason = "stop"
        self.complete = True

    def _readItem(self, index: int | None, item: _Item) -> None:
        """
        Send the parts of a complete item that were not sent before.
        """
        if item.type == "function_call":
            key = None
            if index is not None or item.id:
                # Some servers change the ids; an index is enough.
                name = item.name if index is None else None
                key = self._matcher.find(item.id or "", index, name or "")
            if key is None:
                self._beginCall(index, item)
            elif self.lacksArguments(key):
                self.continueCall(key, self.argumentsText(item.arguments))
        elif item.type == "reasoning" and index not in self._kept:
            self.noteItem(self._kept, index)
            if sealed := textOf(item.encrypted_content):
                self.keepThought("", sealed)
        elif item.type == "message":
            if item.phase:
                self.keepThought(item.phase, PHASE, lasting=True)
            if index not in self._told:
                self.noteItem(self._told, index)
                self._readContent(item.content)

    def _readContent(self, content: Any) -> None:
        for part in content if isinstance(content, list) else [content]:
            self.say(textOf(part))
            if isinstance(part, dict):
                self.decline(textOf(part.get("refusal")))
                self.score(part.get("logprobs"))

    def _beginCall(self, index: int | None, item: _Item) -> None:
        self.noteItem(self._told, index)
        key = self._matcher.begin(item.id or "", index, item.name or "")
        self.beginCall(key, item.name, item.call_id or item.id)
        self.continueCall(key, self.argumentsText(item.arguments))

    def _count(self, usage: _Usage) -> None:
        prompt = usage.input_tokens_details or _InputDetails()
        completion = usage.output_tokens_details or _OutputDetails()
        self.countAtLeast(
            usage.input_tokens,
            usage.output_tokens,
            prompt.cached_tokens,
            completion.reasoning_tokens,
        )


class OpenAIResponses:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  Its base URL includes the
    version, as in C{https://api.openai.com/v1}.
    """

    def path(self, request: ModelRequest) -> str:
        return "/responses"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        headers = [("Accept", "text/event-stream")]
        if key is not None:
            headers.append(("Authorization", f"Bearer {key.reveal()}"))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, profile), profile)

    def decoder(self, provider: str, refusal: Refusal) -> ResponseDecoder:
        return ResponseDecoder(provider, refusal)
