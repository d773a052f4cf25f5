"""
The head of a request: its target, and the faults that no request may have.
"""

import re

from twisted.web.http_headers import Headers

from openclaw.errors import ExpectationFailed, MalformedRequest, OpenClawError

_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#@]+)((?:[/?][^#]*)?)", re.I)


def originForm(target: bytes, headers: Headers, version: bytes) -> bytes:
    """
    Return a request target without the host in it (RFC 9112, 3.2.2): that goes before
    the one of the C{Host} header, and replaces it in the headers.
    """
    found = None if target[:1] == b"/" else _ABSOLUTE_FORM.fullmatch(target)
    if found is None:
        return target
    if headers.hasHeader(b"host"):
        # More than one of them is a fault all the same.
        _, *more = headers.getRawHeaders(b"host") or [b""]
        headers.setRawHeaders(b"host", [found[1], *more])
    elif version != b"HTTP/1.1":
        headers.setRawHeaders(b"host", [found[1]])
    rest = found[2]
    return rest if rest[:1] == b"/" else b"/" + rest


def faultOf(method: bytes, headers: Headers, version: bytes) -> OpenClawError | None:
    """
    Find a fault of a request, whoever sends it and whatever it asks for.
    """
    hosts = headers.getRawHeaders(b"host")
    if hosts is None:
        if version == b"HTTP/1.1":
            return MalformedRequest("There is no Host header.")
    elif len(hosts) > 1:
        return MalformedRequest("There is more than one Host header.")
    if not method.isupper():
        # Who routes would take it for the one in upper case.
        return MalformedRequest("HTTP's methods are in upper case.")
    if version == b"HTTP/1.1":
        expected = headers.getRawHeaders(b"expect")
        if expected and [each.lower() for each in expected] != [b"100-continue"]:
            return ExpectationFailed("Only `Expect: 100-continue` can be met.")
    return None
