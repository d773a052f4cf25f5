"""
Events of a run, as its listener receives them.

Events are pushed synchronously and in batches: one batch has the events of one read of
the upstream socket, so that a listener can write them at once.  The end of a run is not
an event: L{openclaw.agents.run.AgentRun.done} fires.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec


class RunStarted(msgspec.Struct, frozen=True, gc=False):
    """
    The run has left the queue and claimed its session.  Always the first event, and
    sent once.
    """


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The next piece of the model's answer.
    """

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The next piece of the model's reasoning, which is not part of the answer.
    """

    text: str


class RefusalDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The next piece of the model's refusal to answer, which comes in place of text.
    """

    text: str


class LogprobsDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The log probabilities of the tokens of the event before.

    @ivar tokens: One entry for each token, as in C{choices[].logprobs.content} of
        OpenAI's API.
    @ivar isRefusal: The tokens are of a refusal.
    """

    tokens: tuple[Mapping[str, Any], ...]
    isRefusal: bool = False


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The next piece of a tool call.  Runs send only calls of the client's tools.

    @ivar index: The index of the call in the answer, from 0.
    @ivar id: The call's id in its first delta; C{None} in the others.
    @ivar name: The function's name in the first delta; C{None} in the others.
    @ivar arguments: The next piece of the arguments' JSON text, which may be empty.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


class ToolProgress(msgspec.Struct, frozen=True, gc=False):
    """
    The start or the end of a call of the agent's own tools.

    @ivar id: The call's id.
    @ivar tool: The tool's name.
    @ivar outcome: C{ok}, C{refused} or C{failed} at the end; C{None} at the start.
    """

    id: str
    tool: str
    outcome: str | None


ModelEvent = TextDelta | ReasoningDelta | RefusalDelta | LogprobsDelta | ToolCallDelta
"""
The events of a model call, which a run passes on unchanged.
"""

RunEvent = RunStarted | ModelEvent | ToolProgress

RunListener = Callable[[Sequence[RunEvent]], None]
ModelListener = Callable[[Sequence[ModelEvent]], None]
