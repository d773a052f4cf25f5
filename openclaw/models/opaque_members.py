"""
Members of assistant messages and tool calls in chat completions that only their
provider understands, and that go back to it.

Such are C{extra_content.google.thought_signature} of a call and C{reasoning_details} of
a message.  They are kept as JSON in the place of signatures; see
L{openclaw.models.thought_signatures}.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openclaw.messages import Thought
from openclaw.models.lenient_json import wellFormedJSON

DETAILS = "reasoning_details"
"""
OpenRouter's reasoning, which comes in pieces; U{https://openrouter.ai/docs/use-cases/reasoning-tokens}.
"""

MOST_DEPTH = 32
"""
Limit of the nesting of what is kept.
"""

_MARK = "json:"
_CALL_MEMBERS = frozenset(
    {"arguments", "custom", "function", "id", "index", "name", "status", "type"}
)
_MESSAGE_MEMBERS = frozenset(
    {
        "content",
        "function_call",
        "name",
        "reasoning",
        "reasoning_content",
        "reasoning_text",
        "refusal",
        "role",
        "tool_call_id",
        "tool_calls",
        # Results for the reader, which requests don't have.
        "annotations",
        "audio",
        "citations",
        "executed_tools",
        "images",
        "matched_stop",
        "provider_specific_fields",
        "search_results",
        DETAILS,
    }
)
_JOINED = ("text", "summary", "data")


def callMembers(call: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the members of a tool call that are not OpenAI's.
    """
    return _others(call, _CALL_MEMBERS)


def messageMembers(message: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the members of a message that are not known, other than L{DETAILS}.
    """
    return _others(message, _MESSAGE_MEMBERS)


def _others(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {
        name: each
        for name, each in value.items()
        if name not in known and each not in (None, "", [], {}) and isShallow(each)
    }


def isShallow(value: Any, depth: int = MOST_DEPTH) -> bool:
    """
    Return whether a JSON value is nested no deeper than is kept.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return depth > 0 and all(isShallow(each, depth - 1) for each in value)


def joinDetails(pieces: Iterable[Any]) -> list[Any]:
    """
    Join the pieces of C{reasoning_details}: of those that continue each other, texts
    are joined, and other members taken from the last piece that has them.
    """
    details: list[Any] = []
    texts: dict[str, list[str]] = {}

    def close() -> None:
        if texts:
            details[-1] |= {name: "".join(parts) for name, parts in texts.items()}
            texts.clear()

    for piece in pieces:
        last: Any = details[-1] if details else None
        if not isinstance(piece, dict) or not _continues(last, piece):
            close()
            last = dict(piece) if isinstance(piece, dict) else piece
            details.append(last)
        for name, value in piece.items() if isinstance(piece, dict) else ():
            if name in _JOINED and isinstance(value, str):
                texts.setdefault(name, []).append(value)
            elif value is not None:
                last[name] = value
    close()
    return details


def _continues(last: Any, piece: Mapping[str, Any]) -> bool:
    return (
        isinstance(last, dict)
        and all(piece.get(name) == last.get(name) for name in ("type", "index"))
        and piece.get("id") in (None, last.get("id"))
    )


def encodeMembers(members: Any) -> str:
    """
    Encode members for the place of a signature.
    """
    return msgspec.json.encode(wellFormedJSON(members)).decode()


def thoughtOf(name: str, value: Any) -> tuple[str, str, bool]:
    """
    Return a member of a message as the arguments of a L{Thought}.
    """
    return encodeMembers(value), _MARK + name, name != DETAILS


def memberOf(thought: Thought) -> tuple[str, Any] | None:
    """
    Return the member that a thought stands for, if it is one.
    """
    if not thought.signature.startswith(_MARK):
        return None
    return thought.signature.removeprefix(_MARK), msgspec.Raw(thought.text.encode())


def decodeCallMembers(signature: str) -> dict[str, Any]:
    """
    Return the members of a call that are kept as its signature.
    """
    try:
        return msgspec.json.decode(signature, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
