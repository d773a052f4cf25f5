"""
Estimate tokens cheaply: only its provider can count a model's tokens, and asking costs
a call.
"""

from collections.abc import Iterable, Sequence

from openclaw.interfaces import ToolSpec
from openclaw.messages import AssistantMessage, Message, ToolMessage, UserMessage
from openclaw.transcript import PlainTranscript

BYTES_PER_TOKEN = 4
"""
Bytes of English prose and code for each token. In other scripts a character is two or
three bytes, and about one token.
"""

IMAGE_TOKENS = 1000
MESSAGE_TOKENS = 4
"""
Tokens around the words of a message.
"""


def tokensOfText(text: str) -> int:
    """
    A text's tokens.
    """
    # Most text is ASCII, and knows it without being looked through.
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return size // BYTES_PER_TOKEN


def tokensOf(message: Message) -> int:
    """
    A message's tokens.
    """
    match message:
        case UserMessage():
            images = len(message.images) * IMAGE_TOKENS
            return tokensOfText(message.text) + images + MESSAGE_TOKENS
        case AssistantMessage():
            count = tokensOfText(message.content)
            for call in message.tool_calls:
                count += tokensOfText(call.name) + tokensOfText(call.arguments)
            return count + MESSAGE_TOKENS
        case ToolMessage():
            return tokensOfText(message.content) + MESSAGE_TOKENS


def tokensOfAll(messages: Iterable[Message]) -> int:
    """
    The tokens of a conversation.
    """
    return sum(map(tokensOf, messages))


def fits(messages: Sequence[Message], room: int) -> bool:
    """
    Is there room for a conversation?

    @param room: In tokens.
    """
    # What JSON puts around each text is more than what counts for a message.
    return (
        isinstance(messages, PlainTranscript)
        and len(messages.encoded) <= room * BYTES_PER_TOKEN
    ) or tokensOfAll(messages) <= room


def tokensOfTools(tools: Sequence[ToolSpec]) -> int:
    """
    The tokens of what a model is told of its tools.
    """
    return sum(
        tokensOfText(tool.name + tool.description) + tokensOfText(str(tool.parameters))
        for tool in tools
    )
