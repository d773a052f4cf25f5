"""
The question for a summary of the oldest part of a conversation.
"""

from collections.abc import Iterator, Sequence

from openclaw.interfaces import ModelRequest
from openclaw.messages import AssistantMessage, Message, ToolMessage, UserMessage

INSTRUCTIONS = """\
You summarise the beginning of a conversation between a person and an assistant, so \
that the assistant can go on with it when the original is gone. Write down what the \
person wants, what was decided, found out and done, what is still open, and names, \
numbers, paths and wishes word for word where they may matter. If there is an earlier \
summary, carry over what still holds. Answer with the summary alone, in the language \
of the conversation, in at most 400 words."""

MAX_RESULT_CHARACTERS = 1000
"""
As much of a tool's result, and of a call's arguments, goes into a summary.
"""

CHARACTERS_PER_TOKEN = 3
"""
Characters sent for each token of room: fewer than in most texts, so that the request
for the summary is not too long itself.
"""


def summaryRequest(model: str, oldest: Sequence[Message], room: int) -> ModelRequest:
    """
    Ask for a summary.

    @param model: The provider's own id of the model.

    @param oldest: What is to be summarised.

    @param room: How long the text may be, in tokens.  Of a longer one the middle is
        left out: an earlier summary is at the beginning, the latest at the end.
    """
    text = "\n\n".join(_rendered(oldest))
    most = _charactersIn(room)
    if len(text) > most:
        text = f"{text[: most // 3]}\n\n[…]\n\n{text[-(2 * most // 3) :]}"
    said = f"The conversation:\n\n{text}\n\n(End of the conversation. Summarise it.)"
    return ModelRequest(model, INSTRUCTIONS, (UserMessage(said),))


def _rendered(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        match message:
            case UserMessage():
                images = len(message.images)
                shown = f" [{images} image(s)]" if images else ""
                yield f"Person: {message.text}{shown}"
            case AssistantMessage():
                if message.content:
                    yield f"Assistant: {message.content}"
                for call in message.tool_calls:
                    yield f"Assistant calls {call.name}: {_bounded(call.arguments)}"
            case ToolMessage():
                label = "Error" if message.isError else "Result"
                yield f"{label}: {_bounded(message.content)}"


def _bounded(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    return f"{text[:MAX_RESULT_CHARACTERS]} […]"


def clipped(summary: str, room: int) -> str:
    """
    A summary that is not longer than asked for, whatever the model wrote.

    @param room: What the rest of the conversation has, in tokens.
    """
    return summary.strip()[: _charactersIn(room)]


def _charactersIn(room: int) -> int:
    return max(room * CHARACTERS_PER_TOKEN, MAX_RESULT_CHARACTERS)
