"""
The C{google-generative-ai} dialect: decode responses of the Gemini API.

Follows U{https://ai.google.dev/api/generate-content} (C{v1beta}), and for the rest
U{https://ai.google.dev/gemini-api/docs/function-calling} and
U{https://ai.google.dev/gemini-api/docs/thinking}.  The base URL ends with the
version: C{https://generativelanguage.googleapis.com/v1beta}.

Schemas go out as C{parametersJsonSchema} and C{responseJsonSchema}, which take JSON
Schema as it is; C{parameters} takes a small part of it and refuses all else.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from openclaw.config import Secret
from openclaw.errors import OpenClawError, UpstreamError, UpstreamMalformed
from openclaw.interfaces import ModelReply, ModelRequest
from openclaw.messages import FinishReason, Usage
from openclaw.models.dialects.google_generative_ai.request import (
    ThoughtSignatures,
    bodyOf,
)
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal, ReplyDecoder
from openclaw.models.whole_calls import WholeCallsReply

# What comes back, as far as it is read.


class _FunctionCall(msgspec.Struct):
    name: str
    args: msgspec.Raw = msgspec.Raw()
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    error: Any = None


_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
}
"""
C{Candidate.FinishReason} in OpenAI's words.  What is left out is a failure.
"""


class GenerateContentDecoder(WholeCallsReply):
    """
    An answer's bytes in, events out.  Nothing but the end of the body says that an
    answer is complete.  Where C{alt=sse} was lost on the way, it is one JSON array.
    """

    def __init__(
        self, provider: str, refusal: Refusal, signatures: ThoughtSignatures
    ) -> None:
        """
        @param signatures: Where those of the calls are left.
        """
        super().__init__(provider, refusal)
        self._decode = msgspec.json.Decoder(_Chunk | list[_Chunk]).decode
        self._signatures = signatures
        self._failure: str | None = None

    def read(self, payload: bytes) -> None:
        """
        Understand one C{GenerateContentResponse}, or several.
        """
        said = self._decode(payload)
        for chunk in said if isinstance(said, list) else [said]:
            if chunk.error is not None:
                raise self._reported(chunk.error)
            if chunk.usage_metadata is not None:
                self.usage = _neutral(chunk.usage_metadata)
            if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
                self.finishReason = "content_filter"
            if chunk.candidates:
                self._readCandidate(chunk.candidates[0])

    def reply(self) -> ModelReply:
        """
        The whole answer.

        @raise UpstreamError: The model did not come to an end of its own.
        """
        if self._failure == "MALFORMED_FUNCTION_CALL":
            raise UpstreamMalformed(
                f"The model of provider {self.provider!r} wrote a tool call that can't"
                " be read."
            )
        if self._failure is not None:
            raise UpstreamError(
                f"Provider {self.provider!r} gave the answer up: {self._failure[:50]}."
            )
        return super().reply()

    def _readCandidate(self, candidate: _Candidate) -> None:
        parts = candidate.content.parts if candidate.content else None
        for part in parts or ():
            if part.function_call is not None:
                self._readCall(part.function_call, part.thought_signature)
            elif part.text:
                (self.think if part.thought else self.say)(part.text)
        reason = candidate.finish_reason
        if reason in _FINISH:
            self.finishReason = _FINISH[reason]
        elif reason:
            self._failure = reason

    def _readCall(self, call: _FunctionCall, signature: str | None) -> None:
        callID = self.addCall(call.name, call.id, call.args, signature)
        if signature:
            self._signatures.keep(callID, call.name, signature)

    def _reported(self, error: Any) -> OpenClawError:
        status = error.get("code") if isinstance(error, dict) else None
        if not isinstance(status, int) or status < 400:
            status = 500
        return self.reported(status, error)


def _neutral(usage: _Usage) -> Usage:
    thoughts = usage.thoughts_token_count or 0
    return Usage(
        prompt_tokens=(usage.prompt_token_count or 0)
        + (usage.tool_use_prompt_token_count or 0),
        # Google counts the thoughts beside the answer, OpenAI within it.
        completion_tokens=(usage.candidates_token_count or 0) + thoughts,
        cached_tokens=usage.cached_content_token_count or 0,
        reasoning_tokens=thoughts,
    )


# What is sent.


class GoogleGenerativeAI:
    """
    Asked with C{POST {baseUrl}/models/{model}:streamGenerateContent}; see
    L{openclaw.models.provider.Dialect}.
    """

    def __init__(self, signatures: ThoughtSignatures | None = None) -> None:
        """
        @param signatures: What is remembered of earlier answers; nothing at first.
        """
        self._signatures = signatures or ThoughtSignatures()

    def path(self, request: ModelRequest) -> str:
        """
        The model is part of the path.  C{tunedModels/…} are named with their kind.
        """
        kind, slash, name = request.model.partition("/")
        if not slash or kind not in ("models", "tunedModels"):
            kind, name = "models", request.model
        return f"/{kind}/{quote(name, safe='')}:streamGenerateContent?alt=sse"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The key has a header of its own.
        """
        headers = [("Accept", "text/event-stream")]
        if key is not None:
            headers.append(("X-Goog-Api-Key", key.reveal()))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, self._signatures), profile)

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        """
        Return a decoder of an answer.
        """
        return GenerateContentDecoder(provider, refusal, self._signatures)
