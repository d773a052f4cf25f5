"""
Count the values and escapes of a JSON text before it is decoded.

Decoded, a text of many small values takes thirty times its size, and makes Python's
collector look through all of them: 16 MB of C{[],[],…} took 1.4 s.
"""

import re
from itertools import islice

MOST_VALUES = 100_000
"""
The most values in one text, about: objects, lists, and what they hold.
"""

MOST_ESCAPES = 1_000_000
"""
The most escapes in one text, of which each takes 4 ns to decode, and up to 10 ns to be
written again.
"""

_MARK = re.compile(rb'"[^"]*"?|[\[{,]')


def hasTooManyValues(payload: bytes, most: int = MOST_VALUES) -> bool:
    """
    Does a JSON text hold more values than this?  Takes 10 ms at most for a text of
    many values, and as long as it takes to copy one of long strings.
    """
    if payload.count(b",") + payload.count(b"[") + payload.count(b"{") <= most:
        return False
    # Without escapes, the next quote is a string's end.
    plain = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Most values have a mark of their own and a comma.
    beyond = islice(_MARK.finditer(plain), 2 * most, None)
    return next(beyond, None) is not None


def hasTooManyEscapes(payload: bytes, most: int = MOST_ESCAPES) -> bool:
    """
    Do the strings of a JSON text hold more escapes than this?  An escaped backslash
    counts for two.
    """
    return len(payload) > most and payload.count(b"\\") > most
