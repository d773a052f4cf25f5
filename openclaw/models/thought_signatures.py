"""
Bind a model's thoughts to the provider and model that made them.

A signature that a provider requires with later requests is opaque, and rejected by
other models and by the same API elsewhere.  So it is stored with the model's name, and
sent only to that model.
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
    Bind a reply's thoughts to its model, for the transcript.

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
            _withSignature(call, mark + call.signature) if call.signature else call
            for call in reply.toolCalls
        ),
    )


def selectThoughts(messages: Sequence[Message], owner: str) -> Sequence[Message]:
    """
    Select the thoughts to send to a model: its own, since the last user message.  Older
    ones are not needed, and the provider may reject them as unknown.
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
        thoughts=tuple(_selectOwn(message.thoughts, mark)) if isLate else (),
        tool_calls=tuple(
            _withSignature(
                call,
                call.signature.removeprefix(mark)
                if call.signature.startswith(mark)
                else "",
            )
            for call in message.tool_calls
        ),
    )


def _selectOwn(thoughts: Iterable[Thought], mark: str) -> Iterable[Thought]:
    for thought in thoughts:
        if thought.signature.startswith(mark):
            yield Thought(thought.text, thought.signature.removeprefix(mark))


def _withSignature(call: ToolCall, signature: str) -> ToolCall:
    return ToolCall(call.id, call.name, call.arguments, signature)
