"""
From our errors to HTTP: the one place that knows how.
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
Default Retry-After of a 429, in seconds: as a rule it is the provider that is over its
limit and did not say for how long.
"""

JSON = b"application/json; charset=utf-8"

PLAIN_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""
Headers of every answer, unless it says otherwise: instructions for browsers.
"""

REASONS = {
    **RESPONSES,
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
}
"""
Reason phrases of statuses, those that Twisted does not know too.
"""

MAX_SHOWN = 200
"""
Characters of a path that an error shows.
"""

_BELOW_V1 = ("/chat/completions", "/models", "/embeddings")


def errorBody(error: OpenClawError) -> dict[str, Any]:
    """
    An error in OpenAI's shape, which the SDKs map to attributes.
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
    body = msgspec.json.encode(errorBody(error))
    for name, value in _headersOf(error, body):
        request.responseHeaders.setRawHeaders(name, [value])
    return body


def errorResponse(
    requestID: str, error: OpenClawError, *, withBody: bool = True
) -> bytes:
    """
    A whole answer with an error, where there is no request that could be answered:
    the last thing that is said on a connection.

    @param withBody: C{False} for an answer to HEAD.
    """
    body = msgspec.json.encode(errorBody(error))
    headers = [
        (b"x-request-id", requestID.encode()),
        *PLAIN_HEADERS,
        *_headersOf(error, body),
        (b"connection", b"close"),
    ]
    lines = [b"HTTP/1.1 %d %s" % (error.status, REASONS[error.status])]
    lines += [b"%s: %s" % header for header in headers]
    return b"\r\n".join([*lines, b"", body if withBody else b""])


def _headersOf(error: OpenClawError, body: bytes) -> list[tuple[bytes, bytes]]:
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


def methodNotAllowed(
    path: bytes, method: bytes, allowed: Collection[str]
) -> MethodNotAllowed:
    """
    Return the error for a path that has other methods.
    """
    names = sorted(allowed)
    return MethodNotAllowed(
        f"{method.decode('latin-1')} is not allowed on {_shown(path)};"
        f" use {' or '.join(names)}.",
        names,
    )


def nothingAt(path: bytes) -> NotFound:
    """
    Return the error for a path that nothing is at.
    """
    where = _shown(path)
    return NotFound(f"There is nothing at {where}.{_hint(where)}")


def _shown(path: bytes) -> str:
    where = path.decode("utf-8", "replace")
    return where if len(where) <= MAX_SHOWN else where[:MAX_SHOWN] + "…"


def _hint(where: str) -> str:
    """
    Return a hint for a path that comes of a wrong base URL, as it often is.
    """
    if where.startswith("/v1/v1/"):
        return " It has `/v1` twice."
    if where.startswith(_BELOW_V1):
        return " The base URL of the API ends with `/v1`."
    return ""
