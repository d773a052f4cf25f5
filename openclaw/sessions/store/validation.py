"""
Validation that all session stores share.
"""

from collections.abc import Sequence

from openclaw.errors import InvalidRequest, StoreError
from openclaw.interfaces import Summary
from openclaw.messages import Message, strayResult

MAX_LOADED_BYTES = 16 * 1024 * 1024
"""
Bytes of a session that are loaded for a turn: the largest image and what was said about
it, or four million tokens.
"""

MAX_LOADED_MESSAGES = 20_000

SHOWN_ID_LENGTH = 64
"""
Characters of a tool call's id that an error repeats. It is the caller's own text, of
any length.
"""


def checkResults(messages: Sequence[Message], start: int) -> None:
    """
    Refuse results of tools that answer no call.

    @param messages: What is visible of a session, what is new included.
    @param start: Where the new messages begin.

    @raise InvalidRequest: If one of the new messages is such a result.
    """
    stray = strayResult(messages, start)
    if stray is None:
        return
    callID = stray.tool_call_id
    if len(callID) > SHOWN_ID_LENGTH:
        callID = f"{callID[:SHOWN_ID_LENGTH]}…"
    raise InvalidRequest(
        f"`tool_call_id` {callID!r} answers no tool call of the session that is"
        " without a result.",
        param="messages",
    )


def checkSummary(summary: Summary, latest: int, length: int) -> None:
    """
    Refuse a summary of what was never said, and one that would bring back what an
    earlier one stands for.

    @param latest: How many messages the session's newest summary stands for.
    @param length: How many messages there are.

    @raise StoreError: If it is one of these.
    """
    if not latest <= summary.messageCount <= length:
        raise StoreError("The summary does not fit the session's transcript.")
