"""
Log lines of runs and of requests for embeddings.
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
class RunAccount(msgspec.Struct, frozen=True, kw_only=True):
    """
    A run that is over.  As text it is one line of C{key=value}; it is only made into
    that, or into JSON, by the log that wants it.

    @ivar run: The run's id.
    @ivar request: The id of the request that it answered, if it was one over HTTP.
    @ivar caller: Who asked.
    @ivar model: The model that answered, or was asked last, as C{provider/id}.
    @ivar outcome: Why the answer ended, or the error's code.
    @ivar callerGone: Did the caller go away before the end?
    @ivar queueSeconds: Until it had its session and its place.
    @ivar firstSeconds: Until it had something to say, if it ever had.
    @ivar totalSeconds: Until its end.
    @ivar usage: What it spent, as far as that is known.
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
            f" caller={_word(self.caller)} agent={self.agent}"
            f" session={_word(self.session)} model={_word(self.model)}"
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
        if self.error is not None:
            line += f" error={json.dumps(self.error)}"
        return line

    def fields(self) -> dict[str, Any]:
        """
        See L{IStructured.fields}.
        """
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
            "error": self.error,
        }


@implementer(IStructured)
class EmbeddingAccount(msgspec.Struct, frozen=True, kw_only=True):
    """
    A call for embeddings that is over: likewise.

    @ivar request: The id of the request that it answered.
    @ivar caller: Who asked.
    @ivar model: The model, as C{provider/id}.
    @ivar inputs: How many texts there were.
    @ivar outcome: C{done}, or the error's code.
    @ivar callerGone: Did the caller go away before the end?
    @ivar totalSeconds: Until its end.
    @ivar tokens: What the model has read, as far as its provider says so.
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
            f" caller={_word(self.caller)} agent={self.agent}"
            f" model={_word(self.model)} inputs={self.inputs}"
            f" outcome={self.outcome} gone={'yes' if self.callerGone else 'no'}"
            f" total_ms={self.totalSeconds * 1000:.1f} tokens_in={self.tokens}"
        )
        if self.error is not None:
            line += f" error={json.dumps(self.error)}"
        return line

    def fields(self) -> dict[str, Any]:
        """
        See L{IStructured.fields}.
        """
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


def _word(text: str | None) -> str:
    """
    A value that ends at the next blank: whatever does not is put into quotes.
    """
    if not text:
        return "-"
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
