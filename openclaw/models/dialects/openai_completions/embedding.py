"""
Embeddings of OpenAI's API, for C{openai-completions} and C{openai-responses}.

Follows U{https://platform.openai.com/docs/api-reference/embeddings}.  The provider is
asked for the caller's format, since not every server supports base64; either format is
decoded.
"""

from typing import Any

import msgspec

from openclaw.interfaces import EmbeddingReply, EmbeddingRequest
from openclaw.models.embedding_calls import readVector


class _Embedding(msgspec.Struct):
    embedding: msgspec.Raw
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Embedding]
    usage: _Usage | None = None


_decodeAnswer = msgspec.json.Decoder(_Answer).decode


class OpenAIEmbeddings:
    """
    See L{openclaw.models.embedding_calls.EmbeddingDialect}.
    """

    most = 2048

    def path(self, request: EmbeddingRequest) -> str:
        return "/embeddings"

    def encode(self, request: EmbeddingRequest) -> bytes:
        """
        Encode the body.  The format is only sent if it is not the default.
        """
        body: dict[str, Any] = {"model": request.model, "input": request.inputs}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if request.base64:
            body["encoding_format"] = "base64"
        return msgspec.json.encode(body)

    def read(self, answer: str) -> EmbeddingReply:
        """
        Return the vectors, which may arrive in any order.
        """
        found = _decodeAnswer(answer)
        data = found.data
        if all(each.index is not None for each in data):
            data.sort(key=lambda each: each.index or 0)
        usage = found.usage or _Usage()
        return EmbeddingReply(
            vectors=[readVector(each.embedding) for each in data],
            promptTokens=usage.prompt_tokens or usage.total_tokens or 0,
        )


class LlamaCppEmbeddings(OpenAIEmbeddings):
    """
    The dialect of llama.cpp's server, which ignores C{dimensions}.
    """

    def encode(self, request: EmbeddingRequest) -> bytes:
        return super().encode(msgspec.structs.replace(request, dimensions=None))
