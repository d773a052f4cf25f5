"""
From the bytes of a request to what is asked: decoding and checking, without I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from openclaw.api.body_parsing import (
    BodyReader,
    RawField,
    decoded,
    given,
    readPassed,
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
    WireMessage,
)
from openclaw.api.client_tools import parseToolChoice, parseTools
from openclaw.api.json_bounds import (
    MAX_MESSAGE_VALUES,
    checkCount,
    checkPassed,
    isSmall,
)
from openclaw.api.request_images import ImageReader, RemoteImage
from openclaw.config import Images
from openclaw.errors import InvalidRequest
from openclaw.interfaces import Sampling, ToolChoice, ToolSpec
from openclaw.messages import Message
from openclaw.raw_json import RawObject
from openclaw.transcript import encodedIfPlain

_reader = BodyReader(ChatCompletionRequest, LargeRequest)
USUAL_IMAGES = Images()
_OUTDATED = {"functions": "tools", "function_call": "tool_choice"}
_NOTHING = frozenset({b"[]", b'"none"'})
MAX_PASSED_VALUES = 10_000
"""
Limit of values in a field that is passed on, beside C{tools}.
"""

_decodeRawMessages = msgspec.json.Decoder(RawMessages).decode
_decodeMessage = msgspec.json.Decoder(WireMessage).decode
_decodeStop = msgspec.json.Decoder(str | list[str]).decode
_decodeBias = msgspec.json.Decoder(LogitBias).decode
_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """
    A valid chat completion request, in our own types.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar opening: The whole conversation, without system texts.
    @ivar following: What of it comes after the last thing the assistant said.
    @ivar instructions: The system and developer texts.
    @ivar tools: What the client can do itself.
    @ivar ignored: The names of the fields that are not used.
    @ivar remoteImages: The images in the conversation that are to be fetched.
    @ivar stray: See L{openclaw.api.chat_messages.ParsedMessages}.
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
    stray: UnmatchedResult | None


@dataclass(frozen=True, kw_only=True)
class ChatBody:
    """
    A body whose fields are of the right kinds.

    @ivar fields: The fields.
    @ivar ignored: The names of those that are not used.
    @ivar values: The number of its values; see L{BodyReader.read}.
    @ivar isSmall: Can it be read at once, without holding others up?
    """

    fields: ChatCompletionRequest
    ignored: Sequence[str]
    values: int
    isSmall: bool


def decodeChatBody(body: bytes) -> ChatBody:
    """
    Read the body of a request, without its messages and tools.

    @raise InvalidRequest: It is not valid; C{param} names the field.
    """
    request, ignored, values = _reader.read(body)
    if request.n is not None and request.n != 1:
        raise InvalidRequest("Only `n: 1` is supported.", param="n")
    for name, instead in _OUTDATED.items():
        outdated = getattr(request, name)
        if given(outdated) and b"".join(bytes(outdated).split()) not in _NOTHING:
            raise InvalidRequest(
                f"`{name}` is not supported; use `{instead}`.",
                param=name,
                code="unsupported_parameter",
            )
    return ChatBody(
        fields=request, ignored=ignored, values=values, isSmall=isSmall(body)
    )


def parseChatRequest(body: ChatBody, images: Images = USUAL_IMAGES) -> ChatRequest:
    """
    Read the messages, the tools and the rest of a request.

    @param images: What images may be.

    @raise InvalidRequest: It is not valid; C{param} names the field.
    """
    request = body.fields
    tools = parseTools(request.tools)
    reader = ImageReader(allowed=images)
    said = parseMessages(_messages(request, body.values), reader)
    opening: Sequence[Message] = said.conversation
    if not body.isSmall:
        # Here, where it holds nobody up, and not when the model is asked.
        opening = encodedIfPlain(opening)
    options = request.stream_options
    return ChatRequest(
        model=request.model,
        stream=bool(request.stream),
        includeUsage=bool(options and options.include_usage),
        user=request.user,
        opening=opening,
        following=messagesAfterAssistant(opening),
        instructions=said.instructions,
        sampling=_sampling(request),
        tools=tools,
        toolChoice=parseToolChoice(request.tool_choice, tools),
        ignored=body.ignored,
        remoteImages=reader.remote,
        stray=said.stray,
    )


def _messages(request: ChatCompletionRequest, values: int) -> Sequence[WireMessage]:
    if not isinstance(request, LargeRequest):
        return request.messages or []
    raw = request.messages
    if not given(raw):
        return []
    messages = []
    for index, each in enumerate(decoded(_decodeRawMessages, raw, "messages")):
        where = f"messages[{index}]"
        if values > MAX_MESSAGE_VALUES:
            checkCount(bytes(each), where, MAX_MESSAGE_VALUES)
        messages.append(decoded(_decodeMessage, each, where))
    return messages


def _passedObject(raw: RawField, field: str) -> RawObject | None:
    if not given(raw):
        return None
    checkPassed(bytes(raw), field, MAX_PASSED_VALUES)
    decoded(_decodeObject, raw, field)
    return RawObject(bytes(raw), field)


def _sampling(request: ChatCompletionRequest) -> Sampling:
    fields: dict[str, Any] = {
        name: getattr(request, name) for name in Sampling.__struct_fields__
    }
    fields["response_format"] = _passedObject(
        request.response_format, "response_format"
    )
    fields["logit_bias"] = readPassed(
        _decodeBias, request.logit_bias, "logit_bias", MAX_PASSED_VALUES
    )
    stop = readPassed(_decodeStop, request.stop, "stop", MAX_STOP_SEQUENCES)
    fields["stop"] = tuple(stop) if isinstance(stop, list) else stop
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidRequest(
            "`top_logprobs` needs `logprobs: true`.", param="top_logprobs"
        )
    return Sampling(**fields)
