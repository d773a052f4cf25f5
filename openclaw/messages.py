"""
Provider-neutral messages, tool calls, and token usage.

These are what a prompt is made of, what a transcript keeps (as JSON, tagged by
C{role}) and what a model provider turns into its own wire form.  Nothing here
knows a reactor, a database or HTTP.

None can hold itself, so the garbage collector need not look at the thousands of them.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
"""
Why a model stopped, in OpenAI's words.
"""

MOST_CALLS = 128
"""
The most tool calls of one answer of a model.
"""


class ToolCall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    A model's wish to have a function called.

    @ivar id: The upstream's id for this call.
    @ivar name: The function's name.
    @ivar arguments: The arguments as the model wrote them: JSON text, which may
        be malformed.
    @ivar signature: What some providers want back with the call, to the letter.
    """

    id: str
    name: str
    arguments: str
    signature: str = ""


class Thought(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """
    A model's thinking before tool calls, as far as its provider wants it back.

    @ivar text: What it thought; empty if the provider keeps that to itself.
    @ivar signature: The provider's proof that these are its own words, or the
        thought itself in its cipher; useless to all other providers.
    """

    text: str
    signature: str


class TextPart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """
    Some text of what a person said.
    """

    text: str


class ImagePart(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="image"):
    """
    An image, as part of what a person said.

    @ivar mediaType: Such as C{image/png}; looked up in the data, not believed.
    @ivar data: The image's bytes in base64.
    """

    mediaType: str
    data: str


Part = TextPart | ImagePart


class UserMessage(msgspec.Struct, frozen=True, gc=False, tag_field="role", tag="user"):
    """
    A message of the person, or of the program in the person's place.

    @ivar content: Text, or parts in their order when there is more than text.
    """

    content: str | tuple[Part, ...]

    @property
    def text(self) -> str:
        """
        The text alone, its parts joined by line ends.
        """
        if isinstance(self.content, str):
            return self.content
        texts = [part.text for part in self.content if isinstance(part, TextPart)]
        return "\n".join(texts)

    @property
    def images(self) -> "tuple[ImagePart, ...]":
        """
        The images alone.
        """
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

    @ivar thoughts: What its provider wants back with it.
    """

    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Thought, ...] = ()


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
    @ivar content: The tool's text; of a failure, the reason.
    @ivar isError: The call failed.  The text alone never says so: a log may begin with
        C{Error:}.
    """

    tool_call_id: str
    content: str
    isError: bool = msgspec.field(default=False, name="is_error")


Message = UserMessage | AssistantMessage | ToolMessage
"""
One entry of a conversation.  System text is no message: it belongs to the prompt
(see L{openclaw.interfaces.ModelRequest.system}).
"""


def hasImages(messages: Sequence[Message]) -> bool:
    """
    Is there an image anywhere in a conversation?
    """
    return any(isinstance(each, UserMessage) and each.images for each in messages)


def strayResult(messages: Sequence[Message], start: int = 0) -> ToolMessage | None:
    """
    Find a tool's result that answers no call.  Results directly follow the message
    that made the calls, in any order; each call has one.  One that is repeated to the
    letter does no harm: callers try again after a failure.

    @param messages: A conversation, oldest first.
    @param start: Where to begin looking.  What comes before says only which calls
        there are, and which of them have results.

    @return: The first such result, or C{None} if there is none.
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
    Tokens spent, as the upstream counted them; usages add up.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NO_USAGE = Usage()
"""
Nothing spent.
"""

__all__ = [
    "MOST_CALLS",
    "NO_USAGE",
    "AssistantMessage",
    "FinishReason",
    "ImagePart",
    "Message",
    "Part",
    "TextPart",
    "Thought",
    "ToolCall",
    "ToolMessage",
    "Usage",
    "UserMessage",
    "hasImages",
    "strayResult",
]
