"""
Conversations as models want them: whole.
"""

from collections.abc import Sequence

from openclaw.messages import AssistantMessage, Message, ToolMessage
from openclaw.transcript import isPlain

NO_RESULT = "There is no result: the call was not answered."
"""
The text in place of a missing tool result.
"""


def pairToolResults(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Give each tool call a result, and drop results that answer no call: providers
    refuse a conversation in which one is without the other.
    """
    if isPlain(messages):
        return messages
    whole: list[Message] = []
    unanswered: dict[str, None] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in unanswered:
                del unanswered[message.tool_call_id]
                whole.append(message)
            continue
        whole += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
        unanswered = {}
        whole.append(message)
        if isinstance(message, AssistantMessage):
            unanswered = dict.fromkeys(call.id for call in message.tool_calls)
    whole += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
    return whole
