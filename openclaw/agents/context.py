"""
The part of a conversation that a run's model is shown: all of it, or, where that
exceeds the model's context window, a summary and the newest part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openclaw.agents.token_estimates import tokensOf
from openclaw.interfaces import Conversation, Summary
from openclaw.messages import (
    AssistantMessage,
    Message,
    Part,
    TextPart,
    ToolMessage,
    UserMessage,
)
from openclaw.transcript import isPlain

SUMMARY = (
    "Summary of our conversation before this point:\n\n{text}\n\n(End of summary.)"
)
UNSEEN = "(Here was an image, which you can't see.)"
LEFT_OUT = "(Some messages before this point were left out for want of room.)"

NO_RESULT = "There is no result: the call was not answered."
"""
The text in place of a missing tool result.
"""


@dataclass(slots=True)
class Context:
    """
    A run's view of its conversation.  The conversation itself only grows; here is
    from where on it is shown, and what is said of the rest.

    @ivar stored: The newest summary that is kept with the session, if any.  The
        conversation begins where it ends.
    @ivar skipped: How many messages between the two are not there.
    @ivar made: A newer one, made in this run.
    @ivar start: The index of the first message that is shown.
    """

    stored: Summary | None = None
    skipped: int = field(default=0, init=False)
    made: Summary | None = field(default=None, init=False)
    start: int = field(default=0, init=False)
    _leftOut: bool = field(default=False, init=False)

    def begin(self, conversation: Conversation) -> Sequence[Message]:
        """
        Show a session.

        @return: Its messages.
        """
        self.stored = conversation.summary
        self.skipped = conversation.skipped
        self._leftOut = self.skipped > 0
        return conversation.messages

    def view(self, conversation: Sequence[Message]) -> Sequence[Message]:
        """
        The messages to show.
        """
        shown = pairToolResults(
            conversation[self.start :] if self.start else conversation
        )
        head = self._head()
        if not head:
            return shown
        if not any(isinstance(message, UserMessage) for message in shown):
            # Cut within a turn: what the model is working for is to be seen.
            shown = [*_lastAsked(conversation[: self.start]), *shown]
        if shown and isinstance(shown[0], UserMessage):
            # Some models want the person and the assistant to take turns.
            return [_headed(head, shown[0]), *shown[1:]]
        return [UserMessage(head), *shown]

    def cut(self, conversation: Sequence[Message], room: int) -> int | None:
        """
        Find the cut from which on the messages fit.

        @param room: In tokens.

        @return: The index of the first message to show, which is never a tool's
            result: calls and results stay together.  The newest that can be shown
            alone is always shown, be it too long.  C{None} if nothing can be left
            out.
        """
        places = [
            index
            for index in range(self.start + 1, len(conversation))
            if not isinstance(conversation[index], ToolMessage)
        ]
        if not places:
            return None
        fitting, used, best = len(conversation), 0, places[-1]
        for index in reversed(places):
            used += sum(map(tokensOf, conversation[index:fitting]))
            fitting = index
            if used > room:
                break
            best = index
        return best

    def summarise(self, text: str, cut: int) -> None:
        """
        Show a summary for all that is before a cut.
        """
        before = self.skipped + (self.stored.messageCount if self.stored else 0)
        self.made = Summary(text, before + cut)
        self.start = cut
        self._leftOut = False

    def leaveOut(self, cut: int) -> None:
        """
        Show nothing of what is before a cut.  A summary of what was before that is
        shown still.
        """
        self.start = cut
        self._leftOut = True

    def _head(self) -> str:
        summary = self.made or self.stored
        texts = []
        if summary is not None:
            texts.append(SUMMARY.format(text=summary.text))
        if self._leftOut:
            texts.append(LEFT_OUT)
        return "\n\n".join(texts)


def _lastAsked(messages: Sequence[Message]) -> Sequence[Message]:
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            return [message]
    return []


def _headed(head: str, message: UserMessage) -> UserMessage:
    content = message.content
    if isinstance(content, str):
        return UserMessage(f"{head}\n\n{content}")
    return UserMessage((TextPart(head), *content))


def withoutImages(messages: Sequence[Message]) -> Sequence[Message]:
    """
    The same for a model that reads text only: it is told where an image was.
    """
    if isPlain(messages):
        return messages
    return [
        UserMessage("\n".join(_partText(part) for part in message.content))
        if isinstance(message, UserMessage) and not isinstance(message.content, str)
        else message
        for message in messages
    ]


def _partText(part: Part) -> str:
    return part.text if isinstance(part, TextPart) else UNSEEN


def pairToolResults(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Give each tool call a result, and drop results that answer no call: providers
    refuse a conversation in which one is without the other.
    """
    if isPlain(messages):
        return messages
    whole: list[Message] = []
    unanswered: dict[str, None] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in unanswered:
                del unanswered[message.tool_call_id]
                whole.append(message)
            continue
        whole += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
        unanswered = {}
        whole.append(message)
        if isinstance(message, AssistantMessage):
            unanswered = dict.fromkeys(call.id for call in message.tool_calls)
    whole += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
    return whole
