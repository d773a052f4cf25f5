"""
Parse the headers of a request for a run: OpenClaw's, OpenAI's, and those of chat
programs.

Chat programs fill such headers from templates. An unfilled one, such as C{{{CHAT_ID}}},
counts as absent, as does an empty one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openclaw.agents.agent_directory import AGENT_HEADERS, MODEL_HEADER
from openclaw.errors import InvalidRequest
from openclaw.sessions.session_keys import MAX_NAME_CHARACTERS, SESSION_HEADER

CHANNEL_HEADER = "x-openclaw-message-channel"
EVENTS_HEADER = "x-openclaw-events"
DISCONNECT_HEADER = "x-openclaw-on-disconnect"
KEY_HEADER = "idempotency-key"
RETRY_HEADER = "x-stainless-retry-count"
"""
The header in which OpenAI's SDKs count retries, from 0.
"""

OPEN_WEBUI_CHAT = "x-openwebui-chat-id"
OPEN_WEBUI_TASK = "x-openwebui-task"

MAX_CHANNEL_CHARACTERS = 64
MAX_KEY_CHARACTERS = 255

_SESSION_PREFIXES = {OPEN_WEBUI_CHAT: "openwebui"}
"""
Prefixes of session names by header. For other headers the prefix is the header's name.
"""

_TEMPORARY_PREFIXES = ("local:", "channel:")
"""
Prefixes of the IDs of Open WebUI's temporary chats, where a browser window reuses one
ID, and of its channels, where many users write. Their requests contain the whole
conversation, and get no session.
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
    The headers of a request for a run, as text. Values are validated on use.

    @ivar session: The session name, unless it is an unfilled template.
    @ivar chats: The configured headers that may name the chat, with their values, by
        priority.
    @ivar webUIChat: The chat ID of Open WebUI.
    @ivar task: The task of Open WebUI; C{None} without its header.
    @ivar events: The names of requested events beyond OpenAI's.
    @ivar retryCount: The number of retries, as OpenAI's SDKs send it.
    """

    session: str | None
    channel: str
    chats: Sequence[tuple[str, str]]
    webUIChat: str | None
    task: str | None
    events: frozenset[str]
    onDisconnect: str
    key: str | None
    retryCount: str | None

    @property
    def isTask(self) -> bool:
        """
        True for a background task of a chat program, as opposed to a user's message.
        """
        return bool((ignoreTemplate(self.task) or "").strip())

    @property
    def isRetry(self) -> bool:
        """
        True if the SDK reports that it has sent the request before.
        """
        return (self.retryCount or "0").strip() not in ("", "0")

    def continuesAfterDisconnect(self) -> bool:
        """
        Return whether the run continues when its client disconnects.

        @raise InvalidRequest: The header has an unknown value.
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

    def mayBeRepeated(self) -> bool:
        """
        Tell if the same request can come again and be recognised.

        @raise InvalidRequest: See L{continuesAfterDisconnect}, which is checked here
            even if nothing depends on it.
        """
        continues = self.continuesAfterDisconnect()
        return continues or self.key is not None or self.retryCount is not None

    def idempotencyKey(self) -> str | None:
        """
        Return the idempotency key, or C{None}.

        @raise InvalidRequest: The key is not valid.
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
        Return the channel through which the user writes, for the system prompt.

        @raise InvalidRequest: The value is not valid.
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
        Return the session name for the chat that a request belongs to.

        @return: A name such as C{openwebui:7c0f…}, or C{None}.

        @raise InvalidRequest: The chat ID is too long or has control characters.
        """
        for header, value in self.chats:
            chat, name = (ignoreTemplate(value) or "").strip(), header.lower()
            if not chat or (
                name == OPEN_WEBUI_CHAT and chat.startswith(_TEMPORARY_PREFIXES)
            ):
                continue
            chat = f"{_SESSION_PREFIXES.get(name, name)}:{chat}"
            if len(chat) > MAX_NAME_CHARACTERS or not chat.isprintable():
                raise InvalidRequest(
                    f"`{header}` is too long or has control characters.", param=header
                )
            return chat
        return None


def ignoreTemplate(value: str | None) -> str | None:
    """
    Return the value of a header, or C{None} if it is absent or an unfilled template.
    """
    return None if value is None or "{{" in value else value


def parseTargetHeaders(headers: Mapping[str, str]) -> TargetHeaders:
    """
    Parse the headers that name an agent and a model.
    """
    return TargetHeaders(agent=_agent(headers), model=headers.get(MODEL_HEADER))


def parseRunHeaders(
    headers: Mapping[str, str], chatHeaders: Sequence[str] = ()
) -> RunHeaders:
    """
    Parse the headers of a request for a run.

    @param chatHeaders: The configured headers that may name the chat.
    """
    task = headers.get(OPEN_WEBUI_TASK)
    events = headers.get(EVENTS_HEADER) or ""
    named = ((name, headers.get(name.lower())) for name in chatHeaders)
    return RunHeaders(
        agent=_agent(headers),
        model=headers.get(MODEL_HEADER),
        session=ignoreTemplate(headers.get(SESSION_HEADER)),
        channel=(headers.get(CHANNEL_HEADER) or "").strip(),
        chats=[(name, chat) for name, chat in named if chat is not None],
        webUIChat=headers.get(OPEN_WEBUI_CHAT),
        task=task,
        events=frozenset(name.strip().lower() for name in events.split(",")),
        onDisconnect=(headers.get(DISCONNECT_HEADER) or "cancel").strip().lower(),
        key=headers.get(KEY_HEADER),
        retryCount=headers.get(RETRY_HEADER),
    )


def _agent(headers: Mapping[str, str]) -> str | None:
    values = (headers.get(name) for name in AGENT_HEADERS)
    return next((value for value in values if value), None)
