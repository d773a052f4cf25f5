"""
The body of a provider's error, parsed for its meaning.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|token)[-_][\w*.-]{6,}|\b[\w-]{32,}", re.I)
_MESSAGE_CHARACTERS = 500
_READ_CHARACTERS = 16 * 1024

_TOO_LONG_CODES = frozenset(
    {
        "context_length_exceeded",  # OpenAI, Azure, Groq
        "exceed_context_size_error",  # llama.cpp
        "string_above_max_length",  # OpenAI, of one message
    }
)

_TOO_LONG = re.compile(
    r"maximum context length"  # OpenAI, Azure, DeepSeek, Mistral, OpenRouter, vLLM
    r"|exceeds? (?:the |your |this )?(?:model'?s? )?context (?:window|length|limit)"
    r"|prompt is too long"  # Anthropic
    r"|input token count.{0,40}exceeds the maximum"  # Gemini
    r"|exceeds the available context size"  # llama.cpp
    r"|input \(\d+ tokens\) is too large to process"  # llama.cpp, of embeddings
    r"|exceeded (?:max |model )?(?:context length|token limit)"  # Ollama, Moonshot
    r"|(?:greater|longer) than the (?:model's )?context length"  # LM Studio, Together
    r"|reduce the length of the messages"  # Groq
    r"|maximum prompt length is"  # xAI
    r"|input is too long for requested model"  # Bedrock
    r"|context window exceeds limit"  # MiniMax
    r"|prompt exceeds max length"  # Zhipu
    r"|range of input length should be"  # Qwen
    r"|context[ _]?(?:length|window)[ _]?exceeded",  # LiteLLM
    re.I,
)
"""
Wordings of a conversation that is too long, where providers have no code for it.
"""


class ErrorBody(msgspec.Struct, frozen=True):
    """
    A provider's description of an error.

    @ivar message: Its words for the caller, in one short line without secrets; empty
        if there are none.
    @ivar contextTooLong: The conversation is longer than the model can read.
    @ivar keyRefused: It is about the gateway's key, whatever the status says.
    """

    message: str = ""
    contextTooLong: bool = False
    keyRefused: bool = False


def parseErrorBody(body: bytes, secrets: Sequence[str] = ()) -> ErrorBody:
    """
    Read C{{"error": {"message": …}}} or one of its common variants.

    @param secrets: What must not be shown where the provider's words quote it.
    """
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorBody()
    if isinstance(document, list) and document:
        # Google's answers are lists where a stream was asked for.
        document = document[0]
    for name in ("error", "detail"):
        if isinstance(document, dict) and name in document:
            document = document[name]
    described = document if isinstance(document, dict) else {"message": document}
    message = described.get("message")
    text = message if isinstance(message, str) else ""
    return ErrorBody(
        _shown(text, secrets), _isTooLong(described, text), _isOfKey(described)
    )


def _isTooLong(described: dict[str, Any], message: str) -> bool:
    for name in ("code", "type"):
        code = described.get(name)
        if isinstance(code, str) and code in _TOO_LONG_CODES:
            return True
    texts = (message[:_READ_CHARACTERS], _relayed(described))
    return any(map(_TOO_LONG.search, texts))


def _relayed(described: dict[str, Any]) -> str:
    """
    Return the message of the provider behind OpenRouter.
    """
    metadata = described.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return raw[:_READ_CHARACTERS] if isinstance(raw, str) else ""


def _isOfKey(described: dict[str, Any]) -> bool:
    """
    Google calls a wrong key an invalid argument.
    """
    return "API_KEY_INVALID" in _reasons(described)


def _reasons(described: dict[str, Any]) -> Iterator[Any]:
    details = described.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            yield detail.get("reason")


def _shown(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    # Only now: cut before, it could end with a part of a secret.
    text = text[:_READ_CHARACTERS]
    shown = _KEY_LIKE.sub("***", " ".join(text.split()))
    if len(shown) <= _MESSAGE_CHARACTERS:
        return shown
    return f"{shown[:_MESSAGE_CHARACTERS]}…"
