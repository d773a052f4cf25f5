"""
Embeddings of Ollama's native API.

Follows U{https://docs.ollama.com/api/embed}.
"""

from typing import Any

import msgspec

from openclaw.interfaces import EmbeddingReply, EmbeddingRequest
from openclaw.models.embedding_calls import readVector, requireTexts


class _Answer(msgspec.Struct):
    embeddings: list[msgspec.Raw]
    prompt_eval_count: int | None = None


_decodeAnswer = msgspec.json.Decoder(_Answer).decode


class OllamaEmbeddings:
    """
    See L{openclaw.models.embedding_calls.EmbeddingDialect}.
    """

    most = 2048

    def path(self, request: EmbeddingRequest) -> str:
        return "/api/embed"

    def encode(self, request: EmbeddingRequest) -> bytes:
        """
        Encode the body.  A text that is too long must fail: by default it would be
        silently truncated.
        """
        body: dict[str, Any] = {
            "model": request.model,
            "input": requireTexts(request, "ollama"),
            "truncate": False,
        }
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        return msgspec.json.encode(body)

    def read(self, answer: str) -> EmbeddingReply:
        """
        Return the vectors in order.
        """
        found = _decodeAnswer(answer)
        return EmbeddingReply(
            vectors=[readVector(each) for each in found.embeddings],
            promptTokens=found.prompt_eval_count or 0,
        )
