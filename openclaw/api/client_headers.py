"""
Headers of chat programs: the chat that a request is a part of, or the background task,
such as finding a title.

They fill such headers in from templates.  One that was left as it is, like
C{{{CHAT_ID}}}, says nothing; neither does an empty one.
"""

from collections.abc import Sequence

from openclaw.agents.agent_directory import AGENT_HEADERS
from openclaw.errors import InvalidRequest
from openclaw.server.gateway_request import GatewayRequest
from openclaw.sessions.session_keys import MAX_NAME_CHARACTERS

OPEN_WEBUI_CHAT = "x-openwebui-chat-id"
OPEN_WEBUI_TASK = "x-openwebui-task"

_KINDS = {OPEN_WEBUI_CHAT: "openwebui"}
"""
Names of the sessions of known programs. Those of others have the header's name.
"""

_PASSING = ("local:", "channel:")
"""
Prefixes of the ids that Open WebUI gives to what is no chat of its own: to temporary
chats, of which one browser window uses the same id again, and to channels, where many
people talk. Each request has all that was said there.
"""


def filled(value: str | None) -> str | None:
    """
    Return the value of a header that may be an unfilled template.

    @return: The value as it is; C{None} when it is a template still, or absent.
    """
    return None if value is None or "{{" in value else value


def agentHeader(request: GatewayRequest) -> str | None:
    """
    The agent that a request's headers name.
    """
    values = (request.header(name) for name in AGENT_HEADERS)
    return next((value for value in values if value), None)


def openWebUITask(request: GatewayRequest) -> str | None:
    """
    The chore that Open WebUI asks for, such as C{title_generation}; C{None} for what a
    person asks.
    """
    return (filled(request.header(OPEN_WEBUI_TASK)) or "").strip() or None


def chatSessionName(request: GatewayRequest, headers: Sequence[str]) -> str | None:
    """
    The name for the session of the chat that a request is a part of.

    @param headers: The headers that may name it, the first one that does wins.

    @return: Such as C{openwebui:7c0f…}, or C{None}.

    @raise InvalidRequest: The chat's id is too long or has control characters.
    """
    for header in headers:
        chat = (filled(request.header(header)) or "").strip()
        name = header.lower()
        if not chat or (name == OPEN_WEBUI_CHAT and chat.startswith(_PASSING)):
            continue
        chat = f"{_KINDS.get(name, name)}:{chat}"
        if len(chat) > MAX_NAME_CHARACTERS or not chat.isprintable():
            raise InvalidRequest(
                f"`{header}` is too long or has control characters.", param=header
            )
        return chat
    return None
