"""
CORS: the web pages that may call the gateway from a browser.

U{https://fetch.spec.whatwg.org/#http-cors-protocol}. Pages authenticate with a token
and no cookies, so C{Access-Control-Allow-Credentials} is never sent.
"""

import re
from collections.abc import Sequence

from twisted.web.http_headers import Headers as RequestHeaders

from openclaw.config import CORS

Headers = tuple[tuple[bytes, bytes], ...]

EXPOSED_HEADERS = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, openai-processing-ms,"
    " x-openclaw-run-id, x-openclaw-session-key, x-openclaw-ignored-params,"
    " idempotent-replayed"
)
"""
Response headers that a page may read, beside the CORS-safelisted ones.
"""

ALWAYS_ALLOWED_HEADERS = ("authorization", "content-type", "idempotency-key")
"""
Request headers that a page may always send.
"""

MAX_AGE_SECONDS = 600
MAX_HEADER_NAMES = 64
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")

_EXPOSE: Headers = ((b"access-control-expose-headers", EXPOSED_HEADERS.encode()),)
_VARY: Headers = ((b"vary", b"Origin"),)


def originHeaders(cors: CORS, origin: bytes | None) -> Headers:
    """
    Return the CORS headers of a response to a page.

    @param origin: The request's C{Origin}.

    @return: An empty tuple if no origin is configured.
    """
    if not cors.allowedOrigins:
        return ()
    if "*" in cors.allowedOrigins:
        return ((b"access-control-allow-origin", b"*"), *_EXPOSE)
    if origin is None or not _isListed(cors, origin):
        return _VARY
    return ((b"access-control-allow-origin", origin), *_EXPOSE, *_VARY)


def isOriginAllowed(cors: CORS, origin: bytes, *, authDisabled: bool = False) -> bool:
    """
    Return whether pages of an origin may call the gateway.

    @param authDisabled: No credential is checked, so C{*} is not accepted: it would let
        any page in.
    """
    if "*" in cors.allowedOrigins and not authDisabled:
        return True
    return _isListed(cors, origin)


def isCrossSite(cors: CORS, headers: RequestHeaders) -> bool:
    """
    Return whether a request was sent by a web page that is not allowed.

    CORS stops a page from reading a response, but not from sending a request: forms and
    C{no-cors} fetches need no preflight. Where the browser or a proxy adds the
    credential by itself, this check keeps foreign pages out.

    An origin is allowed if it is listed, or if it is the gateway's own: its host is
    that of the C{Host} header. C{*} does not count here: it allows pages that send a
    token of their own.

    @param headers: The request's headers.
    """
    origins = headers.getRawHeaders(b"origin") or ()
    if origins:
        [host] = headers.getRawHeaders(b"host") or [b""]
        return not all(
            _isListed(cors, each) or _isSameOrigin(each, host) for each in origins
        )
    site = headers.getRawHeaders(b"sec-fetch-site") or ()
    return any(each.strip().lower() == b"cross-site" for each in site)


def _isSameOrigin(origin: bytes, host: bytes) -> bool:
    scheme, _, authority = origin.lower().partition(b"://")
    return scheme in (b"http", b"https") and authority == host.strip().lower() != b""


def _isListed(cors: CORS, origin: bytes) -> bool:
    return origin.decode("latin-1") in cors.allowedOrigins


def preflightHeaders(methods: Sequence[str], requested: bytes | None) -> Headers:
    """
    Return the headers of the response to a preflight request.

    @param methods: The methods to allow.

    @param requested: The request's C{Access-Control-Request-Headers}.
    """
    names = dict.fromkeys(ALWAYS_ALLOWED_HEADERS)
    for name in (requested or b"").decode("latin-1").split(",")[:MAX_HEADER_NAMES]:
        lower = name.strip().lower()
        if _NAME.fullmatch(lower):
            names[lower] = None
    return (
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ", ".join(names).encode()),
        (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
        (
            b"vary",
            b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ),
    )
