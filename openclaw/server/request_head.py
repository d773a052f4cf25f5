"""
The head of a request: its target, and the errors that need no route.
"""

import re

from twisted.web.http_headers import Headers

from openclaw.errors import ExpectationFailed, MalformedRequest, OpenClawError

_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.I)


def originForm(target: bytes, headers: Headers, version: bytes) -> bytes:
    """
    Return a request target in origin form (RFC 9112, 3.2.1). The host of an
    absolute-form target replaces the one in the C{Host} header.
    """
    found = None if target[:1] == b"/" else _ABSOLUTE_FORM.fullmatch(target)
    if found is None:
        return target
    if headers.hasHeader(b"host"):
        # Several Host headers stay an error.
        _, *more = headers.getRawHeaders(b"host") or [b""]
        headers.setRawHeaders(b"host", [found[1], *more])
    elif version != b"HTTP/1.1":
        headers.setRawHeaders(b"host", [found[1]])
    rest = found[2]
    return rest if rest[:1] == b"/" else b"/" + rest


def findHeadError(
    method: bytes, headers: Headers, version: bytes
) -> OpenClawError | None:
    """
    Find an error that does not depend on the route or the caller.
    """
    hosts = headers.getRawHeaders(b"host")
    if hosts is None:
        if version == b"HTTP/1.1":
            return MalformedRequest("The Host header is missing.")
    elif len(hosts) > 1:
        return MalformedRequest("There is more than one Host header.")
    if not method.isupper():
        # Klein's router would take it for the method in upper case.
        return MalformedRequest("The method must be in upper case.")
    if version == b"HTTP/1.1":
        expected = headers.getRawHeaders(b"expect")
        if expected and [each.lower() for each in expected] != [b"100-continue"]:
            return ExpectationFailed("The only supported Expect is `100-continue`.")
    return None
