"""
Outlines of sessions: the texts that tell one session from another.
"""

from collections.abc import Iterable

from openclaw.interfaces import Outline
from openclaw.messages import Message, UserMessage

OUTLINE_CHARACTERS = 128 * 1024
"""
Characters of an outline; more only where a single answer is longer.
"""

READ_CHARACTERS = 16 * 1024 * 1024
"""
Characters that are looked through for an outline.
"""

FIRST_CHARACTERS = 64 * 1024
"""
Longest first message that is in an outline, in characters.
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
