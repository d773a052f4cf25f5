"""
Decode and validate chat completion requests, without I/O.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from openclaw.api.body_parsing import (
    BodyParser,
    RawField,
    decodeField,
    decodePassthrough,
    isPresent,
)
from openclaw.api.chat_messages import (
    UnmatchedResult,
    messagesAfterAssistant,
    parseMessages,
)
from openclaw.api.chat_schema import (
    MAX_STOP_SEQUENCES,
    ChatCompletionRequest,
    LargeRequest,
    LogitBias,
    RawMessages,
    ResponseFormat,
    WireMessage,
)
from openclaw.api.client_tools import parseToolChoice, parseTools
from openclaw.api.json_bounds import (
    MAX_MESSAGE_VALUES,
    checkPassthrough,
    checkValueCount,
    isSmall,
)
from openclaw.api.request_images import ImageParser, RemoteImage
from openclaw.config import Images
from openclaw.errors import InvalidRequest
from openclaw.interfaces import Sampling, ToolChoice, ToolSpec
from openclaw.messages import Message
from openclaw.raw_json import RawObject
from openclaw.transcript import encodedIfPlain

_parser = BodyParser(ChatCompletionRequest, LargeRequest)
DEFAULT_IMAGES = Images()
_REPLACED_FIELDS = {"functions": "tools", "function_call": "tool_choice"}
_UNUSED_VALUES = frozenset({b"[]", b'"none"'})
MAX_PASSTHROUGH_VALUES = 10_000
"""
Limit of values in a field that is passed on, other than C{tools}.
"""

_ENTRY = re.compile(r"\[\d+\]")
_decodeRawMessages = msgspec.json.Decoder(RawMessages).decode
_decodeMessage = msgspec.json.Decoder(WireMessage).decode
_decodeStop = msgspec.json.Decoder(str | list[str]).decode
_decodeBias = msgspec.json.Decoder(LogitBias).decode
_decodeFormat = msgspec.json.Decoder(ResponseFormat).decode
_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """
    A valid chat completion request.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar opening: The whole conversation, without system texts.
    @ivar following: The messages after the assistant's last one.
    @ivar instructions: The system and developer texts.
    @ivar tools: The client's tools.
    @ivar ignored: The names of the fields that are not used.
    @ivar remoteImages: The images in the conversation that have to be fetched.
    @ivar unmatched: See L{openclaw.api.chat_messages.ParsedMessages}.
    """

    model: str | None
    stream: bool
    includeUsage: bool
    user: str | None
    opening: Sequence[Message]
    following: Sequence[Message]
    instructions: str
    sampling: Sampling
    tools: Sequence[ToolSpec]
    toolChoice: ToolChoice
    ignored: Sequence[str]
    remoteImages: Sequence[RemoteImage]
    unmatched: UnmatchedResult | None


@dataclass(frozen=True, kw_only=True)
class ChatBody:
    """
    A body whose fields have the right types.

    @ivar fields: The fields.
    @ivar ignored: The names of the fields that are not used.
    @ivar values: The number of its values; see L{BodyParser.parse}.
    @ivar isSmall: True if it can be parsed in the reactor thread.
    """

    fields: ChatCompletionRequest
    ignored: Sequence[str]
    values: int
    isSmall: bool


def decodeChatBody(body: bytes) -> ChatBody:
    """
    Decode the body of a request, without its messages and tools.

    @raise InvalidRequest: The body is not valid; C{param} names the field.
    """
    request, ignored, values = _parser.parse(body)
    if request.n is not None and request.n != 1:
        raise InvalidRequest("Only `n: 1` is supported.", param="n")
    for name, instead in _REPLACED_FIELDS.items():
        replaced = getattr(request, name)
        if (
            isPresent(replaced)
            and b"".join(bytes(replaced).split()) not in _UNUSED_VALUES
        ):
            raise InvalidRequest(
                f"`{name}` is not supported; use `{instead}`.",
                param=name,
                code="unsupported_parameter",
            )
    return ChatBody(
        fields=request, ignored=ignored, values=values, isSmall=isSmall(body)
    )


def parseChatRequest(body: ChatBody, images: Images = DEFAULT_IMAGES) -> ChatRequest:
    """
    Parse the messages, the tools and the options of a request.

    @param images: The configured limits of images.

    @raise InvalidRequest: The request is not valid; C{param} names the field.
    """
    request = body.fields
    tools = parseTools(request.tools)
    imageParser = ImageParser(allowed=images)
    messages = parseMessages(_messages(request, body.values), imageParser)
    opening: Sequence[Message] = messages.conversation
    if not body.isSmall:
        # In this thread, rather than later in the reactor's.
        opening = encodedIfPlain(opening)
    options = request.stream_options
    return ChatRequest(
        model=request.model,
        stream=bool(request.stream),
        includeUsage=bool(options and options.include_usage),
        user=request.user,
        opening=opening,
        following=messagesAfterAssistant(opening),
        instructions=messages.instructions,
        sampling=_sampling(request),
        tools=tools,
        toolChoice=parseToolChoice(request.tool_choice, tools),
        ignored=body.ignored,
        remoteImages=imageParser.remote,
        unmatched=messages.unmatched,
    )


def _messages(request: ChatCompletionRequest, values: int) -> Sequence[WireMessage]:
    if not isinstance(request, LargeRequest):
        return request.messages or []
    raw = request.messages
    if not isPresent(raw):
        return []
    messages = []
    for index, each in enumerate(decodeField(_decodeRawMessages, raw, "messages")):
        field = f"messages[{index}]"
        if values > MAX_MESSAGE_VALUES:
            checkValueCount(bytes(each), field, MAX_MESSAGE_VALUES)
        messages.append(decodeField(_decodeMessage, each, field))
    return messages


def _passthroughObject(raw: RawField, field: str) -> RawObject | None:
    if not isPresent(raw):
        return None
    checkPassthrough(bytes(raw), field, MAX_PASSTHROUGH_VALUES)
    decodeField(_decodeObject, raw, field)
    return RawObject(bytes(raw), field)


def _parseFormat(raw: RawField) -> RawObject | None:
    """
    Check a C{response_format}.  The messages are OpenClaw's.
    """
    if not isPresent(raw):
        return None
    field = "response_format"
    checkPassthrough(bytes(raw), field, MAX_PASSTHROUGH_VALUES)
    if not bytes(raw).lstrip().startswith(b"{"):
        raise _invalidFormat("response_format must be an object")
    wanted = decodeField(_decodeFormat, raw, field)
    if wanted.type not in ("text", "json_object", "json_schema"):
        raise _invalidFormat(
            "response_format.type must be text, json_object, or json_schema",
            "response_format.type",
        )
    if wanted.type == "json_schema":
        if wanted.json_schema is None:
            raise _invalidFormat(
                "response_format.json_schema is required", "response_format.json_schema"
            )
        if not isPresent(wanted.json_schema.schema):
            raise _invalidFormat(
                "response_format.json_schema.schema is required",
                "response_format.json_schema.schema",
            )
    return RawObject(bytes(raw), field)


def _invalidFormat(fault: str, param: str = "response_format") -> InvalidRequest:
    return InvalidRequest(f"Invalid response_format: {fault}", param=param)


def _parseStop(raw: RawField) -> str | tuple[str, ...] | None:
    """
    Check the stop sequences.  The messages are OpenClaw's.
    """
    if not isPresent(raw):
        return None
    fault, param = "", "stop"
    checkPassthrough(bytes(raw), param, MAX_PASSTHROUGH_VALUES)
    try:
        stop = _decodeStop(raw)
    except msgspec.ValidationError as error:
        fault = "stop must be a string or array of strings"
        entry = _ENTRY.search(str(error))
        if entry is not None:
            fault = "stop entries must be non-empty strings"
            param = f"stop{entry[0]}"
    else:
        entries = [stop] if isinstance(stop, str) else stop
        if len(entries) > MAX_STOP_SEQUENCES:
            fault = f"stop supports at most {MAX_STOP_SEQUENCES} sequences"
        elif "" in entries:
            fault = "stop entries must be non-empty strings"
            param = "stop" if isinstance(stop, str) else f"stop[{entries.index('')}]"
    if fault:
        raise InvalidRequest(f"Invalid stop: {fault}", param=param)
    return stop if isinstance(stop, str) else tuple(stop)


def _sampling(request: ChatCompletionRequest) -> Sampling:
    fields: dict[str, Any] = {
        name: getattr(request, name) for name in Sampling.__struct_fields__
    }
    fields["response_format"] = _parseFormat(request.response_format)
    fields["logit_bias"] = decodePassthrough(
        _decodeBias, request.logit_bias, "logit_bias", MAX_PASSTHROUGH_VALUES
    )
    fields["metadata"] = _passthroughObject(request.metadata, "metadata")
    fields["stop"] = _parseStop(request.stop)
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidRequest(
            "`top_logprobs` needs `logprobs: true`.", param="top_logprobs"
        )
    return Sampling(**fields)
