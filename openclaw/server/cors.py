"""
CORS: which web pages may use the gateway from a browser.

U{https://fetch.spec.whatwg.org/#http-cors-protocol}.  A page's requests carry a token
and no cookies, so credentials in the sense of that protocol are never allowed.
"""

import re
from collections.abc import Sequence

from twisted.web.http_headers import Headers as RequestHeaders

from openclaw.config import CORS

Headers = tuple[tuple[bytes, bytes], ...]
"""
Names and values.
"""

EXPOSED = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, openai-processing-ms,"
    " x-openclaw-run-id, x-openclaw-session-key, x-openclaw-ignored-params,"
    " idempotent-replayed"
)
"""
The headers of an answer that a page may read, beside those that it always may.
"""

REQUESTED = ("authorization", "content-type", "idempotency-key")
"""
The headers that a page may always send.
"""

MAX_AGE_SECONDS = 600
MAX_NAMES = 64
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")

_EXPOSE: Headers = ((b"access-control-expose-headers", EXPOSED.encode()),)
_VARY: Headers = ((b"vary", b"Origin"),)


def originHeaders(terms: CORS, origin: bytes | None) -> Headers:
    """
    Return the headers of an answer to a page from this origin.

    @param origin: The request's C{Origin}.

    @return: Nothing where no origin is configured.
    """
    if not terms.allowedOrigins:
        return ()
    if "*" in terms.allowedOrigins:
        return ((b"access-control-allow-origin", b"*"), *_EXPOSE)
    if origin is None or not _listed(terms, origin):
        return _VARY
    return ((b"access-control-allow-origin", origin), *_EXPOSE, *_VARY)


def isOriginAllowed(terms: CORS, origin: bytes, *, isOpen: bool = False) -> bool:
    """
    May a page from this origin use the gateway?

    @param isOpen: No credential is checked, so that C{*} would let every page in.
    """
    if "*" in terms.allowedOrigins and not isOpen:
        return True
    return _listed(terms, origin)


def isFromOtherSite(terms: CORS, headers: RequestHeaders) -> bool:
    """
    Did a web page have this request sent that has no business here?

    CORS keeps a page from reading an answer, and not from sending a request: a form
    or a C{no-cors} fetch needs nobody's leave.  Where the browser or a proxy adds the
    credential by itself, this is what keeps foreign pages out.

    An origin is good if it is listed, or if it is the gateway's own: a page that came
    from the host that the request names.  C{*} lists none: it lets pages in that show
    a token of their own.

    @param headers: The request's.
    """
    origins = headers.getRawHeaders(b"origin") or ()
    if origins:
        [host] = headers.getRawHeaders(b"host") or [b""]
        return not all(_listed(terms, each) or _isOwn(each, host) for each in origins)
    site = headers.getRawHeaders(b"sec-fetch-site") or ()
    return any(each.strip().lower() == b"cross-site" for each in site)


def _isOwn(origin: bytes, host: bytes) -> bool:
    scheme, _, authority = origin.lower().partition(b"://")
    return scheme in (b"http", b"https") and authority == host.strip().lower() != b""


def _listed(terms: CORS, origin: bytes) -> bool:
    return origin.decode("latin-1") in terms.allowedOrigins


def preflightHeaders(methods: Sequence[str], asked: bytes | None) -> Headers:
    """
    Return the headers of an answer to a preflight request.

    @param methods: The methods of the path.

    @param asked: The request's C{Access-Control-Request-Headers}.
    """
    names = dict.fromkeys(REQUESTED)
    for name in (asked or b"").decode("latin-1").split(",")[:MAX_NAMES]:
        plain = name.strip().lower()
        if _NAME.fullmatch(plain):
            names[plain] = None
    return (
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", ", ".join(names).encode()),
        (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
        (
            b"vary",
            b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ),
    )
