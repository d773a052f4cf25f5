"""
Parse the messages of a chat completion request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openclaw.api.body_parsing import truncate
from openclaw.api.call_state import decodeState
from openclaw.api.chat_schema import ImageURL, Part, WireMessage
from openclaw.api.request_images import ImageParser
from openclaw.errors import InvalidRequest
from openclaw.messages import (
    AssistantMessage,
    Message,
    TextPart,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
    joinRefusal,
)
from openclaw.messages import Part as MessagePart


@dataclass(frozen=True, kw_only=True)
class UnmatchedResult:
    """
    A tool result without a tool call before it.

    @ivar field: The field with the call's ID.
    """

    field: str
    callID: str | None

    def error(self) -> InvalidRequest:
        """
        Return the error for a request that has no session.
        """
        return InvalidRequest(
            f"`{self.field}` matches no tool call before it:"
            f" {truncate(self.callID or '')!r}.",
            param=self.field,
        )


@dataclass(frozen=True, kw_only=True)
class ParsedMessages:
    """
    The parsed C{messages} of a request.

    @ivar instructions: The system and developer texts.
    @ivar conversation: The other messages.
    @ivar unmatched: The first tool result without a tool call before it. The call may
        be in the session.
    """

    instructions: str
    conversation: tuple[Message, ...]
    unmatched: UnmatchedResult | None = None


def parseMessages(
    messages: Sequence[WireMessage], images: ImageParser
) -> ParsedMessages:
    """
    Parse the C{messages} of a request.

    @raise InvalidRequest: They are not valid; C{param} names the field.
    """
    unmatched: UnmatchedResult | None = None
    instructions: list[str] = []
    conversation: list[Message] = []
    callIDs: set[str] = set()
    hasInput = False
    for index, wireMessage in enumerate(messages):
        field = f"messages[{index}]"
        if wireMessage.role == "user":
            message = _userMessage(wireMessage, field, images)
            conversation.append(message)
            hasInput = hasInput or bool(message.text.strip() or message.images)
            continue
        text = _text(wireMessage, field)
        match wireMessage.role:
            case "system" | "developer":
                if text.strip():
                    instructions.append(text)
            case "assistant":
                calls = _toolCalls(wireMessage)
                callIDs.update(call.id for call in calls)
                content = joinRefusal(text, wireMessage.refusal or "")
                thoughts = _thoughts(wireMessage)
                conversation.append(AssistantMessage(content, calls, thoughts))
            case "tool":
                result = _toolMessage(wireMessage, text, field)
                if result.tool_call_id not in callIDs:
                    unmatched = unmatched or _unmatched(wireMessage, field)
                conversation.append(result)
                hasInput = True
            case role:
                raise InvalidRequest(
                    f"Invalid `{field}.role`: {truncate(role)!r} is not one of system,"
                    " developer, user, assistant or tool.",
                    param=f"{field}.role",
                )
    if not hasInput:
        raise InvalidRequest("Missing user message in `messages`.", param="messages")
    return ParsedMessages(
        instructions="\n\n".join(instructions),
        conversation=tuple(conversation),
        unmatched=unmatched,
    )


def _toolCalls(wireMessage: WireMessage) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            call.id,
            call.function.name,
            call.function.arguments,
            decodeState(call.extra_content)[0],
        )
        for call in wireMessage.tool_calls or ()
    )


def _thoughts(wireMessage: WireMessage) -> tuple[Thought, ...]:
    for call in wireMessage.tool_calls or ():
        if thoughts := decodeState(call.extra_content)[1]:
            return thoughts
    return ()


def _toolMessage(wireMessage: WireMessage, text: str, field: str) -> ToolMessage:
    if wireMessage.tool_call_id is None:
        raise _unmatched(wireMessage, field).error()
    return ToolMessage(wireMessage.tool_call_id, text)


def _unmatched(wireMessage: WireMessage, field: str) -> UnmatchedResult:
    return UnmatchedResult(
        field=f"{field}.tool_call_id", callID=wireMessage.tool_call_id
    )


def _text(wireMessage: WireMessage, field: str) -> str:
    """
    Return a message's text, its parts joined by newlines.
    """
    if wireMessage.content is None or isinstance(wireMessage.content, str):
        return wireMessage.content or ""
    isAssistant = wireMessage.role == "assistant"
    return "\n".join(
        part.refusal
        if isAssistant and part.type == "refusal" and part.refusal is not None
        else _partText(part, f"{field}.content[{index}]")
        for index, part in enumerate(wireMessage.content)
    )


def _partText(part: Part, field: str) -> str:
    if part.type not in ("text", "input_text"):
        raise InvalidRequest(
            f"Invalid `{field}`: parts of type {truncate(part.type)!r} are not"
            " supported.",
            param=field,
            code="unsupported_content",
        )
    text = part.text if part.text is not None else part.input_text
    if text is None:
        raise InvalidRequest(f"Missing `{field}.text`.", param=f"{field}.text")
    return text


def _userMessage(
    wireMessage: WireMessage, field: str, images: ImageParser
) -> UserMessage:
    """
    Parse a user's message. Parts are joined to one text unless one is an image.
    """
    if not isinstance(wireMessage.content, list) or all(
        part.type != "image_url" for part in wireMessage.content
    ):
        return UserMessage(_text(wireMessage, field))
    return UserMessage(
        tuple(
            _part(part, f"{field}.content[{index}]", images)
            for index, part in enumerate(wireMessage.content)
        )
    )


def _part(part: Part, field: str, images: ImageParser) -> MessagePart:
    if part.type != "image_url":
        return TextPart(_partText(part, field))
    images.countImage(field)
    url = part.image_url
    if isinstance(url, ImageURL):
        url = url.url
    if not isinstance(url, str) or not url.strip():
        raise InvalidRequest(
            f"Missing `{field}.image_url.url`.", param=f"{field}.image_url"
        )
    return images.parse(url, f"{field}.image_url.url")


def messagesAfterAssistant(conversation: Sequence[Message]) -> Sequence[Message]:
    """
    Return the messages after the assistant's last one.
    """
    for index in range(len(conversation) - 1, -1, -1):
        if isinstance(conversation[index], AssistantMessage):
            return conversation[index + 1 :]
    return conversation
