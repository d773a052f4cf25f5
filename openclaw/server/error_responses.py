"""
Error responses: from our errors to HTTP.
"""

from collections.abc import Collection
from math import ceil
from typing import Any

import msgspec
from twisted.web.http import RESPONSES
from twisted.web.server import Request

from openclaw.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    OpenClawError,
)

RETRY_SECONDS = 5.0
"""
Default Retry-After of a 429, in seconds: most often a provider is over its limit and
did not say for how long.
"""

JSON = b"application/json; charset=utf-8"

DEFAULT_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""
Headers of each response that does not set them itself: instructions for browsers.
"""

REASONS = {
    **RESPONSES,
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
}
"""
Reason phrases by status, with those that Twisted lacks.
"""

MAX_PATH_CHARACTERS = 200
"""
Limit of characters of a path that an error repeats.
"""

_PATHS_BELOW_V1 = ("/chat/completions", "/models", "/embeddings")


def buildErrorBody(error: OpenClawError) -> dict[str, Any]:
    """
    Build an error object in OpenAI's shape, which the SDKs map to exceptions.
    """
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }


def setErrorResponse(request: Request, error: OpenClawError) -> bytes:
    """
    Set a request's status and headers for an error.

    @return: The body.
    """
    request.setResponseCode(error.status, REASONS.get(error.status))
    body = msgspec.json.encode(buildErrorBody(error))
    for name, value in _errorHeaders(error, body):
        request.responseHeaders.setRawHeaders(name, [value])
    return body


def renderErrorResponse(
    requestID: str, error: OpenClawError, *, withBody: bool = True
) -> bytes:
    """
    Render a complete error response where there is no request to answer: the last bytes
    of a connection.

    @param withBody: C{False} for a response to C{HEAD}.
    """
    body = msgspec.json.encode(buildErrorBody(error))
    headers = [
        (b"x-request-id", requestID.encode()),
        *DEFAULT_HEADERS,
        *_errorHeaders(error, body),
        (b"connection", b"close"),
    ]
    lines = [b"HTTP/1.1 %d %s" % (error.status, REASONS[error.status])]
    lines += [b"%s: %s" % header for header in headers]
    return b"\r\n".join([*lines, b"", body if withBody else b""])


def _errorHeaders(error: OpenClawError, body: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", JSON)]
    if isinstance(error, AuthenticationFailed):
        headers.append((b"www-authenticate", b'Bearer realm="openclaw"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    seconds = error.retryAfter
    if seconds is None and error.status == 429:
        seconds = RETRY_SECONDS
    if seconds is not None:
        headers += [
            (b"retry-after", b"%d" % max(1, ceil(seconds))),
            (b"retry-after-ms", b"%d" % ceil(seconds * 1000)),
        ]
    if error.shouldRetry is not None:
        headers.append((b"x-should-retry", b"true" if error.shouldRetry else b"false"))
    headers.append((b"content-length", b"%d" % len(body)))
    return headers


def buildMethodNotAllowed(
    path: bytes, method: bytes, allowed: Collection[str]
) -> MethodNotAllowed:
    names = sorted(allowed)
    return MethodNotAllowed(
        f"{method.decode('latin-1')} is not allowed on {_truncatePath(path)};"
        f" use {' or '.join(names)}.",
        names,
    )


def pathNotFound(path: bytes) -> NotFound:
    where = _truncatePath(path)
    return NotFound(f"There is no endpoint at {where}.{_baseURLHint(where)}")


def _truncatePath(path: bytes) -> str:
    where = path.decode("utf-8", "replace")
    return (
        where
        if len(where) <= MAX_PATH_CHARACTERS
        else where[:MAX_PATH_CHARACTERS] + "…"
    )


def _baseURLHint(where: str) -> str:
    """
    Return a hint if the path looks like the result of a wrong base URL.
    """
    if where.startswith("/v1/v1/"):
        return " The path contains `/v1` twice."
    if where.startswith(_PATHS_BELOW_V1):
        return " The base URL of the API must end with `/v1`."
    return ""
