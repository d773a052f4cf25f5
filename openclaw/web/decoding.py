"""
From the bytes of a request's body to what OpenAI's API says it is, or to the error that
names the field.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from openclaw.errors import InvalidRequest
from openclaw.tools.threads import inThread

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")

MAX_FIELDS = 1000
"""
How many fields a body may have.  To tell the caller which of them are not used, all
are looked at.
"""

_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?$", re.S)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


class BodyReader(Generic[T]):
    """
    Reads the bodies of one kind of request.
    """

    def __init__(self, kind: type[T]) -> None:
        """
        @param kind: A Struct with the fields that are used, all optional.
        """
        self._decode = msgspec.json.Decoder(kind).decode
        self._known = frozenset(each.name for each in msgspec.structs.fields(kind))

    def read(self, body: bytes) -> tuple[T, list[str]]:
        """
        Read a body.

        @return: What it says, and the names of the fields that are not used.

        @raise InvalidRequest: It is not valid; C{param} names the field.
        """
        try:
            # msgspec does not look into the strings that it passes over.
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"The body is not valid UTF-8 (byte {error.start}).",
                code="invalid_json",
            ) from None
        try:
            names = _decodeObject(body)
            if len(names) > MAX_FIELDS:
                raise InvalidRequest(f"The body has more than {MAX_FIELDS} fields.")
            request = self._decode(body)
        except msgspec.ValidationError as error:
            raise _invalidField(str(error)) from None
        except RecursionError:
            raise InvalidRequest(
                "The body is nested too deeply.", code="invalid_json"
            ) from None
        except msgspec.DecodeError as error:
            where = "" if "(byte " in str(error) else f" (byte {len(body)})"
            raise InvalidRequest(
                f"The body is not valid JSON: {error}{where}.", code="invalid_json"
            ) from None
        given = {name for name, value in names.items() if bytes(value) != b"null"}
        return request, sorted(given - self._known)


def _invalidField(text: str) -> InvalidRequest:
    """
    msgspec's C{Expected `str`, got `int` - at `$.messages[0].role`}, as ours.
    """
    found = _WHERE.match(text)
    assert found is not None
    what, where = found["what"], found["where"]
    if not where:
        return InvalidRequest(f"The body is invalid: {what}.", code="invalid_json")
    missing = _MISSING.match(what)
    if missing is not None:
        where = f"{where}.{missing['name']}"
        return InvalidRequest(f"Missing `{where}`.", param=where)
    return InvalidRequest(f"Invalid `{where}`: {what}.", param=where)


LARGE_BODY_BYTES = 1024 * 1024
"""
A body of more than this is read in a thread.
"""


async def readBody(reactor: Any, body: bytes, read: Callable[[bytes], R]) -> R:
    """
    Read a body, without holding others up if it is a large one.
    """
    if len(body) <= LARGE_BODY_BYTES:
        return read(body)
    return await inThread(reactor, lambda _: read(body))


IGNORED_HEADER = "x-openclaw-ignored-params"
MAX_NAMES = 32
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def tellIgnored(request: Any, names: Sequence[str]) -> None:
    """
    Name the fields that are not used in a response's header.  Whatever is no plain
    name is left out: the caller chose them.
    """
    plain = [name for name in names if _PLAIN.fullmatch(name)]
    if plain:
        request.setHeader(IGNORED_HEADER, ", ".join(plain[:MAX_NAMES]).encode("ascii"))


__all__ = [
    "IGNORED_HEADER",
    "LARGE_BODY_BYTES",
    "MAX_FIELDS",
    "BodyReader",
    "readBody",
    "tellIgnored",
]
