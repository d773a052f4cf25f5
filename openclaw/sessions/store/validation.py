"""
Validation that all session stores share.
"""

from collections.abc import Sequence

from openclaw.errors import InvalidRequest, StoreError
from openclaw.interfaces import Summary
from openclaw.messages import Message, strayResult

MAX_LOADED_BYTES = 16 * 1024 * 1024
"""
Limit of the bytes of a session that are loaded for a turn: the largest image with the
messages about it, or four million tokens.
"""

MAX_LOADED_MESSAGES = 20_000

SHOWN_ID_LENGTH = 64
"""
Limit of the characters of a tool call's id in an error.  The caller may have sent an id
of any length.
"""


def checkResults(messages: Sequence[Message], start: int) -> None:
    """
    Reject tool results without a call.

    @param messages: The visible messages of a session, including the new ones.
    @param start: The index of the first new message.

    @raise InvalidRequest: A new message is a result without a call.
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
    Reject a summary of more messages than the session has, or of fewer than the newest
    summary.

    @param latest: The number of messages that the newest summary replaces.
    @param length: The number of messages in the session.

    @raise StoreError: The summary is rejected.
    """
    if not latest <= summary.messageCount <= length:
        raise StoreError("The summary does not fit the session's transcript.")
