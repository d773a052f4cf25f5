"""
Requests with so many messages that processing all of them takes long.

20,000 messages with tool calls took the reactor 150 ms, a few µs for each.  In a thread
the same work delays the reactor by a few milliseconds at a time.
"""

from collections.abc import Sequence

from openclaw.messages import AssistantMessage, Message
from openclaw.transcript import PlainTranscript

LARGE_MESSAGES = 1000
"""
The number of messages and tool calls that take about 10 ms to process.
"""


def isLarge(messages: Sequence[Message]) -> bool:
    """
    Return whether work on all messages belongs in a thread.
    """
    if isinstance(messages, PlainTranscript):
        # Its JSON is sent without decoding.
        return False
    count = len(messages)
    for message in messages:
        if type(message) is AssistantMessage and message.tool_calls:
            count += len(message.tool_calls)
    return count > LARGE_MESSAGES
