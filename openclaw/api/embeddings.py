"""
C{POST /v1/embeddings}: create embeddings with an agent's embedding model.

Follows U{https://platform.openai.com/docs/api-reference/embeddings/create}.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from openclaw.agents.embedding_runs import EmbeddingCall
from openclaw.agents.runtime import Runtime
from openclaw.api.body_parsing import (
    BodyParser,
    RawField,
    decodeField,
    isPresent,
    parseBody,
    setIgnoredHeader,
)
from openclaw.api.chat_schema import ModelName
from openclaw.api.client_headers import parseTargetHeaders
from openclaw.api.json_bounds import MAX_VALUES, checkValueCount, extractStructure
from openclaw.errors import InvalidRequest
from openclaw.interfaces import EmbeddingReply, EmbeddingRequest, ICaller
from openclaw.models.embedding_calls import packVector, unpackVector
from openclaw.net.threads import runInBodyThread
from openclaw.server.api_request import ApiRequest

MAX_INPUTS = 2048
"""
Limit of inputs, as OpenAI's.
"""

MAX_TOKEN = 2**31 - 1

LARGE_RESPONSE_NUMBERS = 50_000
"""
A response with more numbers than this is encoded in a thread.
"""

Input = str | Sequence[int]


class EmbeddingsRequest(Struct):
    """
    The body of C{POST /v1/embeddings}.
    """

    input: RawField = msgspec.UNSET
    model: ModelName | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None


_parser = BodyParser(EmbeddingsRequest)
_decodeInput = msgspec.json.Decoder(str | list[str | int | list[int]]).decode


@dataclass(frozen=True, kw_only=True)
class ValidEmbeddingsRequest:
    """
    A valid embeddings request.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar inputs: The inputs, each a text or tokens.
    @ivar ignored: The names of the fields that are not used.
    """

    model: str | None
    inputs: Sequence[Input]
    base64: bool
    dimensions: int | None
    ignored: Sequence[str]


def parseEmbeddingsRequest(body: bytes) -> ValidEmbeddingsRequest:
    """
    Parse the body of a request.

    @raise InvalidRequest: The body is not valid; C{param} names the field.
    """
    request, ignored, _ = _parser.parse(body)
    return ValidEmbeddingsRequest(
        model=request.model,
        inputs=parseInputs(_input(request.input)),
        base64=request.encoding_format == "base64",
        dimensions=request.dimensions,
        ignored=ignored,
    )


def _input(raw: RawField) -> Any:
    """
    Decode C{input}, unless it has too many arrays.
    """
    if not isPresent(raw):
        return None
    content = bytes(raw)
    if content.count(b"[") > MAX_INPUTS + 1:
        count = extractStructure(content, MAX_VALUES).count(b"[") - 1
        if count > MAX_INPUTS:
            raise _tooManyInputs(count)
    if b'"' in content:
        # Strings have a lower limit than tokens.
        checkValueCount(content, "input", 2 * MAX_INPUTS)
    return decodeField(_decodeInput, raw, "input")


def _tooManyInputs(count: int) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid `input`: {count} inputs exceed the limit of {MAX_INPUTS}.",
        param="input",
    )


def parseInputs(value: Any) -> Sequence[Input]:
    """
    Parse the four forms of C{input}: a text, texts, tokens, and lists of tokens.

    @raise InvalidRequest: The input is of another form, or a part of it is empty.
    """
    if value is None:
        raise InvalidRequest("Missing `input`.", param="input")
    if not value:
        raise InvalidRequest("Invalid `input`: it is empty.", param="input")
    if isinstance(value, str):
        return [value]
    if _isToken(value[0]):
        return [_tokens(value, "input")]
    if len(value) > MAX_INPUTS:
        raise _tooManyInputs(len(value))
    if isinstance(value[0], list):
        return [_tokens(each, f"input[{i}]") for i, each in enumerate(value)]
    return [_text(each, f"input[{i}]") for i, each in enumerate(value)]


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(
            f"Invalid `{field}`: expected a string like the others.", param=field
        )
    if not value:
        raise InvalidRequest(f"Invalid `{field}`: it is empty.", param=field)
    return value


def _tokens(value: Any, field: str) -> Sequence[int]:
    if not isinstance(value, list):
        raise InvalidRequest(
            f"Invalid `{field}`: expected an array of tokens like the others.",
            param=field,
        )
    if not value:
        raise InvalidRequest(f"Invalid `{field}`: it is empty.", param=field)
    for index, each in enumerate(value):
        if not _isToken(each):
            item = f"{field}[{index}]"
            raise InvalidRequest(
                f"Invalid `{item}`: expected a token: an integer of at least 0.",
                param=item,
            )
    return value


def _isToken(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_TOKEN


def encodeResponse(reply: EmbeddingReply, model: str, base64: bool) -> bytes:
    # One vector at a time: Python numbers for all would take much memory.
    data = [
        msgspec.json.encode(
            {
                "object": "embedding",
                "index": index,
                "embedding": packVector(vector) if base64 else unpackVector(vector),
            }
        )
        for index, vector in enumerate(reply.vectors)
    ]
    usage: dict[str, int | bool] = {
        "prompt_tokens": reply.promptTokens,
        "total_tokens": reply.promptTokens,
    }
    if reply.estimated:
        usage["estimated"] = True
    rest = msgspec.json.encode({"model": model, "usage": usage})
    return b'{"object":"list","data":[' + b",".join(data) + b"]," + rest[1:]


class Embeddings:
    def __init__(self, runtime: Runtime, reactor: Any) -> None:
        """
        @param reactor: A reactor with time and threads.
        """
        self._runtime = runtime
        self._reactor = reactor

    async def serve(self, request: ApiRequest) -> None:
        """
        Respond to a request.

        @raise OpenClawError: The request is not valid, or the model failed.
        """
        live, caller = request.live, request.caller
        call = await parseBody(
            self._reactor, caller.shareKey, request.body, parseEmbeddingsRequest
        )
        headers = parseTargetHeaders(request.headers)
        request.discardInput()
        agent = live.directory.find(caller, model=call.model, agentHeader=headers.agent)
        override = live.directory.resolveModelOverride(agent, headers.model, caller)
        model = override or agent.embeddingModel
        setIgnoredHeader(request.response, call.ignored)
        release = live.doorkeeper.state.quotas.acquireRun(caller)
        try:
            reply = await self._runtime.embed(
                EmbeddingCall(
                    provider=model.provider,
                    request=EmbeddingRequest(
                        model.model,
                        call.inputs,
                        call.dimensions,
                        call.base64,
                        caller.shareKey,
                    ),
                    agent=agent,
                    caller=caller.label,
                    requestID=request.requestID,
                    arrivedAt=request.arrivedAt,
                    shareKey=caller.shareKey,
                    namespace=caller.namespace,
                )
            )
        finally:
            release()
        body = await self._body(reply, call, caller)
        request.respond(body)

    async def _body(
        self, reply: EmbeddingReply, call: ValidEmbeddingsRequest, caller: ICaller
    ) -> bytes:
        model = "openclaw" if call.model is None else call.model
        numbers = sum(map(len, reply.vectors))
        if numbers <= LARGE_RESPONSE_NUMBERS:
            return encodeResponse(reply, model, call.base64)
        return await runInBodyThread(
            self._reactor,
            caller.shareKey,
            lambda _: encodeResponse(reply, model, call.base64),
        )
