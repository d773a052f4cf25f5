"""
Which session a chat goes on with, where people can go back in it.

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

from openclaw.agents.requests import RunRequest
from openclaw.messages import AssistantMessage, Message, UserMessage
from openclaw.sessions.keys import SESSION_HEADER, statelessKey
from openclaw.web.client_headers import OPEN_WEBUI_TASK, chatOf, filled
from openclaw.web.request import GatewayRequest
from openclaw.web.standing import Standing

MAX_BRANCHES = 64
"""
How many a chat may have.  Beyond them it goes on without a session.
"""

Transcript = Callable[[str], Awaitable[Sequence[Message]]]
"""
Reads a session: all that was said there, or nothing if there is none.
"""


async def onBranch(
    request: GatewayRequest,
    standing: Standing,
    wanted: RunRequest,
    transcript: Transcript,
) -> RunRequest:
    """
    What is wanted, in the branch that the request goes on with.

    @param wanted: The same, in the first branch of its chat, if it is part of one.
    """
    endpoint = standing.config.gateway.http.endpoints.chatCompletions
    if (
        not wanted.kept
        or filled(request.header(SESSION_HEADER)) is not None
        or chatOf(request, endpoint.sessionHeaders) is None
    ):
        return wanted
    shown = _answers(wanted.opening)
    if not shown and request.header(OPEN_WEBUI_TASK) is None:
        # Perhaps a program that sends only what is new.
        return wanted
    for number in range(1, MAX_BRANCHES + 1):
        suffix = "" if number == 1 else f":{number}"
        key = wanted.sessionKey + suffix
        kept = await transcript(key)
        if not kept or _goesOn(kept, wanted.opening, shown):
            return replace(wanted, sessionKey=key)
    key = statelessKey(wanted.agent.id, wanted.namespace)
    return replace(wanted, sessionKey=key, kept=False)


def _goesOn(
    kept: Sequence[Message], sent: Sequence[Message], shown: Sequence[str]
) -> bool:
    """
    Does what a program sent go on from the end of a session?
    """
    answers = _answers(kept)
    if answers == shown:
        return True
    # A long chat may be sent without its beginning.
    whole = _firstWords(kept) == _firstWords(sent)
    return not whole and bool(shown) and answers[-len(shown) :] == shown


def _firstWords(conversation: Sequence[Message]) -> str | None:
    for message in conversation:
        if isinstance(message, UserMessage):
            return _plain(message.text)
    return None


def _answers(conversation: Sequence[Message]) -> list[str]:
    """
    What the assistant said between two things that the user said, without regard to
    blanks.
    """
    answers: list[str] = []
    pieces: list[str] = []
    for message in [*conversation, UserMessage("")]:
        if isinstance(message, AssistantMessage):
            pieces.append(message.content)
        elif isinstance(message, UserMessage):
            answer = _plain(" ".join(pieces))
            if answer:
                answers.append(answer)
            pieces.clear()
    return answers


def _plain(text: str) -> str:
    return " ".join(text.split())


__all__ = ["MAX_BRANCHES", "Transcript", "onBranch"]
