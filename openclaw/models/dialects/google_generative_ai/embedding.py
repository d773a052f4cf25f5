"""
Embeddings of the Gemini API.

Follows U{https://ai.google.dev/api/embeddings}.
"""

from typing import Any
from urllib.parse import quote

import msgspec

from openclaw.interfaces import EmbeddingReply, EmbeddingRequest
from openclaw.models.embedding_calls import readVector, requireTexts


class _Embedding(msgspec.Struct):
    values: msgspec.Raw


class _Usage(msgspec.Struct):
    promptTokenCount: int | None = None


class _Answer(msgspec.Struct):
    embeddings: list[_Embedding]
    usageMetadata: _Usage | None = None


_decodeAnswer = msgspec.json.Decoder(_Answer).decode


class GoogleEmbeddings:
    """
    See L{openclaw.models.embedding_calls.EmbeddingDialect}.
    """

    most = 100

    def path(self, request: EmbeddingRequest) -> str:
        name = quote(request.model.removeprefix("models/"), safe="")
        return f"/models/{name}:batchEmbedContents"

    def encode(self, request: EmbeddingRequest) -> bytes:
        """
        Encode the body, in which each text is a separate request.
        """
        common: dict[str, Any] = {
            "model": f"models/{request.model.removeprefix('models/')}"
        }
        if request.dimensions is not None:
            common["outputDimensionality"] = request.dimensions
        texts = requireTexts(request, "google-generative-ai")
        requests = [{**common, "content": {"parts": [{"text": t}]}} for t in texts]
        return msgspec.json.encode({"requests": requests})

    def read(self, answer: str) -> EmbeddingReply:
        """
        Return the vectors in order.  Most models do not count tokens.
        """
        found = _decodeAnswer(answer)
        usage = found.usageMetadata or _Usage()
        return EmbeddingReply(
            vectors=[readVector(each.values) for each in found.embeddings],
            promptTokens=usage.promptTokenCount or 0,
        )
