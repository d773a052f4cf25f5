"""
The request for a summary of the oldest part of a conversation.
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
Limit of the characters of a tool's result, and of a call's arguments, in the request.
"""

CHARACTERS_PER_TOKEN = 3
"""
Characters sent for each available token: fewer than in most texts, so that the request
fits the model's context window.
"""


def buildSummaryRequest(
    model: str, oldest: Sequence[Message], room: int
) -> ModelRequest:
    """
    Build the request for a summary.

    @param model: The provider's own ID of the model.
    @param oldest: The messages to summarise.
    @param room: Limit of their text, in tokens.  The middle of a longer text is left
        out: an earlier summary is at its beginning, the latest messages at its end.
    """
    text = "\n\n".join(_renderMessages(oldest))
    limit = _countCharacters(room)
    if len(text) > limit:
        text = f"{text[: limit // 3]}\n\n[…]\n\n{text[-(2 * limit // 3) :]}"
    prompt = f"The conversation:\n\n{text}\n\n(End of the conversation. Summarise it.)"
    return ModelRequest(model, INSTRUCTIONS, (UserMessage(prompt),))


def _renderMessages(messages: Sequence[Message]) -> Iterator[str]:
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
                    yield f"Assistant calls {call.name}: {_truncate(call.arguments)}"
            case ToolMessage():
                label = "Error" if message.isError else "Result"
                yield f"{label}: {_truncate(message.content)}"


def _truncate(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    return f"{text[:MAX_RESULT_CHARACTERS]} […]"


def truncateSummary(summary: str, room: int) -> str:
    """
    Truncate a summary to the available room.

    @param room: In tokens.
    """
    return summary.strip()[: _countCharacters(room)]


def _countCharacters(room: int) -> int:
    return max(room * CHARACTERS_PER_TOKEN, MAX_RESULT_CHARACTERS)
