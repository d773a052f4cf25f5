"""
From the house's errors to HTTP: the one place that knows how.
"""

from math import ceil

import msgspec
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as RouteMethodNotAllowed

from openclaw.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    OpenClawError,
)
from openclaw.web.chunks import errorBody

JSON = b"application/json; charset=utf-8"


def answerWith(request: Request, error: OpenClawError) -> bytes:
    """
    Set a request's status and headers for an error.

    @return: The body.
    """
    headers = request.responseHeaders
    request.setResponseCode(error.status)
    headers.setRawHeaders(b"content-type", [JSON])
    if isinstance(error, AuthenticationFailed):
        headers.setRawHeaders(b"www-authenticate", [b'Bearer realm="openclaw"'])
    if isinstance(error, MethodNotAllowed):
        headers.setRawHeaders(b"allow", [", ".join(error.allowed).encode()])
    if error.retryAfter is not None:
        headers.setRawHeaders(b"retry-after", [b"%d" % max(1, ceil(error.retryAfter))])
        headers.setRawHeaders(
            b"retry-after-ms", [b"%d" % ceil(error.retryAfter * 1000)]
        )
    if error.shouldRetry is not None:
        headers.setRawHeaders(
            b"x-should-retry", [b"true" if error.shouldRetry else b"false"]
        )
    body = msgspec.json.encode(errorBody(error))
    headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    return body


def routingError(error: HTTPException, path: bytes, method: bytes) -> OpenClawError:
    """
    What Klein's routing found, in our terms.
    """
    where = path.decode("utf-8", "replace")
    if isinstance(error, RouteMethodNotAllowed):
        allowed = sorted(set(error.valid_methods or ()) - {"OPTIONS"})
        return MethodNotAllowed(
            f"{method.decode('latin-1')} is not allowed on {where};"
            f" use {' or '.join(allowed)}.",
            allowed,
        )
    return NotFound(f"There is nothing at {where}.")


__all__ = ["JSON", "answerWith", "routingError"]
