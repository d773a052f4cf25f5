"""
Estimates of token counts.

Only the provider can count a model's tokens, at the cost of a call.
"""

from collections.abc import Iterable, Sequence

import msgspec

from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelReply,
    ModelRequest,
    ToolSpec,
)
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolMessage,
    Usage,
    UserMessage,
)
from openclaw.transcript import PlainTranscript

BYTES_PER_TOKEN = 4
"""
Bytes per token of English prose and code.  In other scripts a character is two or three
bytes, and about one token.
"""

IMAGE_TOKENS = 1000
MESSAGE_TOKENS = 4
"""
Tokens that a message takes besides its text.
"""


def estimateText(text: str) -> int:
    # isascii is O(1), and most text is ASCII.
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return size // BYTES_PER_TOKEN


def estimateMessage(message: Message) -> int:
    match message:
        case UserMessage():
            images = len(message.images) * IMAGE_TOKENS
            return estimateText(message.text) + images + MESSAGE_TOKENS
        case AssistantMessage():
            count = estimateText(message.content)
            for call in message.tool_calls:
                count += estimateText(call.name) + estimateText(call.arguments)
            return count + MESSAGE_TOKENS
        case ToolMessage():
            return estimateText(message.content) + MESSAGE_TOKENS


def estimateMessages(messages: Iterable[Message]) -> int:
    return sum(map(estimateMessage, messages))


def fits(messages: Sequence[Message], room: int) -> bool:
    """
    Return whether a conversation fits.

    @param room: In tokens.
    """
    # JSON takes more bytes for each message than MESSAGE_TOKENS.
    return (
        isinstance(messages, PlainTranscript)
        and len(messages.encoded) <= room * BYTES_PER_TOKEN
    ) or estimateMessages(messages) <= room


def estimateTools(tools: Sequence[ToolSpec]) -> int:
    return sum(
        estimateText(tool.name + tool.description) + estimateText(str(tool.parameters))
        for tool in tools
    )


def completeUsage(request: ModelRequest, reply: ModelReply) -> Usage:
    """
    Return a reply's usage, with an estimate of what the provider does not report: no
    request has no tokens.
    """
    usage = reply.usage
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if not prompt:
        prompt = estimateText(request.system) + estimateTools(request.tools)
        prompt += estimateMessages(request.messages)
    if not completion and (reply.text or reply.toolCalls):
        answer = AssistantMessage(reply.text, tuple(reply.toolCalls))
        completion = max(estimateMessage(answer) - MESSAGE_TOKENS, 1)
    if (prompt, completion) == (usage.prompt_tokens, usage.completion_tokens):
        return usage
    return Usage(
        prompt, completion, usage.cached_tokens, usage.reasoning_tokens, estimated=True
    )


def completeEmbedding(
    request: EmbeddingRequest, reply: EmbeddingReply
) -> EmbeddingReply:
    """
    Estimate the tokens of an embedding whose provider does not report them.
    """
    if reply.promptTokens:
        return reply
    tokens = sum(
        max(estimateText(each), 1) if isinstance(each, str) else len(each)
        for each in request.inputs
    )
    return msgspec.structs.replace(reply, promptTokens=tokens, estimated=True)
