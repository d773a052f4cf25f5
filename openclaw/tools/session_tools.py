"""
The tools that look at an agent's other conversations.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, SessionInfo, Tail, ToolContext, ToolError
from openclaw.messages import AssistantMessage, Message, ToolMessage, UserMessage
from openclaw.sessions.session_keys import mayVisit, visiblePrefix

USUAL_SESSIONS = 20
MAX_SESSIONS = 100
MAX_COUNTED = 1000
"""
The most sessions that are read for a list.
"""

USUAL_MESSAGES = 20
MAX_MESSAGES = 200
MAX_MESSAGE_CHARACTERS = 2000
MAX_CHARACTERS = 40_000


@implementer(ITool)
class SessionsListTool:
    """
    Shows what sessions there are.
    """

    name = "sessions_list"
    description = (
        "List your own sessions, the most lately used first.\n"
        "Each line has the session's key, its number of messages and its last use."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_SESSIONS,
                "description": f"The most wanted; {USUAL_SESSIONS} if left out.",
            }
        },
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        List.
        """
        return Deferred.fromCoroutine(
            self._run(arguments.get("limit", USUAL_SESSIONS), context)
        )

    async def _run(self, limit: int, context: ToolContext) -> str:
        prefix = visiblePrefix(context.namespace, context.agentID)
        found = await context.sessions.sessions(context.agentID, prefix, MAX_COUNTED)
        lines = [_line(info, context.sessionKey) for info in found[:limit]]
        if len(found) > limit:
            least = "at least " if len(found) == MAX_COUNTED else ""
            lines.append(f"[{least}{len(found) - limit} more are not shown]")
        return "\n".join(lines) or "[there are no sessions]"


def _line(info: SessionInfo, current: str) -> str:
    used = datetime.fromtimestamp(info.updatedAt, UTC).strftime("%Y-%m-%d %H:%M UTC")
    mark = "  (this one)" if info.sessionKey == current else ""
    return f"{info.sessionKey}  {info.messageCount} messages  {used}{mark}"


@implementer(ITool)
class SessionsHistoryTool:
    """
    Shows what was said in a session.
    """

    name = "sessions_history"
    description = (
        "Read the last messages of one of your own sessions, the oldest of them"
        " first.\nTake the key from sessions_list."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "sessionKey": {"type": "string", "minLength": 1},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_MESSAGES,
                "description": "The most messages wanted;"
                f" {USUAL_MESSAGES} if left out.",
            },
        },
        "required": ["sessionKey"],
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        Read.
        """
        return Deferred.fromCoroutine(
            self._run(
                arguments["sessionKey"],
                arguments.get("limit", USUAL_MESSAGES),
                context,
            )
        )

    async def _run(self, key: str, limit: int, context: ToolContext) -> str:
        # A key says which agent it is of, but the store knows.
        tail = await context.sessions.tail(key, limit)
        isOwn = tail.agentID == context.agentID
        if not isOwn or not mayVisit(context.namespace, context.agentID, key):
            raise ToolError("You have no such session.")
        return shownMessages(tail)


def shownMessages(tail: Tail) -> str:
    """
    The end of a conversation.  If its messages are too long together, the older ones
    are left out.
    """
    blocks: list[str] = []
    room = MAX_CHARACTERS
    for message in reversed(tail.messages):
        block = _block(message)
        room -= len(block) + 2
        if room < 0:
            break
        blocks.append(block)
    blocks.reverse()
    if len(blocks) < tail.messageCount:
        blocks.insert(0, f"[{tail.messageCount - len(blocks)} older are not shown]")
    return "\n\n".join(blocks) or "[nothing was said]"


def _block(message: Message) -> str:
    """
    One message, cut if it is long.
    """
    if isinstance(message, UserMessage):
        text = message.text
        if message.images:
            text += f"\n[images: {len(message.images)}]"
        return f"user: {_cut(text)}"
    if isinstance(message, ToolMessage):
        label = "tool (failed)" if message.isError else "tool"
        return f"{label}: {_cut(message.content)}"
    assert isinstance(message, AssistantMessage)
    names = ", ".join(call.name for call in message.tool_calls)
    called = f"\n[called: {names}]" if names else ""
    return f"assistant: {_cut(message.content + called)}"


def _cut(text: str) -> str:
    if len(text) <= MAX_MESSAGE_CHARACTERS:
        return text
    return text[:MAX_MESSAGE_CHARACTERS] + " [...]"
