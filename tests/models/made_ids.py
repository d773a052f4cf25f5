"""
Answers with ids that were made here, for the tests of decoders whose providers may
give none.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from openclaw.interfaces import ModelReply
from openclaw.messages import ToolCall
from openclaw.models.upstream_call import ReplyDecoder
from tests.models.event_reading import Outcome, outcomeOf

MADE = "made"
"""
Stands for an id that was made here.
"""


def understood(decoder: ReplyDecoder, pieces: Iterable[bytes]) -> Outcome:
    """
    Read an answer as a call does; ids that were made for it become L{MADE}.
    """
    outcome = outcomeOf(decoder, pieces)
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


__all__ = ["MADE", "understood"]
