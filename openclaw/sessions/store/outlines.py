"""
Outlines of sessions: the texts that tell one session from another.
"""

from collections.abc import Iterable

from openclaw.interfaces import Outline
from openclaw.messages import Message, UserMessage

OUTLINE_CHARACTERS = 128 * 1024
"""
Limit of an outline, in characters.  A single longer answer is kept whole.
"""

READ_CHARACTERS = 16 * 1024 * 1024
"""
Limit of the characters that are read for an outline.
"""

FIRST_CHARACTERS = 64 * 1024
"""
Limit of the first message in an outline, in characters; a longer one is left out.
"""

_USER = UserMessage("")


def buildOutline(
    rows: Iterable[tuple[int, Message | None]], first: Message | None
) -> Outline:
    """
    Build the outline of a session.

    @param rows: The session's messages, newest first, without tool results: the length
        of each in characters, and the message, or C{None} for a user's.  Only as many
        as needed are read.

    @param first: See L{Outline}.
    """
    found: list[Message] = []
    kept = read = 0
    complete = True
    for size, message in rows:
        if read > READ_CHARACTERS or (message is None and kept > OUTLINE_CHARACTERS):
            complete = False
            break
        read += size
        if message is not None:
            kept += size
        found.append(_USER if message is None else message)
    return Outline(found[::-1], complete, first, read)
