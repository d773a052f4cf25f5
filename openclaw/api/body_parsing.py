"""
From the bytes of a request's body to what OpenAI's API says it is, or to the error that
names the field.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeGuard, TypeVar

import msgspec

from openclaw.api.json_bounds import (
    SLICE_BYTES,
    checkPassed,
    checkValues,
    checkWeight,
    isSmall,
    tooManyFields,
)
from openclaw.errors import InvalidRequest
from openclaw.net.threads import runInBodyThread
from openclaw.server.api_request import ResponseWriter

RawField = msgspec.Raw | msgspec.UnsetType
T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")

MAX_FIELDS = 1000
"""
Limit of fields in a body. All are looked at, to list the unused ones.
"""

_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.S)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


class BodyReader(Generic[T]):
    """
    Reads the bodies of one kind of request.
    """

    def __init__(self, kind: type[T], large: type[T] | None = None) -> None:
        """
        @param kind: A Struct with the fields that are used, all optional.

        @param large: The same for large bodies.
        """
        self._decode = msgspec.json.Decoder(kind).decode
        self._decodeLarge = msgspec.json.Decoder(large or kind).decode
        self._known = frozenset(each.name for each in msgspec.structs.fields(kind))

    def read(self, body: bytes) -> tuple[T, list[str], int]:
        """
        Read a body.

        @return: What it says, the names of the fields that are not used, and the
            number of its values; see L{checkValues}.

        @raise InvalidRequest: It is not valid, or too much; C{param} names the field.
        """
        checkUTF8(body)
        checkWeight(body)
        values = checkValues(body, MAX_FIELDS)
        names = decoded(_decodeObject, body)
        if len(names) > MAX_FIELDS:
            raise tooManyFields(MAX_FIELDS)
        decode = self._decode if isSmall(body) else self._decodeLarge
        request = decoded(decode, body)
        told = {name for name, value in names.items() if given(value)}
        return request, sorted(told - self._known), values


def checkUTF8(body: bytes) -> None:
    """
    Refuse what is not UTF-8: msgspec does not look into the strings that it passes
    over.  Like the rest, this takes a slice at a time; see
    L{openclaw.api.json_bounds}.

    @raise InvalidRequest: It is not.
    """
    if body.isascii():
        return
    decode = getincrementaldecoder("utf-8")().decode
    for begin in range(0, len(body), SLICE_BYTES):
        end = begin + SLICE_BYTES
        try:
            decode(body[begin:end], end >= len(body))
        except UnicodeDecodeError as error:
            # A letter that was cut is looked at with the slice that ends it.
            start = min(end, len(body)) - len(error.object) + error.start
            raise InvalidRequest(
                f"The body is not valid UTF-8 (byte {start}).", code="invalid_json"
            ) from None


def decoded(decode: Callable[[Any], R], raw: bytes | msgspec.Raw, field: str = "") -> R:
    """
    Decode a body, or a field of it.

    @param field: The field.

    @raise InvalidRequest: It is not valid; C{param} names the place.
    """
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise _invalidField(str(error), field) from None
    except RecursionError:
        raise InvalidRequest(
            "The body is nested too deeply.", code="invalid_json"
        ) from None
    except msgspec.DecodeError as error:
        at = "" if "(byte " in str(error) else f" (byte {len(bytes(raw))})"
        raise InvalidRequest(
            f"The body is not valid JSON: {error}{at}.", code="invalid_json"
        ) from None


MAX_QUOTED_CHARACTERS = 64


def quoted(text: str) -> str:
    """
    Shorten what an error message repeats: it is the caller's own, of any length.
    """
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    return f"{text[:MAX_QUOTED_CHARACTERS]}…"


def given(raw: RawField) -> TypeGuard[msgspec.Raw]:
    """
    Tell whether a field is there, and not C{null}.
    """
    if raw is msgspec.UNSET:
        return False
    with memoryview(raw) as content:
        return len(content) > len(b"null") or bytes(content) != b"null"


def readPassed(
    decode: Callable[[Any], R], raw: RawField, field: str, most: int
) -> R | None:
    """
    Decode a field whose size nobody bounds but us.

    @param most: The most values in it.

    @return: C{None} if it is not there.

    @raise InvalidRequest: It is not valid, or too much; C{param} names the field.
    """
    if not given(raw):
        return None
    checkPassed(bytes(raw), field, most)
    return decoded(decode, raw, field)


def _invalidField(text: str, field: str) -> InvalidRequest:
    """
    msgspec's C{Expected `str`, got `int` - at `$.messages[0].role`}, as ours.
    """
    found = _WHERE.match(text)
    assert found is not None
    what, where = found["what"], found["where"]
    if field:
        dot = "." if where and not where.startswith("[") else ""
        where = f"{field}{dot}{where or ''}"
    if not where:
        return InvalidRequest(f"The body is invalid: {what}.", code="invalid_json")
    missing = _MISSING.match(what)
    if missing is not None:
        where = f"{where}.{missing['name']}"
        return InvalidRequest(f"Missing `{where}`.", param=where)
    return InvalidRequest(f"Invalid `{where}`: {what}.", param=where)


async def readBody(
    reactor: Any, caller: str, body: bytes, read: Callable[[bytes], R]
) -> R:
    """
    Read a body, without holding others up if it is a large one.

    @param caller: See L{openclaw.interfaces.ICaller.shareKey}.
    """
    if isSmall(body):
        return read(body)
    return await runInBodyThread(reactor, caller, lambda _: read(body))


IGNORED_HEADER = "x-openclaw-ignored-params"
MAX_NAMES = 32
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def tellIgnored(response: ResponseWriter, names: Sequence[str]) -> None:
    """
    Name the fields that are not used in a response's header.  Whatever is no plain
    name is left out: the caller chose them.
    """
    plain = [name for name in names if _PLAIN.fullmatch(name)]
    if plain:
        response.setHeader(IGNORED_HEADER, ", ".join(plain[:MAX_NAMES]).encode("ascii"))
