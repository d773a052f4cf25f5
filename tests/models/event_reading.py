"""
Decoding of responses like a call, for tests of decoders.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import AnyStr

import msgspec
from hypothesis import strategies as st

from openclaw.errors import OpenClawError
from openclaw.events import ReasoningDelta, TextDelta, ToolCallDelta
from openclaw.interfaces import ModelReply
from openclaw.messages import ToolCall
from openclaw.models.provider import Dialect
from openclaw.models.provider_errors import providerError
from openclaw.models.think_tags import splitUnopened
from openclaw.models.upstream_call import ReplyDecoder

MADE = "made"
"""
A placeholder for ids of calls that were generated here.
"""


@dataclass
class Outcome:
    """
    The result of a response.

    @ivar text: The text of all events.
    @ivar thought: The reasoning of all events.
    @ivar calls: The calls of all events.
    @ivar end: The reply, or the class and message of the error.
    """

    text: str
    thought: str
    calls: tuple[ToolCall, ...]
    end: ModelReply | tuple[type[OpenClawError], str]

    def isPrefixOf(self, whole: "Outcome") -> bool:
        """
        Return whether this may be the result of the beginning of the other's response.
        """
        return (
            whole.text.startswith(self.text)
            and whole.thought.startswith(self.thought)
            and len(self.calls) <= len(whole.calls)
            and all(
                part.id == call.id and call.arguments.startswith(part.arguments)
                for part, call in zip(self.calls, whole.calls, strict=False)
            )
        )


def outcomeOf(decoder: ReplyDecoder, pieces: Iterable[bytes]) -> Outcome:
    """
    Decode a response until it is complete, or has ended.
    """
    events = []
    for piece in pieces:
        events += decoder.feed(piece)
        if decoder.complete:
            break
    events += decoder.finish()
    text = "".join(event.text for event in events if type(event) is TextDelta)
    thought = "".join(event.text for event in events if type(event) is ReasoningDelta)
    calls = _callsIn([event for event in events if type(event) is ToolCallDelta])
    try:
        end = decoder.reply()
        # A thought that nothing opens is known too late for the stream.
        told = (text, splitUnopened(text)[1])
        assert end.text in told, "the reply is what was told"
        assert [call.id for call in end.toolCalls] == [call.id for call in calls]
        if end.finishReason == "tool_calls":
            assert tuple(map(unsigned, end.toolCalls)) == calls, "calls are as told"
    except OpenClawError as error:
        end = (type(error), error.message)
    return Outcome(text, thought, calls, end)


def decoderOf(dialect: Dialect) -> ReplyDecoder:
    """
    Return a decoder of one response of a provider C{vendor}.
    """
    return dialect.decoder("vendor", partial(providerError, "vendor"))


def understood(dialect: Callable[[], Dialect], *pieces: bytes) -> Outcome:
    """
    Decode a response; generated ids become L{MADE}.
    """
    outcome = outcomeOf(decoderOf(dialect()), pieces)
    end = outcome.end
    if isinstance(end, ModelReply):
        end = msgspec.structs.replace(end, toolCalls=_unmade(end.toolCalls))
    return replace(outcome, calls=_unmade(outcome.calls), end=end)


def _unmade(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    return tuple(
        msgspec.structs.replace(call, id=MADE)
        if re.fullmatch("call_[0-9a-f]{24}", call.id)
        else call
        for call in calls
    )


def failure(
    dialect: Callable[[], Dialect], *described: dict[str, object]
) -> OpenClawError:
    """
    Decode events that must result in an error.

    @return: The error.
    """
    decoder = decoderOf(dialect())
    decoder.feed(events(*described))
    decoder.finish()
    try:
        reply = decoder.reply()
    except OpenClawError as error:
        return error
    raise AssertionError(f"it is an answer: {reply.text!r}")


def unsigned(call: ToolCall) -> ToolCall:
    """
    Return a call without its signature.
    """
    return ToolCall(call.id, call.name, call.arguments)


def _callsIn(deltas: Sequence[ToolCallDelta]) -> tuple[ToolCall, ...]:
    calls: list[list[str]] = []
    for delta in deltas:
        if delta.id is not None:
            assert delta.index == len(calls), "calls are numbered from 0"
            assert delta.name, "a call begins with its name"
            calls.append([delta.id, delta.name, ""])
        else:
            assert delta.name is None, "a name is told once"
            assert delta.arguments, "an event tells something"
        calls[delta.index][2] += delta.arguments
    return tuple(ToolCall(*call) for call in calls)


def cut(whole: AnyStr, places: Iterable[int]) -> list[AnyStr]:
    """
    Split bytes or text into pieces.
    """
    bounds = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(bounds)]


def places(limit: int) -> st.SearchStrategy[Sequence[int]]:
    """
    Positions for L{cut}: arbitrary, in two or many pieces, or single bytes.
    """
    return st.lists(st.integers(0, limit), max_size=12) | st.just(range(limit))


def events(*described: dict[str, object]) -> bytes:
    """
    Return objects as server-sent events, named by their types.
    """
    return b"".join(
        b"event: %s\ndata: %s\n\n"
        % (str(event["type"]).encode(), msgspec.json.encode(event))
        for event in described
    )


__all__ = [
    "MADE",
    "Outcome",
    "cut",
    "decoderOf",
    "events",
    "failure",
    "outcomeOf",
    "places",
    "understood",
    "unsigned",
]
