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
from openclaw.errors import UpstreamError, UpstreamMalformed
from openclaw.interfaces import ModelRequest
from openclaw.messages import Usage
from openclaw.models.dialects.google_generative_ai.partial_arguments import (
    PartialArgument,
    PartialCall,
)
from openclaw.models.dialects.google_generative_ai.request import (
    ThoughtSignatures,
    bodyOf,
)
from openclaw.models.finish_reasons import isFailure, nearestReason
from openclaw.models.lenient_json import LenientDecoder, textOf, wellFormedJSON
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal, ReplyDecoder
from openclaw.models.whole_calls import WholeCallsReply

# Responses, as far as they are read


class _FunctionCall(msgspec.Struct, rename="camel"):
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    id: str | None = None
    partial_args: list[PartialArgument] | None = None
    will_continue: bool | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: Any = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    index: int | None = None
    content: _Content | None = None
    logprobs_result: Any = None
    finish_reason: str | int | None = None


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


_NUMBERED = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
)
_UNTOLD = ("OTHER", "FINISH_REASON_UNSPECIFIED")
_CHUNK = LenientDecoder(_Chunk)
_decodeChunk = _CHUNK.decode
_CHUNKS: LenientDecoder[list[_Chunk]] = LenientDecoder(list[_Chunk])
_KNOWN = frozenset(
    {
        "candidates",
        "createTime",
        "modelVersion",
        "promptFeedback",
        "responseId",
        "usageMetadata",
    }
)
"""
Members of chunks that may be without meaning.
"""


class GenerateContentDecoder(WholeCallsReply):
    """
    Decodes a response: bytes in, events out.  Only the end of the body shows that it is
    complete.  Without C{alt=sse} it is a JSON array.
    """

    def __init__(
        self, provider: str, refusal: Refusal, signatures: ThoughtSignatures
    ) -> None:
        """
        @param signatures: Receives the signatures of calls.
        """
        super().__init__(provider, refusal)
        self._signatures = signatures
        self._uncounted: _Usage | None = None
        self._partial: PartialCall | None = None

    def read(self, payload: bytes) -> None:
        """
        Decode one C{GenerateContentResponse}, or several.
        """
        if payload.lstrip()[:1] == b"[":
            chunks = _CHUNKS.read(payload)
            for chunk in chunks:
                self._readChunk(chunk)
            if not chunks:
                raise self.unreadable()
            return
        try:
            chunk = _decodeChunk(payload)
        except (msgspec.DecodeError, UnicodeError):
            chunk = _CHUNK.decodeLeniently(payload)
        if not self._readChunk(chunk):
            self.readUnknown(payload, _KNOWN)

    def _readChunk(self, chunk: _Chunk) -> bool:
        """
        @return: Whether it had a part of a reply.
        """
        if chunk.error:
            raise self.reported(chunk.error)
        usage = chunk.usage_metadata
        if usage is not None and (
            usage.prompt_token_count is not None
            or usage.candidates_token_count is not None
        ):
            # Each chunk has it: only the last one is counted.
            self._uncounted = usage
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            self.finishReason = "content_filter"
        for candidate in chunk.candidates or ():
            # Only one was requested.
            if not candidate.index:
                self._readCandidate(candidate)
                break
        return bool(chunk.candidates or usage)

    def _readCandidate(self, candidate: _Candidate) -> None:
        parts = candidate.content.parts if candidate.content else None
        for part in parts or ():
            if part.function_call is not None:
                self._readCall(part.function_call, part.thought_signature)
            if part.text:
                text = part.text if type(part.text) is str else textOf(part.text)
                (self.think if part.thought else self.say)(text)
        if candidate.logprobs_result:
            self.score(candidate.logprobs_result)
        reason = candidate.finish_reason
        if isinstance(reason, int):
            # With enum-encoding=int, which Google's own libraries ask for.
            reason = _NUMBERED[reason] if 0 < reason < len(_NUMBERED) else None
        if reason:
            self._stop(reason)

    def _stop(self, reason: str) -> None:
        """
        Interpret C{Candidate.FinishReason}.  New reasons are added often, and only two
        are normal ends.

        @raise UpstreamError: The reply failed.
        """
        if reason == "MALFORMED_FUNCTION_CALL":
            raise UpstreamMalformed(
                f"The model of provider {self.provider!r} wrote a tool call that can't"
                " be read."
            )
        if isFailure(reason) or (reason in _UNTOLD and not self.hasContent):
            raise UpstreamError(
                f"Provider {self.provider!r} gave the answer up: {reason[:50]}."
            )
        self._endPartial()
        self.finishReason = nearestReason(reason, "content_filter")

    def _readCall(self, call: _FunctionCall, signature: str | None) -> None:
        isPartial = call.partial_args is not None or call.will_continue
        if call.name:
            self._endPartial()
            if not isPartial:
                self._addCall(call.name, call.id, call.args, signature)
                return
            self._partial = PartialCall(call.name, call.id, signature, {})
        partial = self._partial
        if partial is None:
            if isPartial or bytes(call.args):
                raise self.unreadable()
            return
        for piece in call.partial_args or ():
            self.countContent(piece.string_value or "")
            partial.add(piece)
        if not call.will_continue:
            self._endPartial()

    def _endPartial(self) -> None:
        """
        End the call whose arguments came in pieces, if there is one.
        """
        partial, self._partial = self._partial, None
        if partial is not None:
            written = msgspec.json.encode(wellFormedJSON(partial.arguments()))
            arguments = msgspec.Raw(written)
            self._addCall(partial.name, partial.id, arguments, partial.signature)

    def _addCall(
        self, name: str, id: str | None, arguments: msgspec.Raw, signature: str | None
    ) -> None:
        callID = self.addCall(name, id, arguments, signature)
        if signature:
            self._signatures.keep(callID, name, signature)

    @property
    def usage(self) -> Usage:
        """
        Return the usage so far.
        """
        uncounted, self._uncounted = self._uncounted, None
        if uncounted is not None:
            self._count(uncounted)
        return self._usage

    def _count(self, usage: _Usage) -> None:
        prompts = (usage.prompt_token_count, usage.tool_use_prompt_token_count)
        # Google counts reasoning separately, OpenAI as part of the reply.
        answers = (usage.candidates_token_count, usage.thoughts_token_count)
        self.countAtLeast(
            _sum(prompts),
            _sum(answers),
            usage.cached_content_token_count,
            usage.thoughts_token_count,
        )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


# Requests


class GoogleGenerativeAI:
    """
    The dialect, with requests to C{POST
    {baseUrl}/models/{model}:streamGenerateContent}; see
    L{openclaw.models.provider.Dialect}.
    """

    def __init__(self, signatures: ThoughtSignatures | None = None) -> None:
        """
        @param signatures: Signatures of earlier responses; none at first.
        """
        self._signatures = signatures or ThoughtSignatures()

    def path(self, request: ModelRequest) -> str:
        """
        Return the path with the model.  C{tunedModels/…} include their kind.
        """
        kind, slash, name = request.model.partition("/")
        if not slash or kind not in ("models", "tunedModels"):
            kind, name = "models", request.model
        return f"/{kind}/{quote(name, safe='')}:streamGenerateContent?alt=sse"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        headers = [("Accept", "text/event-stream")]
        if key is not None:
            headers.append(("X-Goog-Api-Key", key.reveal()))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        return encodeBody(bodyOf(request, self._signatures), profile)

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        return GenerateContentDecoder(provider, refusal, self._signatures)
