"""
Bind a model's thoughts to the provider and model that made them.

A signature that a provider requires with later requests is opaque, and rejected by
other models and by the same API elsewhere.  So it is stored with the model's name, and
sent only to that model.
"""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from openclaw.interfaces import ModelReply
from openclaw.messages import (
    AssistantMessage,
    Message,
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
            msgspec.structs.replace(thought, signature=mark + thought.signature)
            for thought in reply.thoughts
        ),
        toolCalls=tuple(
            _withSignature(call, mark + call.signature) if call.signature else call
            for call in reply.toolCalls
        ),
    )


def selectThoughts(messages: Sequence[Message], owner: str) -> Sequence[Message]:
    """
    Select the thoughts to send to a model: its own, since the last user message, and
    lasting ones.  Others are not needed, and the provider may reject them as unknown.
    """
    if isPlain(messages):
        return messages
    marks = (owner + _END, publicOwner(owner) + _END)
    latest = max(
        (
            index
            for index, message in enumerate(messages)
            if isinstance(message, UserMessage)
        ),
        default=-1,
    )
    return [
        _select(message, marks, index > latest)
        if isinstance(message, AssistantMessage)
        else message
        for index, message in enumerate(messages)
    ]


def _select(
    message: AssistantMessage, marks: tuple[str, ...], isLate: bool
) -> AssistantMessage:
    if not message.thoughts and not any(call.signature for call in message.tool_calls):
        return message
    return msgspec.structs.replace(
        message,
        thoughts=tuple(
            msgspec.structs.replace(thought, signature=signature)
            for thought in message.thoughts
            if (isLate or thought.lasting)
            and (signature := _unbound(thought.signature, marks)) is not None
        ),
        tool_calls=tuple(
            _withSignature(call, _unbound(call.signature, marks) or "")
            for call in message.tool_calls
        ),
    )


def _unbound(signature: str, marks: tuple[str, ...]) -> str | None:
    """
    Return the provider's signature, or C{None} if it is another model's.
    """
    if not signature.startswith(marks):
        return None
    return signature.partition(_END)[2]


def publicOwner(owner: str) -> str:
    """
    Return the name of a model for clients, who need not know which one it is.
    """
    return f"#{sha256(owner.encode()).hexdigest()[:16]}"


def splitSignature(signature: str) -> tuple[str, str]:
    """
    Split a bound signature.

    @return: Its owner and the provider's signature.
    """
    owner, _, own = signature.partition(_END)
    return owner, own


def joinSignature(owner: str, signature: str) -> str:
    """
    Bind a signature to an owner, or to what L{publicOwner} returns for it.
    """
    return owner + _END + signature


def _withSignature(call: ToolCall, signature: str) -> ToolCall:
    return ToolCall(call.id, call.name, call.arguments, signature)
