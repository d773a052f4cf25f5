"""
From the bytes of a request to what is asked: decoding and checking, without I/O.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from openclaw.errors import InvalidRequest
from openclaw.interfaces import Sampling, ToolChoice, ToolSpec
from openclaw.messages import Message
from openclaw.web.client_tools import readToolChoice, readTools
from openclaw.web.messages import afterAssistant, readMessages
from openclaw.web.wire import KNOWN_FIELDS, ChatCompletionRequest

_decodeRequest = msgspec.json.Decoder(ChatCompletionRequest).decode
_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.S)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_OUTDATED = {"functions": "tools", "function_call": "tool_choice"}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """
    A valid chat completion request, in the house's own words.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar opening: The whole conversation, without system texts.
    @ivar following: What of it comes after the last thing the assistant said.
    @ivar instructions: The system and developer texts.
    @ivar tools: What the client can do itself.
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
    tools: Sequence[ToolSpec]
    toolChoice: ToolChoice
    ignored: Sequence[str]


def readAsking(body: bytes) -> Asking:
    """
    Read the body of a request.

    @raise InvalidRequest: It is not valid; C{param} names the field.
    """
    request, ignored = _decode(body)
    if request.n is not None and request.n != 1:
        raise InvalidRequest("Only `n: 1` is supported.", param="n")
    for name, instead in _OUTDATED.items():
        if getattr(request, name) not in (None, [], "none"):
            raise InvalidRequest(
                f"`{name}` is not supported; use `{instead}`.",
                param=name,
                code="unsupported_parameter",
            )
    tools = readTools(request.tools)
    instructions, conversation = readMessages(request.messages or [])
    options = request.stream_options
    return Asking(
        model=request.model,
        stream=bool(request.stream),
        includeUsage=bool(options and options.include_usage),
        user=request.user,
        opening=conversation,
        following=afterAssistant(conversation),
        instructions=instructions,
        sampling=_sampling(request),
        tools=tools,
        toolChoice=readToolChoice(request.tool_choice, tools),
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


__all__ = ["Asking", "readAsking"]
