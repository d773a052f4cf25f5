"""
Bounds on JSON that are checked on its bytes, before it is decoded: an empty array takes
three bytes of a body, and sixty once it is an object of Python's.

Nothing here works on more than a slice of a body at once: the GIL is held by each call
into C, and whoever needs it meanwhile has to wait.
"""

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

MAX_DEPTH = 100
"""
Limit of nesting in JSON that is passed on.
"""

LARGE_BODY_BYTES = 128 * 1024
"""
A body of more than this is read in a thread.
"""

SLICE_BYTES = 256 * 1024
SLICE_ITEMS = 32 * 1024

_STRUCTURE = b"[]{},:"
_REST = bytes(set(range(256)) - set(_STRUCTURE))
_STEPS = bytes.maketrans(_STRUCTURE, b"\x01\xff\x01\xff\x00\x00")
_COLONS = bytes.maketrans(_STRUCTURE, b"\x00\x00\x00\x00\x00\x01")


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


def structureOf(body: bytes, most: int) -> bytes:
    """
    Return the brackets, commas and colons of JSON that stand outside of its strings.

    @param most: Where to stop: when there are more arrays, objects and members.
    """
    found: list[bytes] = []
    count = 0
    inString = False
    carry = b""
    for begin in range(0, len(body), SLICE_BYTES):
        # Without what is escaped, each quote begins a string or ends one.
        piece = (carry + body[begin : begin + SLICE_BYTES]).replace(b"\\\\", b"")
        carry = b"\\" if piece.endswith(b"\\") else b""
        pieces = piece.replace(b'\\"', b"").split(b'"')
        outside = b"".join(pieces[inString::2]).translate(None, _REST)
        inString ^= len(pieces) % 2 == 0
        if outside:
            found.append(outside)
            count += roughly(outside)
            if count > most:
                break
    return b"".join(found)


def checkValues(body: bytes, maxFields: int) -> None:
    """
    Refuse a body with more in it than can be decoded without holding others up.

    @param maxFields: How many fields it may have itself.

    @raise InvalidRequest: It has too much, or is nested too deeply.
    """
    if isSmall(body) or roughly(body) <= EASY_VALUES:
        return
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
    if roughly(raw) > most:
        structure = structureOf(raw, most)
        if roughly(structure) > most:
            raise InvalidRequest(
                f"Invalid `{where}`: it has more than {most} JSON values.", param=where
            )
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        deepest, _ = _measured(structureOf(raw, most))
        if deepest > MAX_DEPTH:
            raise InvalidRequest(
                f"Invalid `{where}`: it is nested too deeply.", param=where
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
