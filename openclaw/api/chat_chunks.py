"""
Encode a run's result as OpenAI's chat completion, whole or in chunks, without I/O.

Both forms come from one L{CompletionEncoder}, so they agree. The shapes follow
U{https://platform.openai.com/docs/api-reference/chat/object} and
U{https://platform.openai.com/docs/api-reference/chat/streaming}.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from openclaw import __version__
from openclaw.agents.recorded_run import RecordedRun
from openclaw.agents.turns import RunResult
from openclaw.api.call_state import encodeState
from openclaw.errors import OpenClawError
from openclaw.events import (
    LogprobsDelta,
    ReasoningDelta,
    RefusalDelta,
    RunEvent,
    TextDelta,
    ToolCallDelta,
    ToolProgress,
)
from openclaw.messages import ToolCall, Usage
from openclaw.server.error_responses import buildErrorBody

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"
FINGERPRINT = f"openclaw-{__version__}"

_encode = msgspec.json.encode

_TEXT = b'[{"index":0,"delta":{"content":'
_THOUGHT = b'[{"index":0,"delta":{"reasoning_content":'
_REFUSAL = b'[{"index":0,"delta":{"refusal":'
_EMPTY = b'[{"index":0,"delta":{'
_TAIL = b'},"logprobs":null,"finish_reason":null}]}\n\n'
_TAIL_START = b'},"logprobs":'
_TAIL_END = b',"finish_reason":null}]}\n\n'

_LINE_ENDS = tuple(
    (character.encode(), rf"\u{ord(character):04x}".encode())
    for character in "\u0085\u2028\u2029"
)
"""
Characters that are valid in JSON, but at which some clients split lines.
"""


@dataclass(frozen=True, kw_only=True)
class CompletionFormat:
    """
    The options of a completion.

    @ivar created: Seconds since the epoch.
    @ivar model: The model string, as the client sent it.
    @ivar stream: Stream the completion in chunks.
    @ivar includeUsage: End a stream with a usage chunk.
    @ivar reasoning: Include the model's reasoning.
    @ivar tools: Include the progress of the agent's own tools.
    """

    completionID: str
    created: int
    model: str
    stream: bool = False
    includeUsage: bool = False
    reasoning: bool = False
    tools: bool = False


CompletionFormats = WeakKeyDictionary[RecordedRun, CompletionFormat]
"""
The formats of runs' completions, each kept for as long as clients can subscribe to its
run.
"""


class CompletionEncoder:
    __slots__ = ("_format", "_head", "_logprobs", "_reasoning")

    def __init__(self, wireFormat: CompletionFormat) -> None:
        self._format = wireFormat
        self._reasoning: list[str] | None = [] if wireFormat.reasoning else None
        self._logprobs: list[LogprobsDelta] = []
        # The constant part of chunks, encoded once: 0.4 µs per chunk in place of 6.
        head = _escapeLineEnds(_encode(self._commonMembers("chat.completion.chunk")))
        self._head = b"data: " + head[:-1] + b',"choices":'

    def _commonMembers(self, kind: str) -> dict[str, Any]:
        wireFormat = self._format
        return {
            "id": wireFormat.completionID,
            "created": wireFormat.created,
            "model": wireFormat.model,
            "system_fingerprint": FINGERPRINT,
            "object": kind,
        }

    # Chunks

    def encodeOpening(self) -> bytes:
        """
        Encode the first frame, with the role.
        """
        return self._chunk({"role": "assistant", "content": ""}, None)

    def encodeEvents(self, events: Sequence[RunEvent]) -> bytes:
        """
        Encode a frame for each event that the client may see.
        """
        pieces: list[bytes] = []
        head = self._head
        for event in events:
            if type(event) is TextDelta:
                pieces += (head, _TEXT, _escapeLineEnds(_encode(event.text)), _TAIL)
            elif isinstance(event, ReasoningDelta) and self._reasoning is not None:
                pieces += (head, _THOUGHT, _escapeLineEnds(_encode(event.text)), _TAIL)
            elif isinstance(event, ToolCallDelta):
                pieces.append(
                    self._chunk({"tool_calls": [_toolCallDelta(event)]}, None)
                )
            elif isinstance(event, ToolProgress) and self._format.tools:
                pieces.append(self._progress(event))
            elif isinstance(event, RefusalDelta):
                pieces += (head, _REFUSAL, _escapeLineEnds(_encode(event.text)), _TAIL)
            elif isinstance(event, LogprobsDelta):
                if pieces[-1:] == [_TAIL]:
                    pieces.pop()
                else:
                    pieces += (head, _EMPTY)
                logprobs = _encode(_logprobs([event]))
                pieces += (_TAIL_START, _escapeLineEnds(logprobs), _TAIL_END)
        return b"".join(pieces)

    def encodeEnd(self, result: RunResult) -> bytes:
        """
        Encode the last frames of a completion.
        """
        frames = self._callState(result) + self._chunk({}, result.finishReason)
        if self._format.includeUsage:
            frames += self._head + b'[],"usage":' + _encode(_usageMembers(result.usage))
            frames += b"}\n\n"
        return frames + DONE

    def _callState(self, result: RunResult) -> bytes:
        """
        Encode a frame with the state of the calls, if they have one.
        """
        if not result.toolCalls:
            return b""
        pieces = [
            {"index": index, **members}
            for index, members in enumerate(
                encodeState(result.toolCalls, result.thoughts)
            )
            if members
        ]
        return self._chunk({"tool_calls": pieces}, None) if pieces else b""

    def encodeError(self, error: OpenClawError) -> bytes:
        """
        Encode the last frames of a completion that failed.
        """
        return (
            b"data: " + _escapeLineEnds(_encode(buildErrorBody(error))) + b"\n\n" + DONE
        )

    def _chunk(self, delta: dict[str, Any], finishReason: str | None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finishReason,
        }
        return self._head + _escapeLineEnds(_encode([choice])) + b"}\n\n"

    def _progress(self, event: ToolProgress) -> bytes:
        """
        Encode a chunk with an empty delta, and a member C{openclaw} that other clients
        ignore.
        """
        tool = {
            "id": event.id,
            "name": event.tool,
            "status": event.outcome or "started",
        }
        empty = self._chunk({}, None).removesuffix(b"}\n\n")
        return (
            empty
            + b',"openclaw":'
            + _escapeLineEnds(_encode({"tool": tool}))
            + b"}\n\n"
        )

    # Whole completions

    def collect(self, events: Sequence[RunEvent]) -> None:
        """
        Keep the events that a whole completion needs beside the run's result.
        """
        for event in events:
            if type(event) is LogprobsDelta:
                self._logprobs.append(event)
            elif type(event) is ReasoningDelta and self._reasoning is not None:
                self._reasoning.append(event.text)

    def encodeCompletion(self, result: RunResult) -> bytes:
        return _encode(self.buildCompletion(result))

    def buildCompletion(self, result: RunResult) -> dict[str, Any]:
        """
        Build a whole completion, before JSON encoding.
        """
        message: dict[str, Any] = {
            "role": "assistant",
            "content": result.text
            or (None if result.toolCalls or result.refusal else ""),
            "refusal": result.refusal or None,
        }
        if result.toolCalls:
            state = encodeState(result.toolCalls, result.thoughts)
            message["tool_calls"] = [
                {**_toolCall(call), **members}
                for call, members in zip(result.toolCalls, state, strict=True)
            ]
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(self._logprobs) if self._logprobs else None,
            "finish_reason": result.finishReason,
        }
        return {
            **self._commonMembers("chat.completion"),
            "choices": [choice],
            "usage": _usageMembers(result.usage),
        }


def _logprobs(
    events: Sequence[LogprobsDelta],
) -> dict[str, list[Mapping[str, Any]] | None]:
    found: dict[str, list[Mapping[str, Any]] | None] = {}
    for name, isRefusal in (("content", False), ("refusal", True)):
        tokens = [
            token
            for event in events
            if event.isRefusal == isRefusal
            for token in event.tokens
        ]
        found[name] = tokens or None
    return found


def _toolCallDelta(event: ToolCallDelta) -> dict[str, Any]:
    """
    Build a tool call delta. Clients concatenate repeated members, so ID and name are
    sent once.
    """
    if event.id is None:
        function = {"arguments": event.arguments}
        return {"index": event.index, "function": function}
    return {
        "index": event.index,
        "id": event.id,
        "type": "function",
        "function": {"name": event.name, "arguments": event.arguments},
    }


def _toolCall(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usageMembers(usage: Usage) -> dict[str, Any]:
    members = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    return {**members, "estimated": True} if usage.estimated else members


def _escapeLineEnds(json: bytes) -> bytes:
    """
    Escape the characters that clients may take for line ends.
    """
    if json.isascii():
        return json
    for raw, escaped in _LINE_ENDS:
        json = json.replace(raw, escaped)
    return json
