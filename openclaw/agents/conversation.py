"""
Conversations as models want them: whole, and not longer than they can read.
"""

from collections.abc import Sequence

from openclaw.interfaces import ToolSpec
from openclaw.messages import AssistantMessage, Message, ToolMessage, UserMessage

CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 1000
MESSAGE_TOKENS = 4
NO_RESULT = "There is no result: the call was not answered."
"""
What stands for the result of a call that nobody answered.
"""


def repaired(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Give each tool call a result, and drop results that answer no call: providers
    refuse a conversation in which one is without the other.
    """
    if not any(
        isinstance(message, ToolMessage)
        or (isinstance(message, AssistantMessage) and message.tool_calls)
        for message in messages
    ):
        return messages
    whole: list[Message] = []
    unanswered: dict[str, None] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in unanswered:
                del unanswered[message.tool_call_id]
                whole.append(message)
            continue
        whole += [ToolMessage(callID, NO_RESULT) for callID in unanswered]
        unanswered = {}
        whole.append(message)
        if isinstance(message, AssistantMessage):
            unanswered = dict.fromkeys(call.id for call in message.tool_calls)
    whole += [ToolMessage(callID, NO_RESULT) for callID in unanswered]
    return whole


def tokensOf(message: Message) -> int:
    """
    How many tokens a message is, by a cheap guess: a quarter of its characters.
    """
    match message:
        case UserMessage():
            count = len(message.text)
            images = len(message.images)
        case AssistantMessage():
            count = len(message.content)
            count += sum(
                len(call.name) + len(call.arguments) for call in message.tool_calls
            )
            images = 0
        case ToolMessage():
            count, images = len(message.content), 0
    return count // CHARACTERS_PER_TOKEN + images * IMAGE_TOKENS + MESSAGE_TOKENS


def tokensOfTools(tools: Sequence[ToolSpec]) -> int:
    """
    The same for what a model is told of its tools.
    """
    return sum(len(tool.description) + len(str(tool.parameters)) for tool in tools) // (
        CHARACTERS_PER_TOKEN
    )


def cutPoint(messages: Sequence[Message], budget: int) -> int:
    """
    Where to cut a conversation so that its newest part fits.

    @param budget: In tokens.

    @return: The index of the first message of the newest part.  It is never a tool's
        result, so that calls and results stay together, and never beyond the last
        user message.
    """
    lastAsked = max(
        (i for i, message in enumerate(messages) if isinstance(message, UserMessage)),
        default=0,
    )
    used, start = 0, len(messages)
    for index in range(len(messages) - 1, -1, -1):
        used += tokensOf(messages[index])
        if used > budget and start <= lastAsked:
            break
        if isinstance(messages[index], UserMessage):
            start = index
    return min(start, lastAsked)


__all__ = [
    "NO_RESULT",
    "cutPoint",
    "repaired",
    "tokensOf",
    "tokensOfTools",
]
