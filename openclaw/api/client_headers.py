"""
The headers of requests for runs: OpenClaw's own, OpenAI's, and those of chat programs,
which tell the chat that a request is a part of, or the background task, such as finding
a title.

Chat programs fill such headers in from templates.  One that was left as it is, like
C{{{CHAT_ID}}}, says nothing; neither does an empty one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.web.http_headers import Headers

from openclaw.agents.agent_directory import AGENT_HEADERS, MODEL_HEADER
from openclaw.errors import InvalidRequest
from openclaw.server.api_request import decodeHeader
from openclaw.sessions.session_keys import MAX_NAME_CHARACTERS, SESSION_HEADER

CHANNEL_HEADER = "x-openclaw-message-channel"
EVENTS_HEADER = "x-openclaw-events"
DISCONNECT_HEADER = "x-openclaw-on-disconnect"
KEY_HEADER = "idempotency-key"
RETRY_HEADER = "x-stainless-retry-count"
"""
The header in which OpenAI's own libraries count their tries: 0 with the first one.
"""

OPEN_WEBUI_CHAT = "x-openwebui-chat-id"
OPEN_WEBUI_TASK = "x-openwebui-task"

MAX_CHANNEL_CHARACTERS = 64
MAX_KEY_CHARACTERS = 255

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


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetHeaders:
    """
    The headers that name an agent and a model.
    """

    agent: str | None
    model: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunHeaders(TargetHeaders):
    """
    The headers of a request for a run, as text.  What has to have a form is checked
    when it is used.

    @ivar session: The session that is named, if that is no template.
    @ivar chats: The headers that may name the chat, with their values, in the order in
        which they count.
    @ivar webUIChat: The chat of Open WebUI, whether it counts or not.
    @ivar task: The task of Open WebUI; C{None} without its header.
    @ivar events: The names of events that are wanted beside OpenAI's.
    """

    session: str | None
    channel: str
    chats: Sequence[tuple[str, str]]
    webUIChat: str | None
    task: str | None
    events: frozenset[str]
    onDisconnect: str
    key: str | None
    tries: str | None

    @property
    def isTask(self) -> bool:
        """
        Is this a chore that a chat program asks for, and nothing that a person does?
        """
        return bool((filled(self.task) or "").strip())

    @property
    def isRetry(self) -> bool:
        """
        Was the request sent before, as its library says?
        """
        return (self.tries or "0").strip() not in ("", "0")

    def continuesAfterDisconnect(self) -> bool:
        """
        Shall the run go on when its caller goes away?

        @raise InvalidRequest: The caller's word for it is none.
        """
        match self.onDisconnect:
            case "cancel":
                return False
            case "continue":
                return True
        raise InvalidRequest(
            f"`{DISCONNECT_HEADER}` must be `cancel` or `continue`.",
            param=DISCONNECT_HEADER,
        )

    def idempotencyKey(self) -> str | None:
        """
        The key by which the request is recognised when it is sent again.

        @raise InvalidRequest: It can't be one.
        """
        key = self.key
        if key is None or (0 < len(key) <= MAX_KEY_CHARACTERS and key.isprintable()):
            return key
        raise InvalidRequest(
            f"`Idempotency-Key` must be 1 to {MAX_KEY_CHARACTERS} printable"
            " characters.",
            param="Idempotency-Key",
        )

    def channelName(self) -> str:
        """
        The channel through which the user writes, for the prompt.

        @raise InvalidRequest: It can't be one.
        """
        channel = self.channel
        if len(channel) > MAX_CHANNEL_CHARACTERS or not channel.isprintable():
            raise InvalidRequest(
                f"`{CHANNEL_HEADER}` must be at most {MAX_CHANNEL_CHARACTERS} printable"
                " characters.",
                param=CHANNEL_HEADER,
            )
        return channel

    def chatSessionName(self) -> str | None:
        """
        The name for the session of the chat that a request is a part of.

        @return: Such as C{openwebui:7c0f…}, or C{None}.

        @raise InvalidRequest: The chat's id is too long or has control characters.
        """
        for header, value in self.chats:
            chat, name = (filled(value) or "").strip(), header.lower()
            if not chat or (name == OPEN_WEBUI_CHAT and chat.startswith(_PASSING)):
                continue
            chat = f"{_KINDS.get(name, name)}:{chat}"
            if len(chat) > MAX_NAME_CHARACTERS or not chat.isprintable():
                raise InvalidRequest(
                    f"`{header}` is too long or has control characters.", param=header
                )
            return chat
        return None


def filled(value: str | None) -> str | None:
    """
    Return the value of a header that may be an unfilled template.

    @return: The value as it is; C{None} when it is a template still, or absent.
    """
    return None if value is None or "{{" in value else value


def parseTargetHeaders(headers: Headers) -> TargetHeaders:
    """
    Read the headers that name an agent and a model.
    """
    return TargetHeaders(
        agent=_agent(headers), model=decodeHeader(headers, MODEL_HEADER)
    )


def parseRunHeaders(headers: Headers, chatHeaders: Sequence[str] = ()) -> RunHeaders:
    """
    Read the headers of a request for a run.

    @param chatHeaders: The headers that may name the chat, as configured.
    """
    task = decodeHeader(headers, OPEN_WEBUI_TASK)
    events = decodeHeader(headers, EVENTS_HEADER) or ""
    named = ((name, decodeHeader(headers, name)) for name in chatHeaders)
    return RunHeaders(
        agent=_agent(headers),
        model=decodeHeader(headers, MODEL_HEADER),
        session=filled(decodeHeader(headers, SESSION_HEADER)),
        channel=(decodeHeader(headers, CHANNEL_HEADER) or "").strip(),
        chats=[(name, chat) for name, chat in named if chat is not None],
        webUIChat=decodeHeader(headers, OPEN_WEBUI_CHAT),
        task=task,
        events=frozenset(name.strip().lower() for name in events.split(",")),
        onDisconnect=(decodeHeader(headers, DISCONNECT_HEADER) or "cancel")
        .strip()
        .lower(),
        key=decodeHeader(headers, KEY_HEADER),
        tries=decodeHeader(headers, RETRY_HEADER),
    )


def _agent(headers: Headers) -> str | None:
    values = (decodeHeader(headers, name) for name in AGENT_HEADERS)
    return next((value for value in values if value), None)
