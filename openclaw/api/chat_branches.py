"""
Choose the session that continues a chat whose user may have edited earlier messages.

In a chat program, users can edit a message or have an answer regenerated. The program
then sends the chat as it is now, while the session has the earlier version, and
transcripts are never rewritten. Such a request continues in another session: a branch,
which starts with the chat as sent. A user who returns to the earlier version is in the
earlier session again.

Branches are compared by the assistant's texts only, since programs add to the user's
messages, such as documents.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from openclaw.agents.run_request import RunRequest
from openclaw.api.client_headers import RunHeaders
from openclaw.interfaces import Outline
from openclaw.messages import AssistantMessage, Message, UserMessage
from openclaw.sessions.session_keys import statelessKey

MAX_BRANCHES = 64
"""
Limit of branches of a chat. Beyond it a request runs without a session.
"""

MAX_SEARCHED_CHARACTERS = 64 * 1024 * 1024
"""
Limit of characters in the sessions that are searched. Beyond it a request runs without
a session.
"""

COMPARED_ANSWERS = 100
COMPARED_CHARACTERS = 4000
"""
The number of last answers that are compared, and of the characters at the beginning and
at the end of each.
"""

Outlines = Callable[[str], Awaitable[Outline]]
"""
Reads the outline of a session; one without messages if the session does not exist.
"""


def mayBranch(headers: RunHeaders, run: RunRequest) -> bool:
    """
    Return whether a run may belong to another branch of its chat.
    """
    return (
        run.stateful
        and headers.session is None
        and headers.chatSessionName() is not None
        # Otherwise the program may send new messages only.
        and (headers.task is not None or bool(_assistantTexts(run.opening)))
    )


async def selectBranch(run: RunRequest, outlines: Outlines) -> RunRequest:
    """
    Choose the session of the branch that a run continues.

    @param run: The run, in the session of the chat's first branch.
    """
    sentTexts = _assistantTexts(run.opening)
    charactersLeft = MAX_SEARCHED_CHARACTERS
    for number in range(1, MAX_BRANCHES + 1):
        suffix = "" if number == 1 else f":{number}"
        key = run.sessionKey + suffix
        outline = await outlines(key)
        if not outline.messages or _continues(outline, run.opening, sentTexts):
            return replace(run, sessionKey=key)
        charactersLeft -= outline.size
        if charactersLeft < 0:
            break
    key = statelessKey(run.agent.id, run.namespace)
    return replace(run, sessionKey=key, stateful=False)


def _continues(
    outline: Outline, sent: Sequence[Message], sentTexts: Sequence[str]
) -> bool:
    """
    Return whether a request's messages continue a session.
    """
    texts = _assistantTexts(outline.messages)
    count = min(len(texts), len(sentTexts))
    if _comparisonKeys(texts, count) != _comparisonKeys(sentTexts, count):
        return False
    if len(texts) == len(sentTexts):
        return True
    if len(texts) < len(sentTexts):
        return bool(texts) and not outline.complete
    # A program may omit the beginning of a long chat.
    return bool(sentTexts) and not _sameBeginning(outline, sent)


def _sameBeginning(outline: Outline, sent: Sequence[Message]) -> bool:
    first = next((each for each in sent if isinstance(each, UserMessage)), None)
    if not isinstance(outline.first, UserMessage):
        # The outline omits a first message that is too long.
        return first is not None and len(first.text) > COMPARED_CHARACTERS
    return first is not None and _comparisonKey(first.text) == _comparisonKey(
        outline.first.text
    )


def _assistantTexts(conversation: Sequence[Message]) -> list[str]:
    """
    Return the assistant's text between each two user messages.
    """
    texts: list[str] = []
    pieces: list[str] = []
    for message in [*conversation, UserMessage("")]:
        if isinstance(message, AssistantMessage):
            pieces.append(message.content)
        elif isinstance(message, UserMessage):
            if any(piece and not piece.isspace() for piece in pieces):
                texts.append(" ".join(pieces))
            pieces.clear()
    return texts


def _comparisonKeys(texts: Sequence[str], count: int) -> list[tuple[str, str]]:
    count = min(count, COMPARED_ANSWERS)
    return [_comparisonKey(answer) for answer in texts[len(texts) - count :]]


def _comparisonKey(text: str) -> tuple[str, str]:
    """
    Return the beginning and the end of a text, without whitespace.
    """
    # Twice as much, since whitespace is removed.
    begin = "".join(text.lstrip()[: 2 * COMPARED_CHARACTERS].split())
    end = "".join(text.rstrip()[-2 * COMPARED_CHARACTERS :].split())
    return begin[:COMPARED_CHARACTERS], end[-COMPARED_CHARACTERS:]
