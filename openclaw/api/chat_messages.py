"""
The conversation in a request: from OpenAI's wire form to our own types.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from openclaw.api.body_parsing import quoted
from openclaw.api.chat_schema import ImageURL, Part, WireMessage
from openclaw.api.request_images import ImageReader
from openclaw.errors import InvalidRequest
from openclaw.messages import (
    AssistantMessage,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.messages import Part as MessagePart


@dataclass(frozen=True, kw_only=True)
class UnmatchedResult:
    """
    A tool result that answers no call before it.

    @ivar where: The field that names the call.
    """

    where: str
    callID: str | None

    def error(self) -> InvalidRequest:
        """
        The error for those who may not have one.
        """
        return InvalidRequest(
            f"`{self.where}` answers no tool call before it:"
            f" {quoted(self.callID or '')!r}.",
            param=self.where,
        )


@dataclass(frozen=True, kw_only=True)
class ParsedMessages:
    """
    The parsed C{messages} of a request.

    @ivar instructions: The system and developer texts.
    @ivar conversation: The rest.
    @ivar stray: The first tool result that answers no call before it.  The call may
        have been made earlier, if this is not the whole conversation.
    """

    instructions: str
    conversation: tuple[Message, ...]
    stray: UnmatchedResult | None = None


def parseMessages(wire: Sequence[WireMessage], images: ImageReader) -> ParsedMessages:
    """
    Read the C{messages} of a request.

    @raise InvalidRequest: They are not valid; C{param} names the place.
    """
    stray: UnmatchedResult | None = None
    instructions: list[str] = []
    conversation: list[Message] = []
    called: set[str] = set()
    asked = False
    for index, said in enumerate(wire):
        where = f"messages[{index}]"
        if said.role == "user":
            message = _userMessage(said, where, images)
            conversation.append(message)
            asked = asked or bool(message.text.strip() or message.images)
            continue
        text = _text(said, where)
        match said.role:
            case "system" | "developer":
                if text.strip():
                    instructions.append(text)
            case "assistant":
                calls = _toolCalls(said)
                called.update(call.id for call in calls)
                conversation.append(AssistantMessage(text, calls))
            case "tool":
                result = _toolMessage(said, text, where)
                if result.tool_call_id not in called:
                    stray = stray or _stray(said, where)
                conversation.append(result)
                asked = True
            case role:
                raise InvalidRequest(
                    f"Invalid `{where}.role`: {quoted(role)!r} is none of system,"
                    " developer, user, assistant and tool.",
                    param=f"{where}.role",
                )
    if not asked:
        raise InvalidRequest("Missing user message in `messages`.", param="messages")
    return ParsedMessages(
        instructions="\n\n".join(instructions),
        conversation=tuple(conversation),
        stray=stray,
    )


def _toolCalls(said: WireMessage) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(call.id, call.function.name, call.function.arguments)
        for call in said.tool_calls or ()
    )


def _toolMessage(said: WireMessage, text: str, where: str) -> ToolMessage:
    if said.tool_call_id is None:
        raise _stray(said, where).error()
    return ToolMessage(said.tool_call_id, text)


def _stray(said: WireMessage, where: str) -> UnmatchedResult:
    return UnmatchedResult(where=f"{where}.tool_call_id", callID=said.tool_call_id)


def _text(said: WireMessage, where: str) -> str:
    """
    A message's text, its parts joined by line ends.
    """
    if said.content is None or isinstance(said.content, str):
        return said.content or ""
    return "\n".join(
        _partText(part, f"{where}.content[{index}]")
        for index, part in enumerate(said.content)
    )


def _partText(part: Part, where: str) -> str:
    if part.type not in ("text", "input_text"):
        raise InvalidRequest(
            f"Invalid `{where}`: parts of type {quoted(part.type)!r} are not"
            " supported.",
            param=where,
            code="unsupported_content",
        )
    text = part.text if part.text is not None else part.input_text
    if text is None:
        raise InvalidRequest(f"Missing `{where}.text`.", param=f"{where}.text")
    return text


def _userMessage(said: WireMessage, where: str, images: ImageReader) -> UserMessage:
    """
    Read a user's content; parts stay parts only where there is an image among them.
    """
    if not isinstance(said.content, list) or all(
        part.type != "image_url" for part in said.content
    ):
        return UserMessage(_text(said, where))
    return UserMessage(
        tuple(
            _part(part, f"{where}.content[{index}]", images)
            for index, part in enumerate(said.content)
        )
    )


def _part(part: Part, where: str, images: ImageReader) -> MessagePart:
    if part.type != "image_url":
        return TextPart(_partText(part, where))
    images.take(where)
    url = part.image_url
    if isinstance(url, ImageURL):
        url = url.url
    if not isinstance(url, str) or not url.strip():
        raise InvalidRequest(
            f"Missing `{where}.image_url.url`.", param=f"{where}.image_url"
        )
    return images.read(url, f"{where}.image_url.url")


def messagesAfterAssistant(conversation: Sequence[Message]) -> Sequence[Message]:
    """
    Return the messages after the assistant's last one.
    """
    for index in range(len(conversation) - 1, -1, -1):
        if isinstance(conversation[index], AssistantMessage):
            return conversation[index + 1 :]
    return conversation
