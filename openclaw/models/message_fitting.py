"""
Fit a conversation to a profile: leave out empty messages and join neighbours.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from openclaw.messages import (
    AssistantMessage,
    Message,
    Part,
    TextPart,
    ToolMessage,
    UserMessage,
)
from openclaw.models.profiles import Profile
from openclaw.transcript import PlainTranscript

AFTER_RESULTS = AssistantMessage("I have read the results.")
"""
The message between a tool result and a user's message, for servers that require one.
"""

# Inside a text the quotes would be escaped.
_ROLE = re.compile(rb'\{"role":"(user|assistant)"')
_EMPTY = b'"content":""'


def isFitting(messages: PlainTranscript, profile: Profile) -> bool:
    """
    Return whether a conversation of texts can be sent without decoding it.
    """
    if _EMPTY in messages.encoded:
        return False
    if not profile.requiresAlternation:
        return True
    roles = _ROLE.findall(messages.encoded)
    return all(role != after for role, after in pairwise(roles))


def fitMessages(messages: Sequence[Message], profile: Profile) -> Sequence[Message]:
    """
    Return a conversation as the server accepts it.
    """
    fitting: list[Message] = []
    for message in messages:
        sent = _withoutEmptyParts(message, profile)
        if sent is None:
            continue
        before = fitting[-1] if fitting else None
        if profile.requiresAlternation:
            joined = joinNeighbours(before, sent)
            if joined is not None:
                fitting[-1] = joined
                continue
        if (
            profile.requiresAssistantAfterToolResult
            and isinstance(before, ToolMessage)
            and isinstance(sent, UserMessage)
        ):
            fitting.append(AFTER_RESULTS)
        fitting.append(sent)
    return fitting


def _withoutEmptyParts(message: Message, profile: Profile) -> Message | None:
    """
    @return: C{None} if no part is left.
    """
    if isinstance(message, ToolMessage):
        return message
    if isinstance(message, AssistantMessage):
        isEmpty = not (message.content or message.tool_calls or message.thoughts)
        return None if isEmpty else message
    if isinstance(message.content, str):
        return message if message.content else None
    parts = tuple(
        part
        for part in message.content
        if not isinstance(part, TextPart) or part.text.strip()
    )
    if not parts:
        return None
    if profile.requiresStringContent and all(isinstance(p, TextPart) for p in parts):
        return UserMessage(message.text)
    return message if len(parts) == len(message.content) else UserMessage(parts)


def joinNeighbours(before: Message | None, message: Message) -> Message | None:
    """
    Join two messages of the same role, if possible.

    @return: C{None} if it is not.
    """
    if isinstance(before, UserMessage) and isinstance(message, UserMessage):
        if isinstance(before.content, str) and isinstance(message.content, str):
            return UserMessage(f"{before.content}\n\n{message.content}")
        return UserMessage((*_partsOf(before), *_partsOf(message)))
    if (
        isinstance(before, AssistantMessage)
        and isinstance(message, AssistantMessage)
        and not before.tool_calls
    ):
        texts = [before.content, message.content]
        return AssistantMessage(
            "\n\n".join(filter(None, texts)),
            message.tool_calls,
            (*before.thoughts, *message.thoughts),
        )
    return None


def _partsOf(message: UserMessage) -> tuple[Part, ...]:
    if isinstance(message.content, str):
        return (TextPart(message.content),)
    return message.content
