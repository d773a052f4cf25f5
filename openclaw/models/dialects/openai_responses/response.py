"""
The C{openai-responses} dialect: decode responses of OpenAI's Responses API.

Follows U{https://platform.openai.com/docs/api-reference/responses}, with
U{https://platform.openai.com/docs/api-reference/responses-streaming} for the answer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.errors import OpenClawError
from openclaw.interfaces import ModelRequest
from openclaw.messages import Usage
from openclaw.models.dialects.openai_responses.request import bodyOf
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal

# What comes back, as far as it is read.


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Said(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    # The last four have other types in items that are of no interest here.
    type: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    content: Any = None
    encrypted_content: Any = None


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
    summary_index: int | None = None
    item: _Item | None = None
    response: _Response | None = None
    delta: Any = None
    arguments: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_STATUS = dict.fromkeys(
    (
        "bio_policy",
        "context_length_exceeded",
        "empty_image_file",
        "failed_to_download_image",
        "image_content_policy_violation",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "invalid_request_error",
        "misalignment_policy_violation",
        "unsupported_image_media_type",
    ),
    400,
) | {
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "vector_store_timeout": 504,
}
"""
The HTTP status that fits each code of error; all else is the provider's own fault.
"""


class ResponseDecoder(StreamedReply):
    """
    An answer's bytes in, events out.  It consists of items (messages, calls, and
    thoughts) that are told apart by their index.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._decode = msgspec.json.Decoder(_Event).decode
        self._told: set[int | None] = set()
        self._kept: set[int | None] = set()

    def read(self, payload: bytes) -> None:
        """
        Understand one event.  Those that say again what others have said, and those
        about what was not asked for, are passed over.
        """
        event = self._decode(payload)
        index = event.output_index
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                self.noteItem(self._told, index)
                self.say(self._string(event.delta))
            case "response.function_call_arguments.delta":
                self.continueCall(index, self._string(event.delta))
            case (
                "response.reasoning_text.delta"
                | "response.reasoning_summary_text.delta"
            ):
                self.think(self._string(event.delta))
            case "response.reasoning_summary_part.added" if event.summary_index:
                self.think("\n\n")
            case "response.output_item.added" if event.item is not None:
                if event.item.type == "function_call":
                    self._beginCall(index, event.item)
            case "response.output_item.done" if event.item is not None:
                self._readItem(index, event.item)
            case "error":
                raise self._reported(
                    event.error or {"code": event.code, "message": event.message}
                )
            case _:
                self._readEnd(event, payload)

    def _readEnd(self, event: _Event, payload: bytes) -> None:
        match event.type:
            case "response.completed" | "response.incomplete" | "response.failed":
                response = event.response or _Response()
                status = event.type.removeprefix("response.")
            case None if event.object == "response":
                # It came whole, though a stream was asked for.
                response = msgspec.json.decode(payload, type=_Response)
                status = response.status or "completed"
            case None if event.error is not None:
                raise self._reported(event.error)
            case _:
                return
        if status not in ("completed", "incomplete"):
            raise self._reported(response.error)
        self._end(response, status)

    def _end(self, response: _Response, status: str) -> None:
        if not self._told:
            for index, item in enumerate(response.output or ()):
                self._readItem(index, item)
        if response.usage is not None:
            self.usage = _neutral(response.usage)
        why = response.incomplete_details
        if why is not None and why.reason == "content_filter":
            self.finishReason = "content_filter"
        else:
            self.finishReason = "stop" if status == "completed" else "length"
        self.complete = True

    def _readItem(self, index: int | None, item: _Item) -> None:
        """
        Tell what of a whole item was not told while it was written.
        """
        if item.type == "function_call":
            if not self.knowsCall(index):
                self._beginCall(index, item)
            elif self.lacksArguments(index):
                self.continueCall(index, self._string(item.arguments))
        elif item.type == "reasoning" and index not in self._kept:
            self.noteItem(self._kept, index)
            if sealed := self._string(item.encrypted_content):
                self.keepThought("", sealed)
        elif item.type == "message" and index not in self._told:
            self.noteItem(self._told, index)
            for said in msgspec.convert(item.content or [], list[_Said]):
                self.say(said.text or said.refusal or "")

    def _beginCall(self, index: int | None, item: _Item) -> None:
        self.noteItem(self._told, index)
        self.beginCall(index, item.name, item.call_id or item.id)
        self.continueCall(index, self._string(item.arguments))

    def _string(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        raise self.unreadable()

    def _reported(self, error: Any) -> OpenClawError:
        described = error if isinstance(error, dict) else {}
        for name in ("code", "type"):
            status = _STATUS.get(str(described.get(name)))
            if status is not None:
                return self.reported(status, error)
        return self.reported(500, error)


def _neutral(usage: _Usage) -> Usage:
    prompt = usage.input_tokens_details or _InputDetails()
    completion = usage.output_tokens_details or _OutputDetails()
    return Usage(
        prompt_tokens=usage.input_tokens or 0,
        completion_tokens=usage.output_tokens or 0,
        cached_tokens=prompt.cached_tokens or 0,
        reasoning_tokens=completion.reasoning_tokens or 0,
    )


class OpenAIResponses:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  Its base URL is with the
    version, as in C{https://api.openai.com/v1}.
    """

    def path(self, request: ModelRequest) -> str:
        """
        The same for every model.
        """
        return "/responses"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The key as a bearer token.
        """
        headers = [("Accept", "text/event-stream")]
        if key is not None:
            headers.append(("Authorization", f"Bearer {key.reveal()}"))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, profile), profile)

    def decoder(self, provider: str, refusal: Refusal) -> ResponseDecoder:
        """
        Return a decoder of an answer.
        """
        return ResponseDecoder(provider, refusal)
