"""
The tools that read an agent's other sessions.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, SessionInfo, Tail, ToolContext, ToolError
from openclaw.messages import AssistantMessage, Message, ToolMessage, UserMessage
from openclaw.sessions.session_keys import mayAccess, visiblePrefix

DEFAULT_SESSIONS = 20
MAX_SESSIONS = 100
MAX_COUNTED = 1000
"""
Limit of the sessions read for a list.
"""

DEFAULT_MESSAGES = 20
MAX_MESSAGES = 200
MAX_MESSAGE_CHARACTERS = 2000
MAX_CHARACTERS = 40_000


@implementer(ITool)
class SessionsListTool:
    name = "sessions_list"
    description = (
        "List your own sessions, the most recently used first.\n"
        "Each line has the session's key, its number of messages and its last use."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_SESSIONS,
                "description": f"The most sessions listed; default {DEFAULT_SESSIONS}.",
            }
        },
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        return Deferred.fromCoroutine(
            self._run(arguments.get("limit", DEFAULT_SESSIONS), context)
        )

    async def _run(self, limit: int, context: ToolContext) -> str:
        prefix = visiblePrefix(context.namespace, context.agentID)
        found = await context.sessions.sessions(context.agentID, prefix, MAX_COUNTED)
        lines = [_formatSession(info, context.sessionKey) for info in found[:limit]]
        if len(found) > limit:
            least = "at least " if len(found) == MAX_COUNTED else ""
            lines.append(f"[{least}{len(found) - limit} more are not shown]")
        return "\n".join(lines) or "[there are no sessions]"


def _formatSession(info: SessionInfo, current: str) -> str:
    used = datetime.fromtimestamp(info.updatedAt, UTC).strftime("%Y-%m-%d %H:%M UTC")
    mark = "  (this one)" if info.sessionKey == current else ""
    return f"{info.sessionKey}  {info.messageCount} messages  {used}{mark}"


@implementer(ITool)
class SessionsHistoryTool:
    name = "sessions_history"
    description = (
        "Read the last messages of one of your own sessions, oldest first.\n"
        "Take the key from sessions_list."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "sessionKey": {"type": "string", "minLength": 1},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_MESSAGES,
                "description": "The most messages to read;"
                f" default {DEFAULT_MESSAGES}.",
            },
        },
        "required": ["sessionKey"],
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        return Deferred.fromCoroutine(
            self._run(
                arguments["sessionKey"],
                arguments.get("limit", DEFAULT_MESSAGES),
                context,
            )
        )

    async def _run(self, key: str, limit: int, context: ToolContext) -> str:
        # The agent in a key is the client's claim; the store's is authoritative.
        tail = await context.sessions.tail(key, limit)
        isOwn = tail.agentID == context.agentID
        if not isOwn or not mayAccess(context.namespace, context.agentID, key):
            raise ToolError("You have no such session.")
        return formatMessages(tail)


def formatMessages(tail: Tail) -> str:
    """
    Format the end of a conversation.  Older messages that exceed L{MAX_CHARACTERS} are
    left out.
    """
    blocks: list[str] = []
    room = MAX_CHARACTERS
    for message in reversed(tail.messages):
        block = _formatMessage(message)
        room -= len(block) + 2
        if room < 0:
            break
        blocks.append(block)
    blocks.reverse()
    if len(blocks) < tail.messageCount:
        blocks.insert(0, f"[{tail.messageCount - len(blocks)} older are not shown]")
    return "\n\n".join(blocks) or "[the session has no messages]"


def _formatMessage(message: Message) -> str:
    if isinstance(message, UserMessage):
        text = message.text
        if message.images:
            text += f"\n[images: {len(message.images)}]"
        return f"user: {_truncate(text)}"
    if isinstance(message, ToolMessage):
        label = "tool (failed)" if message.isError else "tool"
        return f"{label}: {_truncate(message.content)}"
    assert isinstance(message, AssistantMessage)
    names = ", ".join(call.name for call in message.tool_calls)
    called = f"\n[called: {names}]" if names else ""
    if not message.content and not names:
        return "assistant: [no answer]"
    return f"assistant: {_truncate(message.content + called)}"


def _truncate(text: str) -> str:
    if len(text) <= MAX_MESSAGE_CHARACTERS:
        return text
    return text[:MAX_MESSAGE_CHARACTERS] + " [...]"
