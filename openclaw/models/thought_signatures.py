"""
Bind a model's thoughts to the provider and model that made them.

What a provider wants back with an answer is in a cipher of its own, and others, be
it the same API elsewhere or another model, refuse it.  So it is kept with the name of
the model that made it, and goes back to none but that one.
"""

from collections.abc import Iterable, Sequence

import msgspec

from openclaw.interfaces import ModelReply
from openclaw.messages import (
    AssistantMessage,
    Message,
    Thought,
    ToolCall,
    UserMessage,
)
from openclaw.transcript import isPlain

_END = "\n"


def bindThoughts(reply: ModelReply, owner: str) -> ModelReply:
    """
    An answer as it is to be kept.

    @param owner: The provider's name and the model's.
    """
    if not reply.thoughts and not any(call.signature for call in reply.toolCalls):
        return reply
    mark = owner + _END
    return msgspec.structs.replace(
        reply,
        thoughts=tuple(
            Thought(thought.text, mark + thought.signature)
            for thought in reply.thoughts
        ),
        toolCalls=tuple(
            _signed(call, mark + call.signature) if call.signature else call
            for call in reply.toolCalls
        ),
    )


def selectThoughts(messages: Sequence[Message], owner: str) -> Sequence[Message]:
    """
    A conversation as its next reader may have it: with the thoughts that are its own,
    and of those only what came since the user last spoke.  Older ones are of no use to
    anyone, and a provider that no longer knows them would refuse them.
    """
    if isPlain(messages):
        return messages
    mark = owner + _END
    latest = max(
        (
            index
            for index, message in enumerate(messages)
            if isinstance(message, UserMessage)
        ),
        default=-1,
    )
    return [
        _select(message, mark, index > latest)
        if isinstance(message, AssistantMessage)
        else message
        for index, message in enumerate(messages)
    ]


def _select(message: AssistantMessage, mark: str, isLate: bool) -> AssistantMessage:
    if not message.thoughts and not any(call.signature for call in message.tool_calls):
        return message
    return msgspec.structs.replace(
        message,
        thoughts=tuple(_owned(message.thoughts, mark)) if isLate else (),
        tool_calls=tuple(
            _signed(
                call,
                call.signature.removeprefix(mark)
                if call.signature.startswith(mark)
                else "",
            )
            for call in message.tool_calls
        ),
    )


def _owned(thoughts: Iterable[Thought], mark: str) -> Iterable[Thought]:
    for thought in thoughts:
        if thought.signature.startswith(mark):
            yield Thought(thought.text, thought.signature.removeprefix(mark))


def _signed(call: ToolCall, signature: str) -> ToolCall:
    return ToolCall(call.id, call.name, call.arguments, signature)
