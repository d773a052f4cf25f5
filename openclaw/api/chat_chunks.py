"""
A run's answer in OpenAI's wire form, whole or in chunks, without I/O.

Both forms come from the same L{Reply}, so they cannot disagree.  The shapes follow
U{https://platform.openai.com/docs/api-reference/chat/object} and
U{https://platform.openai.com/docs/api-reference/chat/streaming}.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from openclaw import __version__
from openclaw.agents.recorded_run import RecordedRun
from openclaw.agents.turns import RunResult
from openclaw.errors import OpenClawError
from openclaw.events import (
    ReasoningDelta,
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
_TAIL = b'},"logprobs":null,"finish_reason":null}]}\n\n'

_LINE_ENDS = tuple(
    (character.encode(), rf"\u{ord(character):04x}".encode())
    for character in "\u0085\u2028\u2029"
)
"""
Characters that JSON allows as they are, but at which some clients split lines.
"""


@dataclass(frozen=True, kw_only=True)
class ReplyForm:
    """
    The parts of a reply that stay the same in each of its forms.

    @ivar created: Seconds since the epoch.
    @ivar model: The model string, as the caller sent it.
    @ivar stream: In chunks?
    @ivar includeUsage: Put a usage chunk at the end of a stream.
    @ivar reasoning: Tell what the model thinks, too.
    @ivar tools: Tell what the agent's own tools do, too.
    """

    completionID: str
    created: int
    model: str
    stream: bool = False
    includeUsage: bool = False
    reasoning: bool = False
    tools: bool = False


ReplyForms = WeakKeyDictionary[RecordedRun, ReplyForm]
"""
The forms of the replies to runs, each for as long as others can listen to its run.
"""


class Reply:
    """
    The answer to one request.
    """

    __slots__ = ("_form", "_head", "_reasoning")

    def __init__(self, form: ReplyForm) -> None:
        self._form = form
        self._reasoning: list[str] | None = [] if form.reasoning else None
        # All that is the same in each delta's chunk: 0.4 µs a chunk, not 6.
        head = _safe(_encode(self._common("chat.completion.chunk")))
        self._head = b"data: " + head[:-1] + b',"choices":'

    def _common(self, kind: str) -> dict[str, Any]:
        form = self._form
        return {
            "id": form.completionID,
            "created": form.created,
            "model": form.model,
            "system_fingerprint": FINGERPRINT,
            "object": kind,
        }

    # In chunks

    def opening(self) -> bytes:
        """
        The first frame, with the role.
        """
        return self._chunk({"role": "assistant", "content": ""}, None)

    def deltas(self, events: Sequence[RunEvent]) -> bytes:
        """
        One frame for each event that the caller may see.
        """
        pieces: list[bytes] = []
        head = self._head
        for event in events:
            if type(event) is TextDelta:
                pieces += (head, _TEXT, _safe(_encode(event.text)), _TAIL)
            elif isinstance(event, ReasoningDelta) and self._reasoning is not None:
                pieces += (head, _THOUGHT, _safe(_encode(event.text)), _TAIL)
            elif isinstance(event, ToolCallDelta):
                pieces.append(self._chunk({"tool_calls": [_wireDelta(event)]}, None))
            elif isinstance(event, ToolProgress) and self._form.tools:
                pieces.append(self._progress(event))
        return b"".join(pieces)

    def closing(self, result: RunResult) -> bytes:
        """
        The last frames of an answer.
        """
        frames = self._chunk({}, result.finishReason)
        if self._form.includeUsage:
            frames += self._head + b'[],"usage":' + _encode(_usage(result.usage))
            frames += b"}\n\n"
        return frames + DONE

    def failing(self, error: OpenClawError) -> bytes:
        """
        The last frames of an answer that broke off.
        """
        return b"data: " + _safe(_encode(buildErrorBody(error))) + b"\n\n" + DONE

    def _chunk(self, delta: dict[str, Any], finishReason: str | None) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finishReason,
        }
        return self._head + _safe(_encode([choice])) + b"}\n\n"

    def _progress(self, event: ToolProgress) -> bytes:
        """
        A chunk that says nothing, for clients that know no more, with a member of
        ours.
        """
        tool = {
            "id": event.id,
            "name": event.tool,
            "status": event.outcome or "started",
        }
        nothing = self._chunk({}, None).removesuffix(b"}\n\n")
        return nothing + b',"openclaw":' + _safe(_encode({"tool": tool})) + b"}\n\n"

    # Whole

    def listen(self, events: Sequence[RunEvent]) -> None:
        """
        Keep what the whole answer needs beside the run's result.
        """
        if self._reasoning is not None:
            for event in events:
                if isinstance(event, ReasoningDelta):
                    self._reasoning.append(event.text)

    def whole(self, result: RunResult) -> bytes:
        """
        The body of a plain answer.
        """
        return _encode(self.document(result))

    def document(self, result: RunResult) -> dict[str, Any]:
        """
        The same, before it is made JSON.
        """
        message: dict[str, Any] = {
            "role": "assistant",
            "content": result.text or (None if result.toolCalls else ""),
            "refusal": None,
        }
        if result.toolCalls:
            message["tool_calls"] = [_wireCall(call) for call in result.toolCalls]
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": result.finishReason,
        }
        return {
            **self._common("chat.completion"),
            "choices": [choice],
            "usage": _usage(result.usage),
        }


def _wireDelta(event: ToolCallDelta) -> dict[str, Any]:
    """
    A piece of a tool call.  Accumulators join what is repeated, so id and name come
    once.
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


def _wireCall(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _safe(json: bytes) -> bytes:
    """
    Escape what clients would take for the end of a line.
    """
    if json.isascii():
        return json
    for raw, escaped in _LINE_ENDS:
        json = json.replace(raw, escaped)
    return json
