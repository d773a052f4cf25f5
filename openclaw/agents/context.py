"""
The part of a conversation that fits into the model's context window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openclaw.agents.token_estimates import estimateMessage
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
UNSEEN = "(An image was here, which you can't see.)"
LEFT_OUT = "(Some messages before this point were left out to save space.)"

NO_RESULT = "There is no result: the call was not completed."
"""
The text that replaces a missing tool result.
"""


@dataclass(slots=True)
class Context:
    """
    A run's view of its conversation.  The conversation only grows; this records the
    first message that is sent, and the summary of the earlier ones.

    @ivar storedSummary: The newest summary stored with the session, if any.  The loaded
        conversation begins where it ends.
    @ivar skipped: The number of messages between the two that were not loaded.
    @ivar newSummary: A newer summary, made in this run.
    @ivar start: The index of the first message that is sent.
    """

    storedSummary: Summary | None = None
    skipped: int = field(default=0, init=False)
    newSummary: Summary | None = field(default=None, init=False)
    start: int = field(default=0, init=False)
    _leftOut: bool = field(default=False, init=False)

    def load(self, conversation: Conversation) -> Sequence[Message]:
        """
        Begin with a stored conversation.

        @return: Its messages.
        """
        self.storedSummary = conversation.summary
        self.skipped = conversation.skipped
        self._leftOut = self.skipped > 0
        return conversation.messages

    def view(self, conversation: Sequence[Message]) -> Sequence[Message]:
        shown = pairToolResults(
            omitRefused(conversation[self.start :] if self.start else conversation)
        )
        preamble = self._formatPreamble()
        if not preamble:
            return shown
        if not any(isinstance(message, UserMessage) for message in shown):
            # Cut within a turn: the model needs the request that it is working on.
            shown = [*_findLastQuestion(conversation[: self.start]), *shown]
        if shown and isinstance(shown[0], UserMessage):
            # Some models require user and assistant messages to alternate.
            return [_prependText(preamble, shown[0]), *shown[1:]]
        return [UserMessage(preamble), *shown]

    def findCut(self, conversation: Sequence[Message], room: int) -> int | None:
        """
        Find the first message to send, so that the messages fit.

        @param room: In tokens.
        @return: The index of the message, which is never a tool's result: calls and
            results stay together.  The newest message that can be first is always sent,
            even if it does not fit.  C{None} if nothing can be left out.
        """
        candidates = [
            index
            for index in range(self.start + 1, len(conversation))
            if not isinstance(conversation[index], ToolMessage)
        ]
        if not candidates:
            return None
        fitting, used, best = len(conversation), 0, candidates[-1]
        for index in reversed(candidates):
            used += sum(map(estimateMessage, conversation[index:fitting]))
            fitting = index
            if used > room:
                break
            best = index
        return best

    def estimateNewest(self, conversation: Sequence[Message]) -> int:
        """
        Estimate what is sent whatever is left out: the newest message that can be
        first, and what follows it, in tokens.
        """
        start = len(conversation) - 1
        while start > self.start and isinstance(conversation[start], ToolMessage):
            start -= 1
        return sum(map(estimateMessage, conversation[max(start, 0) :]))

    def summarise(self, text: str, cut: int) -> None:
        """
        Replace all messages before an index by a summary.
        """
        before = self.skipped + (
            self.storedSummary.messageCount if self.storedSummary else 0
        )
        self.newSummary = Summary(text, before + cut)
        self.start = cut
        self._leftOut = False

    def leaveOut(self, cut: int) -> None:
        """
        Leave out all messages before an index.  An earlier summary is kept.
        """
        self.start = cut
        self._leftOut = True

    def _formatPreamble(self) -> str:
        summary = self.newSummary or self.storedSummary
        texts = []
        if summary is not None:
            texts.append(SUMMARY.format(text=summary.text))
        if self._leftOut:
            texts.append(LEFT_OUT)
        return "\n\n".join(texts)


def _findLastQuestion(messages: Sequence[Message]) -> Sequence[Message]:
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            return [message]
    return []


def _prependText(text: str, message: UserMessage) -> UserMessage:
    content = message.content
    if isinstance(content, str):
        return UserMessage(f"{text}\n\n{content}")
    return UserMessage((TextPart(text), *content))


def replaceImages(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Replace images by a note, for a model that reads text only.
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


def omitRefused(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Leave out the turns that no model accepted.  With one of them, every later request
    of the session would be refused, too.
    """
    if isPlain(messages) or not any(
        isinstance(message, AssistantMessage) and message.refused
        for message in messages
    ):
        return messages
    kept: list[Message] = []
    for message in messages:
        if isinstance(message, AssistantMessage) and message.refused:
            del kept[max(0, len(kept) - message.refused) :]
        else:
            kept.append(message)
    return kept


def pairToolResults(messages: Sequence[Message]) -> Sequence[Message]:
    """
    Add a result to each tool call without one, and drop results without a call:
    providers refuse such conversations.
    """
    if isPlain(messages):
        return messages
    paired: list[Message] = []
    unanswered: dict[str, None] = {}
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id in unanswered:
                del unanswered[message.tool_call_id]
                paired.append(message)
            continue
        paired += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
        unanswered = {}
        paired.append(message)
        if isinstance(message, AssistantMessage):
            unanswered = dict.fromkeys(call.id for call in message.tool_calls)
    paired += [ToolMessage(callID, NO_RESULT, True) for callID in unanswered]
    return paired
