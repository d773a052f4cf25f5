"""
Bounds on JSON that are checked on its bytes, before it is decoded: an empty array takes
three bytes of a body, and sixty once it is an object of Python's.

Nothing here works on more than a slice of a body at once: the GIL is held by each call
into C, and whoever needs it meanwhile has to wait.
"""

from collections.abc import Iterator
from itertools import accumulate, compress

from openclaw.errors import InvalidRequest

MAX_VALUES = 300_000
"""
Limit of arrays, objects and members in a body. 20,000 messages with tool calls have
200,000; OpenAI takes 300,000 tokens in a request for embeddings.
"""

EASY_VALUES = 20_000
"""
So many are decoded in a few milliseconds, wherever they are.
"""

MAX_MESSAGE_VALUES = 50_000
"""
Limit of the same in one message, which is decoded by one call. 128 tool calls have
1000.
"""

MAX_DEPTH = 100
"""
Limit of nesting in JSON that is passed on.
"""

MAX_ESCAPES = 2_000_000
"""
Limit of escapes in a body, such as C{\\n}. Each takes 4 ns to decode, and up to 10 ns
to be written again.
"""

HEAVY_BYTES = 8 * 1024 * 1024
"""
Limit of what takes long to decode: all that is outside of strings (blanks and digits),
and strings beyond ASCII, of which a letter may take four bytes of memory. Twenty MB of
either took 40 ms and more.
"""

LARGE_BODY_BYTES = 128 * 1024
"""
A body of more than this is read in a thread.
"""

SLICE_BYTES = 256 * 1024
SLICE_ITEMS = 32 * 1024
_ESCAPE_BYTES = len(b"\\u00")

_STRUCTURE = b"[]{},:"
_REST = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS = bytes.maketrans(_STRUCTURE, b"\x01\xff\x01\xff\x00\x00")
_COLONS = bytes.maketrans(_STRUCTURE, b"\x00\x00\x00\x00\x00\x01")
_FILLING = b" \t\r\n0123456789"
_STEP = 7


def roughly(body: bytes) -> int:
    """
    Count what could be arrays, objects and members; some may be within strings.
    """
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def isSmall(body: bytes) -> bool:
    """
    Tell whether a body, whatever is in it, is decoded in a few milliseconds.
    """
    return len(body) <= LARGE_BODY_BYTES


def _pieces(body: bytes) -> Iterator[tuple[list[bytes], int]]:
    """
    Cut JSON at the beginnings and ends of its strings, slice by slice.  Escaped quotes
    and backslashes are left out.

    @return: For each slice its pieces, strings and what is between them by turns, and
        which of the first two is the first one between strings.
    """
    inString = 0
    carry = b""
    for begin in range(0, len(body), SLICE_BYTES):
        # Without what is escaped, each quote begins a string or ends one.
        piece = (carry + body[begin : begin + SLICE_BYTES]).replace(b"\\\\", b"")
        cut = piece.rfind(b"\\", -_ESCAPE_BYTES)
        carry = b""
        if cut >= 0 and begin + SLICE_BYTES < len(body):
            piece, carry = piece[:cut], piece[cut:]
        pieces = piece.replace(b'\\"', b"").split(b'"')
        yield pieces, inString
        inString ^= len(pieces) % 2 == 0


def structureOf(body: bytes, most: int) -> bytes:
    """
    Return the brackets, commas and colons of JSON that stand outside of its strings.

    @param most: Where to stop: when there are more arrays, objects and members.
    """
    found: list[bytes] = []
    count = 0
    for pieces, first in _pieces(body):
        outside = b"".join(pieces[first::2]).translate(None, _REST)
        if outside:
            found.append(outside)
            count += roughly(outside)
            if count > most:
                break
    return b"".join(found)


def _slices(body: bytes) -> Iterator[bytes]:
    return (
        body[begin : begin + SLICE_BYTES] for begin in range(0, len(body), SLICE_BYTES)
    )


def checkWeight(body: bytes) -> None:
    """
    Refuse a body of which one call of the decoder would take too long, whatever its
    values are.

    @raise InvalidRequest: It has too many escapes, or too much of what is slow to read.
    """
    if len(body) <= 2 * MAX_ESCAPES:
        return
    escapes = sum(piece.count(b"\\") for piece in _slices(body))
    if escapes > MAX_ESCAPES:
        escapes -= sum(piece.count(b"\\\\") for piece in _slices(body))
    if escapes > MAX_ESCAPES:
        raise InvalidRequest(
            f"The strings of the body have more than {MAX_ESCAPES} escapes.",
            code="body_too_complex",
        )
    if len(body) <= HEAVY_BYTES:
        return
    # A part is enough: between values, which are few, there is nothing else.
    sample = body[::_STEP]
    filling = len(sample) - len(sample.translate(None, _FILLING))
    if _STEP * filling > HEAVY_BYTES or any(map(_isWide, _slices(body))):
        _checkHeavy(body)


def _isWide(piece: bytes) -> bool:
    """
    Tell whether a string may have letters that take more than a byte of memory.
    C{\\u002b} and the like do not: some encoders write each C{+} of base64 so.
    """
    if b"\\" in piece and piece.count(b"\\u") > piece.count(b"\\u00"):
        return True
    return not piece.isascii()


def _checkHeavy(body: bytes) -> None:
    outside = wide = length = 0
    isWide = False
    for pieces, first in _pieces(body):
        outside += sum(map(len, pieces[first::2]))
        if outside > HEAVY_BYTES:
            raise InvalidRequest(
                f"The body has more than {HEAVY_BYTES} bytes of blanks and numbers.",
                code="body_too_complex",
            )
        for index, piece in enumerate(pieces[1 - first :: 2]):
            if index or not first:
                # The string before this one has ended.
                wide += length if isWide else 0
                length, isWide = 0, False
            length += len(piece)
            isWide = isWide or _isWide(piece)
        if wide + (length if isWide else 0) > HEAVY_BYTES:
            raise InvalidRequest(
                f"The body has more than {HEAVY_BYTES} bytes of strings that are not"
                " ASCII.",
                code="body_too_complex",
            )


def checkValues(body: bytes, maxFields: int) -> int:
    """
    Refuse a body with more in it than can be decoded without holding others up.

    @param maxFields: How many fields it may have itself.

    @return: The number of its arrays, objects and members, or 0 if there are few.

    @raise InvalidRequest: It has too much, or is nested too deeply.
    """
    if isSmall(body) or roughly(body) <= EASY_VALUES:
        return 0
    structure = structureOf(body, MAX_VALUES)
    count = roughly(structure)
    if count > MAX_VALUES:
        raise InvalidRequest(
            f"The body has more than {MAX_VALUES} JSON values.", code="too_many_values"
        )
    if count > EASY_VALUES:
        deepest, fields = _measured(structure)
        if deepest > MAX_DEPTH:
            raise InvalidRequest("The body is nested too deeply.", code="invalid_json")
        if fields > maxFields:
            raise tooManyFields(maxFields)
    return count


def tooManyFields(most: int) -> InvalidRequest:
    """
    Make the error for a body with too many fields.
    """
    return InvalidRequest(f"The body has more than {most} fields.")


def checkPassed(raw: bytes, where: str, most: int) -> None:
    """
    Refuse JSON that is passed on, and has more values or is nested deeper than it may.

    @param where: The field that holds it.

    @param most: The most values.

    @raise InvalidRequest: C{param} names the field.
    """
    checkCount(raw, where, most)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        deepest, _ = _measured(structureOf(raw, most))
        if deepest > MAX_DEPTH:
            raise InvalidRequest(
                f"Invalid `{where}`: it is nested too deeply.", param=where
            )


def checkCount(raw: bytes, where: str, most: int) -> None:
    """
    Refuse JSON that has more values than it may.

    @raise InvalidRequest: C{param} names the field.
    """
    if roughly(raw) > most and roughly(structureOf(raw, most)) > most:
        raise InvalidRequest(
            f"Invalid `{where}`: it has more than {most} JSON values.", param=where
        )


def _measured(structure: bytes) -> tuple[int, int]:
    """
    Follow the brackets of JSON.

    @return: How deep it is nested, or more than L{MAX_DEPTH} where it is not followed
        to its end; and how many fields the outermost object has.
    """
    depth = deepest = fields = 0
    structure = structure.translate(None, b",")
    for begin in range(0, len(structure), SLICE_ITEMS):
        piece = structure[begin : begin + SLICE_ITEMS]
        steps = memoryview(piece.translate(_STEPS)).cast("b")
        depths = list(accumulate(steps, initial=depth))[1:]
        depth = depths[-1]
        deepest = max(deepest, max(depths))
        if deepest > MAX_DEPTH or min(depths) < 0:
            break
        fields += bytes(compress(depths, piece.translate(_COLONS))).count(1)
    return deepest, fields
