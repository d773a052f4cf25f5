"""
Provider-neutral messages, tool calls, and token usage.

Prompts consist of these, transcripts contain them (as JSON, tagged by C{role}), and
providers translate them to their own wire formats.

None can refer to itself, so they are exempt from garbage collection (C{gc=False}).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
"""
The reason for the end of a reply, in OpenAI's terms.
"""

MOST_CALLS = 128
"""
Limit of the tool calls in one reply of a model.
"""


class ToolCall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    A function call requested by a model.

    @ivar id: The provider's id of this call.
    @ivar name: The function's name.
    @ivar arguments: The arguments as the model wrote them: JSON text, which may
        be malformed.
    @ivar signature: An opaque text that some providers require back with the call.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""


class Thought(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    A model's reasoning before tool calls, if its provider requires it back; or another
    part of a message that only its provider understands.

    @ivar text: The reasoning; empty if the provider does not show it.
    @ivar signature: The provider's signature, or the encrypted reasoning.  Other
        providers reject it.
    @ivar lasting: Send it back in later turns, too, and also without tool calls.
    """

    text: str
    signature: str
    lasting: bool = False


class TextPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="image"):
    """
    @ivar mediaType: Such as C{image/png}; detected from the data, whatever the caller
        declared.
    @ivar data: The image's bytes in base64.
    """

    mediaType: str
    data: str


Part = TextPart | ImagePart


class UserMessage(msgspec.Struct, frozen=True, gc=False, tag_field="role", tag="user"):
    """
    A message of the user.

    @ivar content: Text, or parts in order if there are images.
    """

    content: str | tuple[Part, ...]

    @property
    def text(self) -> str:
        """
        Return the text parts, joined by line ends.
        """
        if isinstance(self.content, str):
            return self.content
        texts = [part.text for part in self.content if isinstance(part, TextPart)]
        return "\n".join(texts)

    @property
    def images(self) -> "tuple[ImagePart, ...]":
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))


class AssistantMessage(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    tag_field="role",
    tag="assistant",
):
    """
    A message of the model, and its tool calls.

    @ivar content: The text; a refusal is text, too.  See L{joinRefusal}.
    @ivar thoughts: The reasoning that its provider requires back with it.
    @ivar refused: The number of messages before this one that no model accepted.  They
        and this one, which has no content, are kept in the session and not sent again.
    """

    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Thought, ...] = ()
    refused: int = 0


def joinRefusal(text: str, refusal: str) -> str:
    """
    Return the content of a message with a refusal.
    """
    return "\n\n".join(filter(None, [text, refusal]))


class ToolMessage(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    tag_field="role",
    tag="tool",
):
    """
    The result of one tool call.

    @ivar tool_call_id: The L{ToolCall.id} that this answers.
    @ivar content: The tool's output, or the reason of a failure.
    @ivar isError: Whether the call failed.  The text does not show that: the output of
        a successful call may begin with C{Error:}.
    """

    tool_call_id: str
    content: str
    isError: bool = msgspec.field(default=False, name="is_error")


Message = UserMessage | AssistantMessage | ToolMessage
"""
An entry of a conversation.  The system prompt is separate: see
L{openclaw.interfaces.ModelRequest.system}.
"""


def hasImages(messages: Sequence[Message]) -> bool:
    return any(isinstance(each, UserMessage) and each.images for each in messages)


def strayResult(messages: Sequence[Message], start: int = 0) -> ToolMessage | None:
    """
    Find a tool result without a call.  Results directly follow the message with the
    calls, in any order; each call has one.  An identical repetition of a result is
    allowed: callers retry after a failure.

    @param messages: A conversation, oldest first.
    @param start: The index of the first message to check.  Calls and results before it
        are only matched.

    @return: The first such result, or C{None}.
    """
    if not any(isinstance(message, ToolMessage) for message in messages[start:]):
        return None
    unanswered: set[str] = set()
    answers: set[ToolMessage] = set()
    for index, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            unanswered = {call.id for call in message.tool_calls}
        elif isinstance(message, UserMessage):
            unanswered = set()
        elif message.tool_call_id in unanswered:
            unanswered.remove(message.tool_call_id)
            answers.add(message)
        elif index >= start and message not in answers:
            return message
    return None


class Usage(msgspec.Struct, frozen=True, gc=False):
    """
    Token counts, as reported by the provider.

    @ivar estimated: Some are estimates, since a provider reports none.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )


NO_USAGE = Usage()
