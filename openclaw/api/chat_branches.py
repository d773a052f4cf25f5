"""
Choose the session that a chat goes on with, where its user may have gone back in it.

In a chat program one can edit what one said, or have an answer made again.  The program
then sends the chat as it is now, while the session still holds what was there before,
and no transcript is rewritten.  So such a request goes on in a session beside the first
one: a branch, that begins with the chat as the program has it.  Who goes back to the
old version of the chat is in the old session again.

What tells the branches apart is what the assistant said: programs add to what people
say, such as documents.
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
Limit of branches of a chat. Beyond them it goes on without a session.
"""

MAX_READ_CHARACTERS = 64 * 1024 * 1024
"""
Characters of a chat's sessions that are searched.  Beyond them it goes on without a
session.
"""

COMPARED_ANSWERS = 100
COMPARED_CHARACTERS = 4000
"""
So many of the last answers are compared, and so much of each at its beginning and at
its end.
"""

Outlines = Callable[[str], Awaitable[Outline]]
"""
Reads the outline of a session; one without messages if there is no such session.
"""


def mayBranch(headers: RunHeaders, run: RunRequest) -> bool:
    """
    Tell if a run may belong to another branch of its chat.
    """
    return (
        run.kept
        and headers.session is None
        and headers.chatSessionName() is not None
        # Else perhaps a program that sends only what is new.
        and (headers.task is not None or bool(_answers(run.opening)))
    )


async def selectBranch(run: RunRequest, outlines: Outlines) -> RunRequest:
    """
    Choose the session of the branch that a run continues.

    @param run: The run, in the session of the chat's first branch.
    """
    shown = _answers(run.opening)
    room = MAX_READ_CHARACTERS
    for number in range(1, MAX_BRANCHES + 1):
        suffix = "" if number == 1 else f":{number}"
        key = run.sessionKey + suffix
        kept = await outlines(key)
        if not kept.messages or _goesOn(kept, run.opening, shown):
            return replace(run, sessionKey=key)
        room -= kept.size
        if room < 0:
            break
    key = statelessKey(run.agent.id, run.namespace)
    return replace(run, sessionKey=key, kept=False)


def _goesOn(kept: Outline, sent: Sequence[Message], shown: Sequence[str]) -> bool:
    """
    Does what a program sent go on from the end of a session?
    """
    answers = _answers(kept.messages)
    count = min(len(answers), len(shown))
    if _compared(answers, count) != _compared(shown, count):
        return False
    if len(answers) == len(shown):
        return True
    if len(answers) < len(shown):
        return bool(answers) and not kept.complete
    # A long chat may be sent without its beginning.
    return bool(shown) and not _sameBeginning(kept, sent)


def _sameBeginning(kept: Outline, sent: Sequence[Message]) -> bool:
    begins = next((each for each in sent if isinstance(each, UserMessage)), None)
    if not isinstance(kept.first, UserMessage):
        # It is too long to be known.
        return begins is not None and len(begins.text) > COMPARED_CHARACTERS
    return begins is not None and _plain(begins.text) == _plain(kept.first.text)


def _answers(conversation: Sequence[Message]) -> list[str]:
    """
    The assistant's text between two user messages.
    """
    answers: list[str] = []
    pieces: list[str] = []
    for message in [*conversation, UserMessage("")]:
        if isinstance(message, AssistantMessage):
            pieces.append(message.content)
        elif isinstance(message, UserMessage):
            if any(piece and not piece.isspace() for piece in pieces):
                answers.append(" ".join(pieces))
            pieces.clear()
    return answers


def _compared(answers: Sequence[str], count: int) -> list[tuple[str, str]]:
    """
    Cut the last answers down to what is compared of each.
    """
    count = min(count, COMPARED_ANSWERS)
    return [_plain(answer) for answer in answers[len(answers) - count :]]


def _plain(text: str) -> tuple[str, str]:
    """
    The beginning of a text and its end, without regard to blanks.
    """
    # Some of it is blanks, hence twice as much.
    begin = "".join(text.lstrip()[: 2 * COMPARED_CHARACTERS].split())
    end = "".join(text.rstrip()[-2 * COMPARED_CHARACTERS :].split())
    return begin[:COMPARED_CHARACTERS], end[-COMPARED_CHARACTERS:]
