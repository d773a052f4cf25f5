"""
Embeddings over HTTP: the interface of dialects, and the decoding of responses.

A response is collected first, and decoded one vector at a time: as Python's numbers,
all of a large one would take ten times the memory.
"""

import sys
from array import array
from base64 import b64decode
from collections.abc import Sequence
from typing import Protocol

import msgspec

from openclaw.errors import (
    InvalidRequest,
    OpenClawError,
    UpstreamMalformed,
    UpstreamTooLarge,
    UpstreamTruncated,
)
from openclaw.events import ModelEvent
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelReply,
    Vector,
)
from openclaw.messages import NO_USAGE, FinishReason, Usage
from openclaw.models.answer_limits import plausible

INPUT_BYTES = 128 * 1024
"""
Limit of the response's bytes for each input: the digits of about 6000 numbers.
"""

MAX_RESPONSE_BYTES = 96 * 1024 * 1024
"""
Limit of the bytes of a response.
"""

VECTOR_BYTES = 1024 * 1024
"""
Limit of the bytes of one vector in JSON: in memory, a number takes up to sixteen times
as many as its shortest representation.
"""

SPARE_BRACKETS = 10_000
"""
Limit of the brackets of a response besides those of its vectors.
"""

LARGE_BYTES = 1024 * 1024
"""
A response larger than this is decoded in a thread.
"""

FLOAT_BYTES = 4


class EmbeddingDialect(Protocol):
    """
    The wire format of an API for embeddings.  It has no state.

    @cvar most: The most inputs of a request.
    """

    most: int

    def path(self, request: EmbeddingRequest) -> str:
        """
        Return the request's path after the base URL; begins with a slash.
        """

    def encode(self, request: EmbeddingRequest) -> bytes:
        """
        Encode the request's body.

        @raise InvalidRequest: The API does not support an option.
        """

    def read(self, answer: str) -> EmbeddingReply:
        """
        Decode a response.

        @raise ValueError: It is not valid.
        """


class WholeAnswer:
    """
    Collects a response that is not a stream, as the text of the reply.  See
    L{openclaw.models.upstream_call.ReplyDecoder}.
    """

    usage: Usage = NO_USAGE
    finishReason: FinishReason | None = None

    def __init__(self, provider: str, inputs: int) -> None:
        """
        @param inputs: The number of expected vectors.
        """
        self.complete = False
        self._provider = provider
        self._limit = min(LARGE_BYTES + inputs * INPUT_BYTES, MAX_RESPONSE_BYTES)
        self._body = bytearray()

    def feed(self, data: bytes) -> list[ModelEvent]:
        self._body += data
        self.complete = len(self._body) > self._limit
        return []

    def finish(self) -> list[ModelEvent]:
        return []

    def reply(self) -> ModelReply:
        if self.complete:
            raise UpstreamTooLarge(
                f"Provider {self._provider!r} sent a response that is too large."
            )
        try:
            text = self._body.decode("utf-8")
        except UnicodeDecodeError:
            raise malformed(self._provider) from None
        return ModelReply(text=text, finishReason="stop", usage=NO_USAGE)


def malformed(provider: str) -> OpenClawError:
    """
    Make the error for an invalid response.
    """
    return UpstreamMalformed(
        f"Provider {provider!r} sent an invalid response.", shouldRetry=False
    )


def readAnswer(
    provider: str, dialect: EmbeddingDialect, request: EmbeddingRequest, answer: str
) -> EmbeddingReply:
    """
    Decode a response, and check it against the request.

    @raise OpenClawError: It is not valid, or does not match the request.
    """
    # A list of very many vectors would take more memory than their bytes.
    brackets = answer.count("[") + answer.count("{")
    if brackets > SPARE_BRACKETS + 2 * len(request.inputs):
        raise UpstreamTooLarge(
            f"Provider {provider!r} sent more vectors than it was asked for."
        )
    try:
        reply = dialect.read(answer)
    except msgspec.ValidationError:
        raise malformed(provider) from None
    except (msgspec.DecodeError, RecursionError) as error:
        if "truncated" in str(error):
            raise UpstreamTruncated(
                f"The response of provider {provider!r} was truncated."
            ) from None
        raise malformed(provider) from None
    except ValueError:
        raise malformed(provider) from None
    lengths = {_length(vector) for vector in reply.vectors}
    if len(reply.vectors) != len(request.inputs) or len(lengths) != 1:
        raise malformed(provider)
    [length] = lengths
    if request.dimensions not in (None, length):
        raise InvalidRequest(
            f"The model {request.model!r} has vectors of {length} dimensions, not"
            f" {request.dimensions}.",
            param="dimensions",
            code="unsupported_dimensions",
        )
    count = plausible(reply.promptTokens)
    return msgspec.structs.replace(reply, promptTokens=count)


def _length(vector: Vector) -> int:
    return len(vector) // FLOAT_BYTES if isinstance(vector, bytes) else len(vector)


_decodeFloats = msgspec.json.Decoder(list[float]).decode
_decodeText = msgspec.json.Decoder(str).decode


def readVector(raw: msgspec.Raw) -> Vector:
    """
    Decode one vector of numbers or in base64: servers may send either.

    @raise ValueError: It is not valid.
    """
    data = bytes(raw)
    if len(data) > VECTOR_BYTES:
        raise ValueError("too many numbers")
    if data[:1] != b'"':
        numbers = array("d", _decodeFloats(data))
        if not numbers:
            raise ValueError("no numbers")
        return numbers
    packed = b64decode(_decodeText(data), validate=True)
    if not packed or len(packed) % FLOAT_BYTES:
        raise ValueError("no numbers")
    return packed


def packVector(vector: Vector) -> bytes:
    """
    Encode a vector for OpenAI's base64 form: 32-bit floats, little-endian.
    """
    if isinstance(vector, bytes):
        return vector
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tobytes()


def unpackVector(vector: Vector) -> list[float]:
    """
    Return a vector's numbers.
    """
    if not isinstance(vector, bytes):
        return list(vector)
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def requireTexts(request: EmbeddingRequest, api: str) -> Sequence[str]:
    """
    Return the inputs, for an API that accepts texts only.

    @raise InvalidRequest: An input consists of tokens.
    """
    texts = [each for each in request.inputs if isinstance(each, str)]
    if len(texts) != len(request.inputs):
        raise InvalidRequest(
            f"The model's API, {api}, accepts texts only, not tokens.",
            param="input",
            code="unsupported_input",
        )
    return texts
