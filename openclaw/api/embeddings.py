"""
C{POST /v1/embeddings}: vectors of texts, by the model that an agent has for that.

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
    BodyReader,
    RawField,
    decoded,
    given,
    readBody,
    tellIgnored,
)
from openclaw.api.chat_schema import ModelName
from openclaw.api.client_headers import parseTargetHeaders
from openclaw.api.json_bounds import MAX_VALUES, checkCount, structureOf
from openclaw.errors import InvalidRequest
from openclaw.interfaces import EmbeddingReply, EmbeddingRequest, ICaller
from openclaw.models.embedding_calls import packed, unpacked
from openclaw.net.threads import runInBodyThread
from openclaw.server.api_request import ApiRequest

MAX_INPUTS = 2048
"""
OpenAI's own limit.
"""

MAX_TOKEN = 2**31 - 1

LARGE_ANSWER_NUMBERS = 50_000
"""
An answer of more numbers than this is written in a thread.
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


_reader = BodyReader(EmbeddingsRequest)
_decodeInput = msgspec.json.Decoder(str | list[str | int | list[int]]).decode


@dataclass(frozen=True, kw_only=True)
class EmbeddingsCall:
    """
    A valid request.

    @ivar model: The model string as it was sent, or C{None}.
    @ivar inputs: The texts, each as it is or as tokens.
    @ivar ignored: The names of the fields that are not used.
    """

    model: str | None
    inputs: Sequence[Input]
    base64: bool
    dimensions: int | None
    ignored: Sequence[str]


def parseEmbeddingsRequest(body: bytes) -> EmbeddingsCall:
    """
    Read the body of a request.

    @raise InvalidRequest: It is not valid; C{param} names the field.
    """
    request, ignored, _ = _reader.read(body)
    return EmbeddingsCall(
        model=request.model,
        inputs=readInputs(_input(request.input)),
        base64=request.encoding_format == "base64",
        dimensions=request.dimensions,
        ignored=ignored,
    )


def _input(raw: RawField) -> Any:
    """
    Decode C{input}, if there are not too many arrays in it.
    """
    if not given(raw):
        return None
    content = bytes(raw)
    if content.count(b"[") > MAX_INPUTS + 1:
        count = structureOf(content, MAX_VALUES).count(b"[") - 1
        if count > MAX_INPUTS:
            raise _tooMany(count)
    if b'"' in content:
        # Texts, of which there are fewer than there may be tokens.
        checkCount(content, "input", 2 * MAX_INPUTS)
    return decoded(_decodeInput, raw, "input")


def _tooMany(count: int) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid `input`: {count} inputs are more than {MAX_INPUTS}.", param="input"
    )


def readInputs(value: Any) -> Sequence[Input]:
    """
    Tell the four forms of C{input} apart: a text, texts, tokens, and lists of tokens.

    @raise InvalidRequest: It is none of them, or part of it is empty.
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
        raise _tooMany(len(value))
    if isinstance(value[0], list):
        return [_tokens(each, f"input[{i}]") for i, each in enumerate(value)]
    return [_text(each, f"input[{i}]") for i, each in enumerate(value)]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(
            f"Invalid `{where}`: expected a string like the others.", param=where
        )
    if not value:
        raise InvalidRequest(f"Invalid `{where}`: it is empty.", param=where)
    return value


def _tokens(value: Any, where: str) -> Sequence[int]:
    if not isinstance(value, list):
        raise InvalidRequest(
            f"Invalid `{where}`: expected an array of tokens like the others.",
            param=where,
        )
    if not value:
        raise InvalidRequest(f"Invalid `{where}`: it is empty.", param=where)
    for index, each in enumerate(value):
        if not _isToken(each):
            place = f"{where}[{index}]"
            raise InvalidRequest(
                f"Invalid `{place}`: expected a token, an integer from 0 on.",
                param=place,
            )
    return value


def _isToken(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_TOKEN


def answerOf(reply: EmbeddingReply, model: str, base64: bool) -> bytes:
    """
    The body of an answer.
    """
    # Vector by vector: the numbers of all of them would take much memory.
    data = [
        msgspec.json.encode(
            {
                "object": "embedding",
                "index": index,
                "embedding": packed(vector) if base64 else unpacked(vector),
            }
        )
        for index, vector in enumerate(reply.vectors)
    ]
    usage = {"prompt_tokens": reply.promptTokens, "total_tokens": reply.promptTokens}
    rest = msgspec.json.encode({"model": model, "usage": usage})
    return b'{"object":"list","data":[' + b",".join(data) + b"]," + rest[1:]


class Embeddings:
    """
    The resource.
    """

    def __init__(self, runtime: Runtime, reactor: Any) -> None:
        """
        @param reactor: A whole one: time and threads.
        """
        self._runtime = runtime
        self._reactor = reactor

    async def serve(self, request: ApiRequest) -> None:
        """
        Answer a request.

        @raise OpenClawError: It is wrong, or the model failed.
        """
        live, caller = request.live, request.caller
        call = await readBody(
            self._reactor, caller.shareKey, request.body, parseEmbeddingsRequest
        )
        headers = parseTargetHeaders(request.headers)
        request.discardInput()
        agent = live.directory.find(caller, model=call.model, agentHeader=headers.agent)
        asked = live.directory.modelOverride(agent, headers.model, caller)
        model = asked or agent.embeddingModel
        tellIgnored(request.response, call.ignored)
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
        self, reply: EmbeddingReply, call: EmbeddingsCall, caller: ICaller
    ) -> bytes:
        model = "openclaw" if call.model is None else call.model
        numbers = sum(map(len, reply.vectors))
        if numbers <= LARGE_ANSWER_NUMBERS:
            return answerOf(reply, model, call.base64)
        return await runInBodyThread(
            self._reactor,
            caller.shareKey,
            lambda _: answerOf(reply, model, call.base64),
        )
