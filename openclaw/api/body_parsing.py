"""
Parse request bodies, with errors that name the invalid field.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeGuard, TypeVar

import msgspec

from openclaw.api.json_bounds import (
    SLICE_BYTES,
    checkDecodingCost,
    checkPassthrough,
    checkValues,
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
Limit of fields in a body. All names are decoded, to list the unused ones.
"""

_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_MSGSPEC_ERROR = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.S)
_MISSING_FIELD = re.compile(r"^Object missing required field `(?P<name>.*)`$")


class BodyParser(Generic[T]):
    """
    Parses the bodies of one kind of request.
    """

    def __init__(self, kind: type[T], large: type[T] | None = None) -> None:
        """
        @param kind: A Struct with the fields that are used, all optional.

        @param large: The Struct for large bodies, if it is another one.
        """
        self._decode = msgspec.json.Decoder(kind).decode
        self._decodeLarge = msgspec.json.Decoder(large or kind).decode
        self._known = frozenset(each.name for each in msgspec.structs.fields(kind))

    def parse(self, body: bytes) -> tuple[T, list[str], int]:
        """
        Parse a body.

        @return: The Struct, the names of the fields that are not used, and the number
            of values; see L{checkValues}.

        @raise InvalidRequest: The body is not valid, or over a limit; C{param} names
            the field.
        """
        checkUTF8(body)
        checkDecodingCost(body)
        values = checkValues(body, MAX_FIELDS)
        names = decodeField(_decodeObject, body)
        if len(names) > MAX_FIELDS:
            raise tooManyFields(MAX_FIELDS)
        decode = self._decode if isSmall(body) else self._decodeLarge
        request = decodeField(decode, body)
        present = {name for name, value in names.items() if isPresent(value)}
        return request, sorted(present - self._known), values


def checkUTF8(body: bytes) -> None:
    """
    Check that a body is UTF-8: msgspec does not check the strings that it skips. This
    is done in slices; see L{openclaw.api.json_bounds}.

    @raise InvalidRequest: The body is not UTF-8.
    """
    if body.isascii():
        return
    decode = getincrementaldecoder("utf-8")().decode
    for begin in range(0, len(body), SLICE_BYTES):
        end = begin + SLICE_BYTES
        try:
            decode(body[begin:end], end >= len(body))
        except UnicodeDecodeError as error:
            # A character that was cut is decoded with the slice that ends it.
            start = min(end, len(body)) - len(error.object) + error.start
            raise InvalidRequest(
                f"The body is not valid UTF-8 (byte {start}).", code="invalid_json"
            ) from None


def decodeField(
    decode: Callable[[Any], R], raw: bytes | msgspec.Raw, field: str = ""
) -> R:
    """
    Decode a body, or a field of it.

    @param field: The name of the field; empty for a body.

    @raise InvalidRequest: The JSON is not valid; C{param} names the field.
    """
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        raise _fieldError(str(error), field) from None
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


def truncate(text: str) -> str:
    """
    Shorten text from a request, for an error message.
    """
    if len(text) <= MAX_QUOTED_CHARACTERS:
        return text
    return f"{text[:MAX_QUOTED_CHARACTERS]}…"


def isPresent(raw: RawField) -> TypeGuard[msgspec.Raw]:
    if raw is msgspec.UNSET:
        return False
    with memoryview(raw) as content:
        return len(content) > len(b"null") or bytes(content) != b"null"


def decodePassthrough(
    decode: Callable[[Any], R], raw: RawField, field: str, limit: int
) -> R | None:
    """
    Decode a field whose size no schema limits.

    @param limit: The limit of values in it.

    @return: C{None} if it is absent.

    @raise InvalidRequest: The field is not valid, or over the limit; C{param} names it.
    """
    if not isPresent(raw):
        return None
    checkPassthrough(bytes(raw), field, limit)
    return decodeField(decode, raw, field)


def _fieldError(text: str, field: str) -> InvalidRequest:
    """
    Convert an error of msgspec, such as C{Expected `str`, got `int` - at
    `$.messages[0].role`}.
    """
    found = _MSGSPEC_ERROR.match(text)
    assert found is not None
    what, path = found["what"], found["path"]
    if field:
        dot = "." if path and not path.startswith("[") else ""
        path = f"{field}{dot}{path or ''}"
    if not path:
        return InvalidRequest(f"The body is invalid: {what}.", code="invalid_json")
    missing = _MISSING_FIELD.match(what)
    if missing is not None:
        path = f"{path}.{missing['name']}"
        return InvalidRequest(f"Missing `{path}`.", param=path)
    return InvalidRequest(f"Invalid `{path}`: {what}.", param=path)


async def parseBody(
    reactor: Any, caller: str, body: bytes, parse: Callable[[bytes], R]
) -> R:
    """
    Parse a body; a large one in a thread.

    @param caller: The caller's L{openclaw.interfaces.ICaller.shareKey}.
    """
    if isSmall(body):
        return parse(body)
    return await runInBodyThread(reactor, caller, lambda _: parse(body))


IGNORED_HEADER = "x-openclaw-ignored-params"
MAX_NAMES = 32
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def setIgnoredHeader(response: ResponseWriter, ignored: Iterable[str]) -> None:
    """
    List the unused fields of a request in a header of the response. Only plain names
    are listed, as clients choose them.
    """
    names = [name for name in ignored if _PLAIN_NAME.fullmatch(name)]
    if names:
        response.setHeader(IGNORED_HEADER, ", ".join(names[:MAX_NAMES]).encode("ascii"))
