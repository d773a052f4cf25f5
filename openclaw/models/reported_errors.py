"""
Errors that a provider reports within a response, whose HTTP status is 200.
"""

from collections.abc import Iterator
from typing import Any

_STATUS_MEMBERS = (
    "status_code",
    "statusCode",
    "http_code",
    "http_status",
    "code",
    "status",
    "error_code",
)

_STATUS = (
    # OpenAI: https://platform.openai.com/docs/api-reference/responses/object
    dict.fromkeys(
        (
            "bio_policy",
            "context_length_exceeded",
            "empty_image_file",
            "failed_to_download_image",
            "image_content_policy_violation",
            "image_file_not_found",
            "image_file_too_large",
            "image_parse_error",
            "image_too_large",
            "image_too_small",
            "invalid_base64_image",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_mode",
            "invalid_image_url",
            "invalid_prompt",
            "invalid_request_error",
            "misalignment_policy_violation",
            "tool_use_failed",  # Groq
            "unsupported_image_media_type",
            "validation_error",
            "invalid_argument",  # Google
            "failed_precondition",  # Google
        ),
        400,
    )
    | dict.fromkeys(("authentication_error", "invalid_api_key", "unauthenticated"), 401)
    | dict.fromkeys(("billing_error", "payment_required"), 402)
    | dict.fromkeys(("permission_error", "permission_denied"), 403)
    | dict.fromkeys(("not_found_error", "not_found"), 404)
    | {"request_too_large": 413}
    | dict.fromkeys(
        (
            "insufficient_quota",
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limited",
            "too_many_requests",
            "resource_exhausted",  # Google
            "throttlingexception",  # Bedrock
        ),
        429,
    )
    | {
        "api_error": 500,
        "server_is_overloaded": 503,
        "slow_down": 503,
        "unavailable": 503,
        "timeout_error": 504,
        "deadline_exceeded": 504,
        "vector_store_timeout": 504,
        "overloaded_error": 529,
    }
)
"""
The HTTP status for each code or type of error; all others are the provider's errors.
"""

_CODE_MEMBERS = ("code", "type", "status", "error_type", "error_code", "reason")
_WORD_MEMBERS = (
    "detail",
    "error_message",
    "errorMessage",
    "error_msg",
    "error_description",
    "message",
    "msg",
)
_KIND_MEMBERS = ("type", "object", "event", "status", "code", "result")
_FAILURES = ("error", "exception", "fail")
_MAX_DEPTH = 6
_MAX_MEMBERS = 20

PINGS = frozenset(
    {"ping", "pong", "keepalive", "keep-alive", "keep_alive", "heartbeat"}
)
"""
Texts and types of events that only keep the connection alive.
"""


def findError(document: Any) -> Any:
    """
    Find an error in an event without any member of a reply.

    @param document: The event, of JSON types.
    @return: The error's description, or C{None} if there is none.
    """
    if not isinstance(document, dict):
        return None
    for name in ("error", "errors"):
        if document.get(name):
            return document[name]
    kinds = (document.get(name) for name in _KIND_MEMBERS)
    if any(
        isinstance(kind, str) and any(word in kind.lower() for word in _FAILURES)
        for kind in kinds
    ):
        return document
    if any(document.get(name) for name in ("error_type", "error_code", "errorCode")):
        return document
    if any(_isWords(document.get(name)) for name in _WORD_MEMBERS):
        return document
    if _statusIn(document) or document.get("success") is False:
        return document
    described = document.get("base_resp")  # MiniMax
    if isinstance(described, dict) and described.get("status_code"):
        return {**described, "message": described.get("status_msg")}
    return None


def isPing(document: Any) -> bool:
    """
    Return whether an event only keeps the connection alive.
    """
    return isinstance(document, dict) and any(
        isinstance(kind := document.get(name), str) and kind.lower() in PINGS
        for name in ("type", "event", "object")
    )


def statusOf(error: Any) -> int:
    """
    Return the HTTP status that an error would have before the response.
    """
    described = list(_objects(error))
    for each in described:
        if status := _statusIn(each):
            return status
    for each in described:
        for name in _CODE_MEMBERS:
            code = each.get(name)
            if isinstance(code, str) and code.lower() in _STATUS:
                return _STATUS[code.lower()]
    return 500


def _statusIn(described: dict[str, Any]) -> int | None:
    for name in _STATUS_MEMBERS:
        status = described.get(name)
        if isinstance(status, str) and status.isascii() and status.isdigit():
            status = int(status[:4])
        if isinstance(status, float) and status.is_integer():
            status = int(status)
        if type(status) is int and 400 <= status < 600:
            return status
    return None


def _isWords(value: Any) -> bool:
    return isinstance(value, str | list | dict) and bool(value)


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """
    Generate an error's objects, the outermost first.
    """
    if depth == _MAX_DEPTH:
        return
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value[:_MAX_MEMBERS]:
            yield from _objects(each, depth + 1)
