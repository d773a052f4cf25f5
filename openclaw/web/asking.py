"""
From the bytes of a request to what is asked: decoding and checking, without I/O.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from openclaw.errors import InvalidRequest
from openclaw.interfaces import Sampling
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.web.wire import KNOWN_FIELDS, ChatCompletionRequest, Part, WireMessage

_decodeRequest = msgspec.json.Decoder(ChatCompletionRequest).decode
_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.S)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_CLIENT_TOOL_FIELDS = ("tools", "tool_choice", "functions", "function_call")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """
    A valid chat completion request, in the house's own words.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar opening: The whole conversation, without system texts.
    @ivar following: What of it comes after the last thing the assistant said.
    @ivar instructions: The system and developer texts.
    @ivar ignored: The names of the fields that are not used.
    """

    model: str | None
    stream: bool
    includeUsage: bool
    user: str | None
    opening: Sequence[Message]
    following: Sequence[Message]
    instructions: str
    sampling: Sampling
    ignored: Sequence[str]


def readAsking(body: bytes) -> Asking:
    """
    Read the body of a request.

    @raise InvalidRequest: It is not valid; C{param} names the field.
    """
    request, ignored = _decode(body)
    if request.n is not None and request.n != 1:
        raise InvalidRequest("Only `n: 1` is supported.", param="n")
    for name in _CLIENT_TOOL_FIELDS:
        if getattr(request, name) not in (None, [], "none"):
            raise InvalidRequest(
                f"`{name}` is not supported by this version of the gateway.",
                param=name,
                code="unsupported_parameter",
            )
    instructions, conversation = _readMessages(request.messages or [])
    options = request.stream_options
    return Asking(
        model=request.model,
        stream=bool(request.stream),
        includeUsage=bool(options and options.include_usage),
        user=request.user,
        opening=conversation,
        following=_afterAssistant(conversation),
        instructions=instructions,
        sampling=_sampling(request),
        ignored=ignored,
    )


def _decode(body: bytes) -> tuple[ChatCompletionRequest, list[str]]:
    try:
        # msgspec does not look into the strings that it passes over.
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid UTF-8 (byte {error.start}).", code="invalid_json"
        ) from None
    try:
        names = _decodeObject(body)
        request = _decodeRequest(body)
    except msgspec.ValidationError as error:
        raise _invalidField(str(error)) from None
    except RecursionError:
        raise InvalidRequest(
            "The body is nested too deeply.", code="invalid_json"
        ) from None
    except msgspec.DecodeError as error:
        where = "" if "(byte " in str(error) else f" (byte {len(body)})"
        raise InvalidRequest(
            f"The body is not valid JSON: {error}{where}.", code="invalid_json"
        ) from None
    given = {name for name, value in names.items() if bytes(value) != b"null"}
    return request, sorted(given - KNOWN_FIELDS)


def _invalidField(text: str) -> InvalidRequest:
    """
    msgspec's C{Expected `str`, got `int` - at `$.messages[0].role`}, as ours.
    """
    found = _WHERE.match(text)
    assert found is not None
    what, where = found["what"], found["where"]
    if not where:
        return InvalidRequest(f"The body is invalid: {what}.", code="invalid_json")
    missing = _MISSING.match(what)
    if missing is not None:
        where = f"{where}.{missing['name']}"
        return InvalidRequest(f"Missing `{where}`.", param=where)
    return InvalidRequest(f"Invalid `{where}`: {what}.", param=where)


def _sampling(request: ChatCompletionRequest) -> Sampling:
    fields: dict[str, Any] = {
        name: getattr(request, name) for name in Sampling.__struct_fields__
    }
    if isinstance(fields["stop"], list):
        fields["stop"] = tuple(fields["stop"])
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidRequest(
            "`top_logprobs` needs `logprobs: true`.", param="top_logprobs"
        )
    return Sampling(**fields)


# Messages


def _readMessages(wire: Sequence[WireMessage]) -> tuple[str, tuple[Message, ...]]:
    """
    @return: The system texts, and the conversation.
    """
    instructions: list[str] = []
    conversation: list[Message] = []
    called: set[str] = set()
    asked = False
    for index, said in enumerate(wire):
        where = f"messages[{index}]"
        text = _text(said, where)
        match said.role:
            case "system" | "developer":
                if text.strip():
                    instructions.append(text)
            case "user":
                conversation.append(UserMessage(text))
                asked = asked or bool(text.strip())
            case "assistant":
                calls = _toolCalls(said)
                called.update(call.id for call in calls)
                conversation.append(AssistantMessage(text, calls))
            case "tool":
                conversation.append(_toolMessage(said, text, where, called))
                asked = True
            case role:
                raise InvalidRequest(
                    f"Invalid `{where}.role`: {role!r} is none of system, developer,"
                    " user, assistant and tool.",
                    param=f"{where}.role",
                )
    if not asked:
        raise InvalidRequest("Missing user message in `messages`.", param="messages")
    return "\n\n".join(instructions), tuple(conversation)


def _toolCalls(said: WireMessage) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(call.id, call.function.name, call.function.arguments)
        for call in said.tool_calls or ()
    )


def _toolMessage(
    said: WireMessage, text: str, where: str, called: set[str]
) -> ToolMessage:
    if said.tool_call_id not in called:
        raise InvalidRequest(
            f"`{where}.tool_call_id` answers no tool call before it:"
            f" {said.tool_call_id!r}.",
            param=f"{where}.tool_call_id",
        )
    assert said.tool_call_id is not None
    return ToolMessage(said.tool_call_id, text)


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
            f"Invalid `{where}`: parts of type {part.type!r} are not supported.",
            param=where,
            code="unsupported_content",
        )
    text = part.text if part.text is not None else part.input_text
    if text is None:
        raise InvalidRequest(f"Missing `{where}.text`.", param=f"{where}.text")
    return text


def _afterAssistant(conversation: Sequence[Message]) -> Sequence[Message]:
    for index in range(len(conversation) - 1, -1, -1):
        if isinstance(conversation[index], AssistantMessage):
            return conversation[index + 1 :]
    return conversation


__all__ = ["Asking", "readAsking"]
