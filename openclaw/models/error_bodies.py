"""
The body of a provider's error, parsed for its meaning.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from openclaw.models.error_wordings import (
    READ_CHARACTERS,
    Meaning,
    meaningOf,
    optionalField,
    rejectedFields,
)

_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|token)[-_][\w*.-]{6,}|\b[\w-]{32,}", re.I)
_TOKENS = re.compile(r"(?<![\w.,-])(?:\d{3,9}|\d{1,3}(?:,\d{3}){1,2})(?![\w,]|\.\d)")
_MESSAGE_CHARACTERS = 500
_MAX_DEPTH = 8
_MAX_FAULTS = 5

_TEXT_MEMBERS = (
    "error",
    "message",
    "detail",
    "msg",
    "error_message",
    "errorMessage",
    "error_msg",
    "status_msg",
    "errors",
    "error_description",
    "title",
)
"""
Members that may contain an error's message, the likeliest first.
"""

_CODE_MEMBERS = ("code", "type", "status", "reason", "error_type", "error_code")

_UNKNOWN_CODES = frozenset(
    {
        "extra_forbidden",  # pydantic: Mistral, FastAPI
        "unknown_parameter",  # OpenAI
        "unsupported_parameter",  # OpenAI
        "unsupported_value",  # OpenAI
        "wrong_api_format",  # Cerebras
        "parameter_unknown",
    }
)


class ErrorBody(msgspec.Struct, frozen=True):
    """
    A provider's description of an error.

    @ivar message: Its message for the caller, in one short line without secrets; may be
        empty.
    @ivar meaning: Its meaning, independent of the status, if it is known.
    @ivar rejectedFields: Optional fields that the provider or the model does not
        support, by OpenAI's names.
    @ivar readableShare: The part of a conversation that the model can read, if the
        error states both numbers of tokens.
    """

    message: str = ""
    meaning: Meaning | None = None
    rejectedFields: Sequence[str] = ()
    readableShare: float | None = None


def parseErrorBody(body: bytes, secrets: Sequence[str] = ()) -> ErrorBody:
    """
    Parse C{{"error": {"message": …}}} or one of its common variants.

    @param secrets: Texts to hide if the provider quotes them.
    """
    document = _decoded(body)
    if document is None:
        document = "" if body.strip() == b"null" else _plainText(body)
    text = _textOf(document)
    members = list(_objects(document))
    codes = [
        code
        for member in members
        for name in _CODE_MEMBERS
        if isinstance(code := member.get(name), str)
    ]
    fields = dict.fromkeys([*_fieldsNamed(members), *rejectedFields(text)])
    return ErrorBody(
        _shown(text, secrets),
        meaningOf(codes, " ".join([text, *_hints(members)])),
        tuple(fields),
        _readableShare(text[:READ_CHARACTERS]),
    )


def _readableShare(text: str) -> float | None:
    """
    Compare the two largest numbers of an error: the length of a conversation, and what
    the model can read.
    """
    numbers = {int(each.replace(",", "")) for each in _TOKENS.findall(text)}
    largest = sorted(numbers, reverse=True)[:2]
    return largest[1] / largest[0] if len(largest) == 2 else None


def _decoded(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _plainText(body: bytes) -> str:
    """
    Return the words of a body that is neither JSON nor HTML, nor damaged.
    """
    try:
        text = body.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ""
    return "" if text[:1] in ("<", "{", "[", '"') else text


def _textOf(value: Any, depth: int = 0) -> str:
    """
    Return the message of an error, wherever it is.
    """
    if isinstance(value, str):
        nested = _decoded(value) if value.lstrip()[:1] in ("{", "[") else None
        return (nested is not None and _textOf(nested, depth + 1)) or value
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(value, list):
        # Google's responses to streaming requests are lists; pydantic's errors are one
        # for each field.
        texts = [_textOf(each, depth + 1) for each in value[:_MAX_FAULTS]]
        return "; ".join(dict.fromkeys(filter(None, texts)))
    if not isinstance(value, dict):
        return ""
    text = next(
        filter(None, (_textOf(value.get(name), depth + 1) for name in _TEXT_MEMBERS)),
        "",
    )
    location = value.get("loc")
    if text and isinstance(location, list):
        text = f"{'.'.join(map(str, location[:_MAX_DEPTH]))}: {text}"
    relayed = _relayed(value, depth)
    return f"{text}: {relayed}" if text and relayed else text or relayed


def _relayed(described: dict[str, Any], depth: int) -> str:
    """
    Return the message of the provider behind OpenRouter.
    """
    metadata = described.get("metadata")
    return _textOf(metadata.get("raw"), depth + 1) if isinstance(metadata, dict) else ""


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """
    Generate the objects of an error, the outermost first.
    """
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = _decoded(value)
    if isinstance(value, list):
        for each in value[:_MAX_FAULTS]:
            yield from _objects(each, depth + 1)
    elif isinstance(value, dict):
        yield value
        for name in (*_TEXT_MEMBERS, "metadata", "details", "raw"):
            if name in value:
                yield from _objects(value[name], depth + 1)


def _fieldsNamed(members: Sequence[dict[str, Any]]) -> Iterator[str]:
    """
    Generate the fields that an error has beside a code.
    """
    for member in members:
        codes = [member.get(name) for name in ("code", "type")]
        if any(isinstance(c, str) and c in _UNKNOWN_CODES for c in codes):
            location = member.get("loc")
            param = member.get("param")
            if isinstance(param, str):
                location = re.split(r"[.\[\]]+", param.strip(".]"))
            if isinstance(location, list):
                field = optionalField(location)
                if field is not None:
                    yield field


def _hints(members: Sequence[dict[str, Any]]) -> Iterator[str]:
    """
    Generate the types of Google's details, one of which has the time until a retry.
    """
    for member in members:
        kind = member.get("@type")
        if isinstance(kind, str):
            yield kind[:100]


def _shown(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    # Only now: truncated before, it could end with a part of a secret.
    text = text[:READ_CHARACTERS]
    shown = _KEY_LIKE.sub("***", " ".join(text.split()))
    if len(shown) <= _MESSAGE_CHARACTERS:
        return shown
    return f"{shown[:_MESSAGE_CHARACTERS]}…"
