"""
Events of a run, as its listener receives them.

The set is closed.  Events come synchronously and in batches: all that one read
of the upstream socket brought is one batch, so a listener can answer it with one
write.  How the run ended is no event: it is what
L{openclaw.agents.run.AgentRun.done} fires with.
"""

from collections.abc import Callable, Sequence

import msgspec


class RunStarted(msgspec.Struct, frozen=True, gc=False):
    """
    The run left the queue: it has its session and is about to ask the model.
    Always the first event, and sent once.
    """


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The model said some more of its answer.
    """

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The model thought aloud; no part of the answer.
    """

    text: str


class ToolCallDelta(msgspec.Struct, frozen=True, gc=False):
    """
    The model wrote some more of a tool call.  From a run these are the client's own
    calls only.

    @ivar index: Which of the answer's calls it is, from 0.
    @ivar id: The call's id, with its first delta; C{None} with the others.
    @ivar name: The function's name, with the first delta; C{None} with the others.
    @ivar arguments: The next piece of the arguments' JSON text, which may be empty.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


class ToolProgress(msgspec.Struct, frozen=True, gc=False):
    """
    One of the agent's own tools began its work, or ended it.

    @ivar id: The call's id.
    @ivar tool: The tool's name.
    @ivar outcome: How it ended: C{ok}, C{refused} or C{failed}; C{None} when it
        begins.
    """

    id: str
    tool: str
    outcome: str | None


RunEvent = RunStarted | TextDelta | ReasoningDelta | ToolCallDelta | ToolProgress
ModelEvent = TextDelta | ReasoningDelta | ToolCallDelta
"""
The events that a model call can produce; a run passes them on as they are.
"""

RunListener = Callable[[Sequence[RunEvent]], None]
ModelListener = Callable[[Sequence[ModelEvent]], None]

__all__ = [
    "ModelEvent",
    "ModelListener",
    "ReasoningDelta",
    "RunEvent",
    "RunListener",
    "RunStarted",
    "TextDelta",
    "ToolCallDelta",
    "ToolProgress",
]
