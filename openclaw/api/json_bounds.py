"""
Limits of JSON that are checked on its bytes, before decoding.

The checks work on slices of a body, since each call into C holds the GIL.
"""

from collections.abc import Iterator
from itertools import accumulate, compress

from openclaw.errors import InvalidRequest

MAX_VALUES = 300_000
"""
Limit of arrays, objects and members in a body. 20,000 messages with tool calls have
200,000; OpenAI allows 300,000 tokens in an embeddings request.
"""

CHEAP_VALUES = 20_000
"""
Number of values that are decoded in a few milliseconds, at any depth.
"""

MAX_MESSAGE_VALUES = 50_000
"""
Limit of values in a message, which is decoded by one call. 128 tool calls have 1000.
"""

MAX_DEPTH = 100
"""
Limit of nesting in JSON that is passed on.
"""

MAX_ESCAPES = 2_000_000
r"""
Limit of escapes in a body, such as C{\n}. Each takes 4 ns to decode, and up to 10 ns
to encode again.
"""

MAX_SLOW_BYTES = 8 * 1024 * 1024
"""
Limit of bytes that are slow to decode: outside of strings (whitespace and digits), and
in strings beyond ASCII, whose characters may take four bytes of memory. 20 MB of either
took 40 ms and more.
"""

LARGE_BODY_BYTES = 128 * 1024
"""
A body of more bytes is parsed in a thread.
"""

SLICE_BYTES = 256 * 1024
SLICE_ITEMS = 32 * 1024
_ESCAPE_BYTES = len(b"\\u00")

_STRUCTURE = b"[]{},:"
_NOT_STRUCTURE = bytes(set(range(256)) - set(_STRUCTURE))
_DEPTH_CHANGES = bytes.maketrans(_STRUCTURE, b"\x01\xff\x01\xff\x00\x00")
_COLON_MARKS = bytes.maketrans(_STRUCTURE, b"\x00\x00\x00\x00\x00\x01")
_BLANKS_AND_DIGITS = b" \t\r\n0123456789"
_SAMPLE_STEP = 7


def estimateValues(body: bytes) -> int:
    """
    Return an upper limit of the number of arrays, objects and members: it counts those
    in strings, too.
    """
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def isSmall(body: bytes) -> bool:
    """
    Return whether a body is decoded in a few milliseconds, whatever it contains.
    """
    return len(body) <= LARGE_BODY_BYTES


def _splitStrings(body: bytes) -> Iterator[tuple[list[bytes], int]]:
    """
    Split JSON at the beginning and end of its strings, slice by slice. Escaped quotes
    and backslashes are removed.

    @return: For each slice, its pieces, alternately in a string and outside, and the
        index of the first one outside.
    """
    inString = 0
    carry = b""
    for begin in range(0, len(body), SLICE_BYTES):
        # Without escapes, each quote begins or ends a string.
        piece = (carry + body[begin : begin + SLICE_BYTES]).replace(b"\\\\", b"")
        cut = piece.rfind(b"\\", -_ESCAPE_BYTES)
        carry = b""
        if cut >= 0 and begin + SLICE_BYTES < len(body):
            piece, carry = piece[:cut], piece[cut:]
        pieces = piece.replace(b'\\"', b"").split(b'"')
        yield pieces, inString
        inString ^= len(pieces) % 2 == 0


def extractStructure(body: bytes, limit: int) -> bytes:
    """
    Return the brackets, commas and colons of JSON outside of its strings.

    @param limit: Stop after this number of arrays, objects and members.
    """
    found: list[bytes] = []
    count = 0
    for pieces, first in _splitStrings(body):
        outside = b"".join(pieces[first::2]).translate(None, _NOT_STRUCTURE)
        if outside:
            found.append(outside)
            count += estimateValues(outside)
            if count > limit:
                break
    return b"".join(found)


def _slices(body: bytes) -> Iterator[bytes]:
    return (
        body[begin : begin + SLICE_BYTES] for begin in range(0, len(body), SLICE_BYTES)
    )


def checkDecodingCost(body: bytes) -> None:
    """
    Reject a body that would take one call of the decoder too long, whatever the number
    of its values.

    @raise InvalidRequest: The body has too many escapes, or too many bytes that are
        slow to decode.
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
    if len(body) <= MAX_SLOW_BYTES:
        return
    # A sample is enough, as little else stands between few values.
    sample = body[::_SAMPLE_STEP]
    slowBytes = len(sample) - len(sample.translate(None, _BLANKS_AND_DIGITS))
    if _SAMPLE_STEP * slowBytes > MAX_SLOW_BYTES or any(map(_isWide, _slices(body))):
        _checkSlowBytes(body)


def _isWide(piece: bytes) -> bool:
    r"""
    Return whether a string may have characters that take more than one byte of memory.
    C{\u002b} and the like do not: some encoders write each C{+} of base64 so.
    """
    if b"\\" in piece and piece.count(b"\\u") > piece.count(b"\\u00"):
        return True
    return not piece.isascii()


def _checkSlowBytes(body: bytes) -> None:
    outside = wide = length = 0
    isWide = False
    for pieces, first in _splitStrings(body):
        outside += sum(map(len, pieces[first::2]))
        if outside > MAX_SLOW_BYTES:
            raise InvalidRequest(
                f"The body has more than {MAX_SLOW_BYTES} bytes of whitespace and"
                " numbers.",
                code="body_too_complex",
            )
        for index, piece in enumerate(pieces[1 - first :: 2]):
            if index or not first:
                # The previous string has ended.
                wide += length if isWide else 0
                length, isWide = 0, False
            length += len(piece)
            isWide = isWide or _isWide(piece)
        if wide + (length if isWide else 0) > MAX_SLOW_BYTES:
            raise InvalidRequest(
                f"The body has more than {MAX_SLOW_BYTES} bytes of strings that are not"
                " ASCII.",
                code="body_too_complex",
            )


def checkValues(body: bytes, maxFields: int) -> int:
    """
    Reject a body with too many values to decode.

    @param maxFields: The limit of fields of the outermost object.

    @return: The number of its arrays, objects and members, or 0 if they are few.

    @raise InvalidRequest: The body has too many values or fields, or is nested too
        deeply.
    """
    if isSmall(body) or estimateValues(body) <= CHEAP_VALUES:
        return 0
    structure = extractStructure(body, MAX_VALUES)
    count = estimateValues(structure)
    if count > MAX_VALUES:
        raise InvalidRequest(
            f"The body has more than {MAX_VALUES} JSON values.", code="too_many_values"
        )
    if count > CHEAP_VALUES:
        maxDepth, fields = _measure(structure)
        if maxDepth > MAX_DEPTH:
            raise InvalidRequest("The body is nested too deeply.", code="invalid_json")
        if fields > maxFields:
            raise tooManyFields(maxFields)
    return count


def tooManyFields(limit: int) -> InvalidRequest:
    """
    Return the error for a body with too many fields.
    """
    return InvalidRequest(f"The body has more than {limit} fields.")


def checkPassthrough(raw: bytes, field: str, limit: int) -> None:
    """
    Reject JSON to be passed on that has too many values or is nested too deeply.

    @param field: The field that contains it.

    @param limit: The limit of values.

    @raise InvalidRequest: C{param} names the field.
    """
    checkValueCount(raw, field, limit)
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        maxDepth, _ = _measure(extractStructure(raw, limit))
        if maxDepth > MAX_DEPTH:
            raise InvalidRequest(
                f"Invalid `{field}`: it is nested too deeply.", param=field
            )


def checkValueCount(raw: bytes, field: str, limit: int) -> None:
    """
    Reject JSON with too many values.

    @raise InvalidRequest: C{param} names the field.
    """
    if (
        estimateValues(raw) > limit
        and estimateValues(extractStructure(raw, limit)) > limit
    ):
        raise InvalidRequest(
            f"Invalid `{field}`: it has more than {limit} JSON values.", param=field
        )


def _measure(structure: bytes) -> tuple[int, int]:
    """
    Measure the nesting of JSON.

    @return: The maximum depth, which may stop being exact above L{MAX_DEPTH}; and the
        number of fields of the outermost object.
    """
    depth = maxDepth = fields = 0
    structure = structure.translate(None, b",")
    for begin in range(0, len(structure), SLICE_ITEMS):
        piece = structure[begin : begin + SLICE_ITEMS]
        steps = memoryview(piece.translate(_DEPTH_CHANGES)).cast("b")
        depths = list(accumulate(steps, initial=depth))[1:]
        depth = depths[-1]
        maxDepth = max(maxDepth, max(depths))
        if maxDepth > MAX_DEPTH or min(depths) < 0:
            break
        fields += bytes(compress(depths, piece.translate(_COLON_MARKS))).count(1)
    return maxDepth, fields
