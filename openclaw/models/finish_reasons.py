"""
Providers' finish reasons.
"""

import re

from openclaw.messages import FinishReason

_KNOWN: dict[str, FinishReason] = {
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "end_turn": "stop",
    "stop": "stop",
    "length": "length",
    # Google's reason for an unsupported language.
    "language": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "sensitive": "content_filter",  # Zhipu
    "spii": "content_filter",
}

_FAILURE = re.compile(
    r"error|fail|abort|cancel|malformed|unexpected|missing|too_many|time_?out"
    r"|insufficient|interrupt|exception|broken|disconnect|overload|unavailable"
)
_LENGTH = re.compile(r"max_|length|context_window|limit")
_FILTER = re.compile(r"filter|safety|block|prohibit|policy|armor|moderat|violat|unsafe")


def isFailure(word: str) -> bool:
    """
    Return whether a reason means that the reply is incomplete, such as C{error}
    (OpenRouter), C{abort} (vLLM), C{insufficient_system_resource} (DeepSeek),
    C{network_error} (Zhipu) and C{MALFORMED_FUNCTION_CALL} (Google).
    """
    word = _normal(word)
    return word not in _KNOWN and _FAILURE.search(word) is not None


def nearestReason(word: str, otherwise: FinishReason = "stop") -> FinishReason:
    """
    Return the nearest of OpenAI's reasons.

    @param otherwise: The result for an unknown reason.
    """
    word = _normal(word)
    if word in _KNOWN:
        return _KNOWN[word]
    if _FILTER.search(word):
        return "content_filter"
    if _LENGTH.search(word):
        return "length"
    return otherwise


def _normal(word: str) -> str:
    return word[:100].lower().replace("-", "_").replace(" ", "_")
