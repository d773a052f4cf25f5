"""
Log lines of runs and of embedding requests.
"""

import json
import re
from typing import Any

import msgspec
from zope.interface import implementer

from openclaw.log_formats import IStructured
from openclaw.messages import Usage

_PLAIN = re.compile(r"[\w./:@+*~-]+")


@implementer(IStructured)
class RunLogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    A run that ended.  Formatted only when a log writes it: as one line of C{key=value},
    or as JSON.

    @ivar run: The run's id.
    @ivar request: The id of the HTTP request, if there was one.
    @ivar caller: The authenticated caller.
    @ivar model: The model that answered, or was called last, as C{provider/id}.
    @ivar outcome: The finish reason, or the error's code.
    @ivar callerGone: The client disconnected before the end.
    @ivar queueSeconds: The wait for a slot and for the session.
    @ivar firstSeconds: The time to the first output, if there was any.
    @ivar totalSeconds: The whole duration.
    @ivar usage: The tokens, as far as providers report them.
    @ivar error: The error's message.
    """

    run: str
    request: str | None
    caller: str | None
    agent: str
    session: str
    model: str | None
    outcome: str
    callerGone: bool
    queueSeconds: float
    firstSeconds: float | None
    totalSeconds: float
    usage: Usage
    error: str | None = None

    def __str__(self) -> str:
        usage, first = self.usage, self.firstSeconds
        line = (
            f"run={self.run} request={self.request or '-'}"
            f" caller={_quoteValue(self.caller)} agent={self.agent}"
            f" session={_quoteValue(self.session)} model={_quoteValue(self.model)}"
            f" outcome={self.outcome} gone={'yes' if self.callerGone else 'no'}"
            f" queue_ms={self.queueSeconds * 1000:.1f}"
            f" first_ms={'-' if first is None else format(first * 1000, '.1f')}"
            f" total_ms={self.totalSeconds * 1000:.1f}"
            f" tokens_in={usage.prompt_tokens} tokens_out={usage.completion_tokens}"
        )
        if usage.cached_tokens:
            line += f" cached={usage.cached_tokens}"
        if usage.reasoning_tokens:
            line += f" reasoning={usage.reasoning_tokens}"
        if usage.estimated:
            line += " estimated=yes"
        if self.error is not None:
            line += f" error={json.dumps(self.error)}"
        return line

    def fields(self) -> dict[str, Any]:
        usage, first = self.usage, self.firstSeconds
        return {
            "message": "run ended",
            "run": self.run,
            "request": self.request,
            "caller": self.caller,
            "agent": self.agent,
            "session": self.session,
            "model": self.model,
            "outcome": self.outcome,
            "gone": self.callerGone,
            "queue_ms": round(self.queueSeconds * 1000, 1),
            "first_ms": None if first is None else round(first * 1000, 1),
            "total_ms": round(self.totalSeconds * 1000, 1),
            "tokens_in": usage.prompt_tokens,
            "tokens_out": usage.completion_tokens,
            "cached": usage.cached_tokens,
            "reasoning": usage.reasoning_tokens,
            "estimated": usage.estimated,
            "error": self.error,
        }


@implementer(IStructured)
class EmbeddingLogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    An embedding request that ended.

    @ivar request: The id of the HTTP request.
    @ivar caller: The authenticated caller.
    @ivar model: The model, as C{provider/id}.
    @ivar inputs: The number of texts.
    @ivar outcome: C{done}, or the error's code.
    @ivar callerGone: The client disconnected before the end.
    @ivar totalSeconds: The duration.
    @ivar tokens: The tokens read, if the provider reports them.
    @ivar error: The error's message.
    """

    request: str | None
    caller: str | None
    agent: str
    model: str
    inputs: int
    outcome: str
    callerGone: bool
    totalSeconds: float
    tokens: int
    error: str | None = None

    def __str__(self) -> str:
        line = (
            f"kind=embeddings request={self.request or '-'}"
            f" caller={_quoteValue(self.caller)} agent={self.agent}"
            f" model={_quoteValue(self.model)} inputs={self.inputs}"
            f" outcome={self.outcome} gone={'yes' if self.callerGone else 'no'}"
            f" total_ms={self.totalSeconds * 1000:.1f} tokens_in={self.tokens}"
        )
        if self.error is not None:
            line += f" error={json.dumps(self.error)}"
        return line

    def fields(self) -> dict[str, Any]:
        return {
            "message": "embeddings ended",
            "kind": "embeddings",
            "request": self.request,
            "caller": self.caller,
            "agent": self.agent,
            "model": self.model,
            "inputs": self.inputs,
            "outcome": self.outcome,
            "gone": self.callerGone,
            "total_ms": round(self.totalSeconds * 1000, 1),
            "tokens_in": self.tokens,
            "error": self.error,
        }


def _quoteValue(text: str | None) -> str:
    """
    Quote a value, unless it ends at the next blank.
    """
    if not text:
        return "-"
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
