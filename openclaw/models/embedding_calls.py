"""
Embeddings over HTTP: what a dialect says, and how its answers are read.

An answer comes as a whole, and is read a vector at a time: all numbers of a large one,
as Python's, would take ten times the memory.
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
from openclaw.messages import NO_USAGE, Usage
from openclaw.models.reply_decoding import plausible

INPUT_BYTES = 128 * 1024
"""
The most that an answer may have for each input, in bytes: the digits of a vector of
some 6000 numbers.
"""

MOST_BYTES = 96 * 1024 * 1024
"""
The most that an answer may have in all.
"""

VECTOR_BYTES = 1024 * 1024
"""
The most that one vector may have, in bytes of JSON: each number takes sixteen times as
much memory as the shortest way to write it.
"""

SPARE_BRACKETS = 10_000
"""
The brackets that an answer may have beside those of its vectors.
"""

LARGE_BYTES = 1024 * 1024
"""
An answer of more than this is read in a thread.
"""

FLOAT_BYTES = 4


class EmbeddingDialect(Protocol):
    """
    The wire form of one kind of API for embeddings. It holds no state.

    @cvar most: How many inputs a request may have.
    """

    most: int

    def path(self, request: EmbeddingRequest) -> str:
        """
        Return the request's path, from the base URL on; begins with a slash.
        """

    def encode(self, request: EmbeddingRequest) -> bytes:
        """
        The body.

        @raise InvalidRequest: The API has no way to say it.
        """

    def read(self, answer: str) -> EmbeddingReply:
        """
        Understand an answer.

        @raise ValueError: It makes no sense.
        """


class WholeAnswer:
    """
    Collects an answer that comes as a whole; its text is the reply's.  See
    L{openclaw.models.upstream_call.ReplyDecoder}.
    """

    usage: Usage = NO_USAGE

    def __init__(self, provider: str, inputs: int) -> None:
        """
        @param inputs: How many vectors are to come.
        """
        self.complete = False
        self._provider = provider
        self._most = min(LARGE_BYTES + inputs * INPUT_BYTES, MOST_BYTES)
        self._body = bytearray()

    def feed(self, data: bytes) -> list[ModelEvent]:
        """
        Keep the next bytes.  Of an answer that is too large the rest is not read.
        """
        self._body += data
        self.complete = len(self._body) > self._most
        return []

    def finish(self) -> list[ModelEvent]:
        """
        That was all.
        """
        return []

    def reply(self) -> ModelReply:
        """
        The answer's text.
        """
        if self.complete:
            raise UpstreamTooLarge(
                f"Provider {self._provider!r} sent more than any answer can have."
            )
        try:
            text = self._body.decode("utf-8")
        except UnicodeDecodeError:
            raise malformed(self._provider) from None
        return ModelReply(text=text, finishReason="stop", usage=NO_USAGE)


def malformed(provider: str) -> OpenClawError:
    """
    The error for an answer that makes no sense.
    """
    return UpstreamMalformed(
        f"Provider {provider!r} sent something that is no answer.", shouldRetry=False
    )


def readAnswer(
    provider: str, dialect: EmbeddingDialect, request: EmbeddingRequest, answer: str
) -> EmbeddingReply:
    """
    Understand an answer, and check it against what was asked.

    @raise OpenClawError: It is not what was asked for.
    """
    # A list of very many vectors would take more memory than all of their bytes.
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
                f"The answer of provider {provider!r} broke off."
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
            f"The model {request.model!r} has vectors of {length} dimensions; it can't"
            f" give {request.dimensions}.",
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
    Read one vector, of numbers or in base64: servers send what they like best.

    @raise ValueError: It is none.
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


def packed(vector: Vector) -> bytes:
    """
    A vector's numbers as OpenAI's base64 form has them: 32 bits each, little-endian.
    """
    if isinstance(vector, bytes):
        return vector
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tobytes()


def unpacked(vector: Vector) -> list[float]:
    """
    A vector's numbers.
    """
    if not isinstance(vector, bytes):
        return list(vector)
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def textsOf(request: EmbeddingRequest, api: str) -> Sequence[str]:
    """
    The inputs, for an API that takes texts only.

    @raise InvalidRequest: There are tokens among them.
    """
    texts = [each for each in request.inputs if isinstance(each, str)]
    if len(texts) != len(request.inputs):
        raise InvalidRequest(
            f"The model's API, {api}, takes texts only, not tokens.",
            param="input",
            code="unsupported_input",
        )
    return texts
