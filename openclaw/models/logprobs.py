"""
Convert log probabilities of tokens from providers' forms to OpenAI's.

Follows C{choices[].logprobs.content} of
U{https://platform.openai.com/docs/api-reference/chat/object}.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openclaw.models.lenient_json import wellFormed

UNLIKELY = -9999.0
"""
OpenAI's value for a token that is very unlikely.
"""

MOST_ALTERNATIVES = 20
"""
Limit of the alternatives of a token.
"""

Token = Mapping[str, Any]


def readLogprobs(value: Any) -> tuple[Token, ...]:
    """
    Return the tokens with their log probabilities; none if the form is unknown.

    @param value: An object with a list of tokens as C{content} or C{refusal}; that list
        itself; Google's C{logprobsResult}; or lists of tokens and of their log
        probabilities, as in OpenAI's older API.
    """
    if isinstance(value, list):
        return tuple(_tokens(value))
    if not isinstance(value, dict):
        return ()
    for name in ("content", "refusal"):
        if isinstance(value.get(name), list):
            return tuple(_tokens(value[name]))
    if isinstance(value.get("chosenCandidates"), list):
        return tuple(_googleTokens(value))
    names, numbers = value.get("tokens"), value.get("token_logprobs")
    if isinstance(names, list) and isinstance(numbers, list):
        pairs = zip(names, numbers, strict=False)
        return tuple(_tokens([{"token": n, "logprob": p} for n, p in pairs]))
    return ()


def _tokens(entries: Sequence[Any]) -> Iterator[Token]:
    for entry in entries:
        token = _token(entry)
        if token is not None:
            others = entry.get("top_logprobs")
            found = map(_token, others if isinstance(others, list) else ())
            kept = [other for other in found if other is not None]
            yield {**token, "top_logprobs": kept[:MOST_ALTERNATIVES]}


def _token(entry: Any) -> dict[str, Any] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        return None
    token = wellFormed(entry["token"])
    return {
        "token": token,
        "logprob": _number(entry.get("logprob", entry.get("logProbability"))),
        "bytes": _bytes(entry.get("bytes"), token),
    }


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number):
            return number
    return UNLIKELY


def _bytes(value: Any, token: str) -> list[int]:
    """
    Return the token's bytes.  For a token that is part of a character, only the
    provider knows the bytes.
    """
    if isinstance(value, list) and all(
        type(each) is int and 0 <= each <= 255 for each in value
    ):
        return value
    return list(token.encode())


def _googleTokens(result: Mapping[str, Any]) -> Iterator[Token]:
    others = result.get("topCandidates")
    others = others if isinstance(others, list) else []
    for index, entry in enumerate(result["chosenCandidates"]):
        token = _token(entry)
        if token is None:
            continue
        top = others[index] if index < len(others) else None
        alternatives = top.get("candidates") if isinstance(top, dict) else None
        found = map(_token, alternatives if isinstance(alternatives, list) else ())
        kept = [other for other in found if other is not None]
        yield {**token, "top_logprobs": kept[:MOST_ALTERNATIVES]}
