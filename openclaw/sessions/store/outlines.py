"""
Outlines of sessions: what is read to tell one session from another.
"""

from collections.abc import Iterable

from openclaw.interfaces import Outline
from openclaw.messages import Message, UserMessage

OUTLINE_CHARACTERS = 128 * 1024
"""
How much of what the assistant said is in an outline, and more only where a single
answer is longer.
"""

READ_CHARACTERS = 16 * 1024 * 1024
"""
How much is looked through for an outline.
"""

FIRST_CHARACTERS = 64 * 1024
"""
How long the first message may be, to be in one.
"""

_USER = UserMessage("")


def outlineOf(
    rows: Iterable[tuple[int, Message | None]], first: Message | None
) -> Outline:
    """
    Make the outline of a session.

    @param rows: Its messages, the newest first, without results of tools: the length
        of each in characters, and what it is, or C{None} for a user's.  They are not
        read further than it takes.

    @param first: See L{Outline}.
    """
    found: list[Message] = []
    said = read = 0
    complete = True
    for size, message in rows:
        if read > READ_CHARACTERS or (message is None and said > OUTLINE_CHARACTERS):
            complete = False
            break
        read += size
        if message is not None:
            said += size
        found.append(_USER if message is None else message)
    return Outline(found[::-1], complete, first, read)


__all__ = ["FIRST_CHARACTERS", "OUTLINE_CHARACTERS", "READ_CHARACTERS", "outlineOf"]
