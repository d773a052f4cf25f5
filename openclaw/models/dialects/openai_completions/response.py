"""
Decode responses of the C{openai-completions} dialect.

Follows U{https://platform.openai.com/docs/api-reference/chat}, and accepts deviations
of the many servers with this API: fields may be C{null} or missing, C{[DONE]} or the
C{finish_reason} (not both) may be left out, and a response may be plain though a stream
was requested.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.interfaces import ModelReply, ModelRequest
from openclaw.models.call_matching import CallMatcher, idOf, indexOf
from openclaw.models.dialects.openai_completions.request import bodyOf
from openclaw.models.finish_reasons import isFailure, nearestReason
from openclaw.models.lenient_json import LenientDecoder, parseLeniently, textOf
from openclaw.models.opaque_members import (
    DETAILS,
    callMembers,
    encodeMembers,
    isShallow,
    joinDetails,
    messageMembers,
    thoughtOf,
)
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.request_encoding import encodeBody
from openclaw.models.upstream_call import Refusal, ReplyDecoder

# Responses, as far as they are read


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None  # Moonshot
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_Written = str | list[Any] | dict[str, Any] | None
"""
Text, or parts of it.
"""


class _Text(msgspec.Struct):
    content: _Written = None
    reasoning_content: _Written = None  # DeepSeek, vLLM, llama.cpp
    reasoning: _Written = None  # OpenRouter, Ollama
    reasoning_text: _Written = None  # GitHub Copilot
    refusal: _Written = None
    tool_calls: list[dict[str, Any]] | None = None
    reasoning_details: Any = None  # OpenRouter
    function_call: dict[str, Any] | None = None  # before tool_calls


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    usage: _Usage | None = None  # Moonshot
    error: Any = None  # OpenRouter


class _Groq(msgspec.Struct):
    usage: _Usage | None = None
    error: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    x_groq: _Groq | None = None


_KNOWN = frozenset({"choices", "created", "id", "model", "object", "usage", "x_groq"})
"""
Members of chunks that may be without meaning.
"""

DETAIL_CHARACTERS = 128
"""
Characters charged for a piece of C{reasoning_details}, whose text comes as reasoning,
too.
"""

_THOUGHTS = frozenset({"reasoning", "thinking"})
_CHUNK = LenientDecoder(_Chunk)
_decodeChunk = _CHUNK.decode


class ChatCompletionDecoder(StreamedReply):
    """
    Decodes a response: bytes in, events out; see
    L{openclaw.models.upstream_call.ReplyDecoder}.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal)
        self._thought = bytearray()
        self._thoughtField = ""
        self._matcher = CallMatcher(self.hasWholeArguments)
        self._callMembers: dict[object, dict[str, Any]] = {}
        self._members: dict[str, Any] = {}
        self._details: list[Any] = []
        self._began = False

    def read(self, payload: bytes) -> None:
        """
        Decode one chunk, or a whole completion.
        """
        try:
            chunk = _decodeChunk(payload)
        except (msgspec.DecodeError, UnicodeError):
            chunk = _CHUNK.decodeLeniently(payload)
        choice = None
        if chunk.choices:
            for choice in chunk.choices:
                # Only one was requested.
                if not choice.index:
                    self._readChoice(choice, chunk.error)
                    if self._mayHaveMembers(choice):
                        self._readMembers(payload)
                    break
        if chunk.usage is not None:
            self._count(chunk.usage)
        if chunk.error:
            raise self.reported(chunk.error)
        if (groq := chunk.x_groq) is not None:
            if groq.usage is not None:
                self._count(groq.usage)
            if groq.error:
                raise self.reported(groq.error)
        if choice is None and chunk.usage is None:
            self.readUnknown(payload, _KNOWN)

    def readLate(self, payload: bytes) -> None:
        """
        Decode a chunk after the end marker.
        """
        chunk = _CHUNK.read(payload)
        for each in (chunk, *(chunk.choices or ()), chunk.x_groq):
            if each is not None and each.usage is not None:
                self._count(each.usage)

    def reply(self) -> ModelReply:
        """
        Return the complete reply.  DeepSeek and others require the reasoning that led
        to calls back; its signature is the field in which it came.
        """
        if self._thought:
            self.keepThought(self._thought.decode(), self._thoughtField)
            self._thought.clear()
        members = self._members
        if self._details:
            members = {**members, DETAILS: joinDetails(self._details)}
        for name, value in members.items():
            self.keepThought(*thoughtOf(name, value))
        self._members, self._details = {}, []
        return super().reply()

    def _readChoice(self, choice: _Choice, error: Any) -> None:
        said = choice.delta or choice.message
        if said is not None:
            if thought := said.reasoning_content:
                self._think("reasoning_content", thought)
            elif thought := said.reasoning:
                self._think("reasoning", thought)
            elif thought := said.reasoning_text:
                self._think("reasoning_text", thought)
            if content := said.content:
                if choice.delta is None and type(content) is str:
                    self.sayWhole(content)
                elif type(content) is str:
                    self.say(content)
                else:
                    self._readParts(content)
            if details := said.reasoning_details:
                self._keepDetails(details)
            if refusal := said.refusal:
                self.decline(textOf(refusal))
            if said.tool_calls or said.function_call is not None:
                self._readCalls(said, isWhole=choice.delta is None)
        if choice.logprobs:
            self.score(choice.logprobs)
        if choice.finish_reason:
            self._stop(choice.finish_reason, error or choice.error)
        elif choice.message is not None and self.isUnstreamed:
            # Snowflake sends no reason with a plain response.
            self.finishReason = "stop"
        if choice.usage is not None:
            self._count(choice.usage)

    def _keepDetails(self, details: Any) -> None:
        if isinstance(details, list):
            self._details += filter(isShallow, details)
            self._content += DETAIL_CHARACTERS * len(details)

    def _readParts(self, content: Any) -> None:
        """
        Decode content that consists of parts, as Mistral's.
        """
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, dict) and part.get("type") in _THOUGHTS:
                self.think(textOf(part))
            else:
                self.say(textOf(part))

    def _stop(self, reason: str, error: Any) -> None:
        if error:
            raise self.reported(error)
        if isFailure(reason):
            raise self.brokenOff()
        self.finishReason = nearestReason(reason)

    def _think(self, field: str, thought: Any) -> None:
        text = self.think(thought if type(thought) is str else textOf(thought))
        self._thoughtField = field
        self._thought += text.encode()

    def _readCalls(self, said: _Text, isWhole: bool) -> None:
        for call in said.tool_calls or ():
            self._readCall(call, call.get("function"), isWhole)
        if said.function_call is not None:
            self._readCall({"index": 0}, said.function_call, isWhole)

    def _readCall(self, call: Mapping[str, Any], function: Any, isWhole: bool) -> None:
        """
        @param isWhole: Whether the response is plain, so that each item is a call.
        """
        if not isinstance(function, dict):
            return
        id, index = idOf(call.get("id")), indexOf(call.get("index"))
        name, arguments = idOf(function.get("name")), function.get("arguments")
        key = None if isWhole else self._matcher.find(id, index, name)
        if key is None:
            if not name and not arguments:
                return
            key = self._matcher.begin(id, index, name)
            self.beginCall(key, name, id)
            self._began = True
        if arguments:
            self.continueCall(key, self.argumentsText(arguments))
        if members := callMembers(call):
            known = self._callMembers.setdefault(key, {})
            known |= members
            self.signCall(key, encodeMembers(known))

    def _mayHaveMembers(self, choice: _Choice) -> bool:
        """
        Decide whether to look for members that only the provider understands: not in
        the many chunks that go on with a text or a call.
        """
        said = choice.delta
        if said is None:
            return choice.message is not None
        if said.tool_calls:
            began, self._began = self._began, False
            return began
        return not (
            said.content
            or said.reasoning_content
            or said.reasoning
            or said.reasoning_text
        )

    def _readMembers(self, payload: bytes) -> None:
        """
        Keep what only the provider understands of a message.
        """
        document = parseLeniently(payload)
        for choice in document["choices"]:
            if isinstance(choice, dict) and not choice.get("index"):
                message = choice.get("delta") or choice.get("message")
                if isinstance(message, dict):
                    self._members |= messageMembers(message)
                return

    def _count(self, usage: _Usage) -> None:
        """
        Take the largest counts: some providers send the total so far in each chunk, and
        others zeros before or after the right ones.
        """
        prompt = usage.prompt_tokens_details or _PromptDetails()
        completion = usage.completion_tokens_details or _CompletionDetails()
        self.countAtLeast(
            usage.prompt_tokens,
            usage.completion_tokens,
            prompt.cached_tokens
            or usage.cached_tokens
            or usage.prompt_cache_hit_tokens,
            completion.reasoning_tokens,
        )


class OpenAICompletions:
    """
    The dialect; see L{openclaw.models.provider.Dialect}.  Its base URL includes the
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
