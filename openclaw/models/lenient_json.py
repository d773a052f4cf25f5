"""
Lenient decoding of JSON: a member of the wrong type counts as absent.

Providers send counts as floats or strings, arrays in place of objects, C{NaN}, and lone
surrogates.  A typed decoder of L{msgspec} rejects the whole text for any of these.  It
is tried first, since it is ten times as fast, and nearly all texts pass.
"""

import json
import math
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

_ABSENT: Any = object()
_MAX_DEPTH = 6


class LenientDecoder(Generic[T]):
    """
    Decodes JSON to a type of structs, lists, and plain JSON types.

    @ivar decode: The strict and fast decoder.  Raises L{msgspec.DecodeError} for texts
        that C{decodeLeniently} may still decode.
    """

    def __init__(self, type: type[T]) -> None:
        self.decode = msgspec.json.Decoder(type).decode
        self._kind = inspect.type_info(type)

    def decodeLeniently(self, payload: bytes) -> T:
        """
        Decode the valid parts of a text.

        @raise msgspec.DecodeError: The text is not JSON, or not of the outermost type.
        """
        value: T = _fit(parseLeniently(payload), self._kind)
        if value is _ABSENT:
            raise msgspec.ValidationError("JSON of another type")
        return value

    def read(self, payload: bytes) -> T:
        """
        Decode strictly, or else leniently.
        """
        try:
            return self.decode(payload)
        except (msgspec.DecodeError, UnicodeError):
            return self.decodeLeniently(payload)


def parseLeniently(payload: bytes) -> Any:
    """
    Parse JSON.  C{NaN} and the infinities become C{None}, and invalid UTF-8 becomes
    U+FFFD.  Lone surrogates are kept.

    @raise msgspec.DecodeError: The text is not JSON.
    """
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError):
        pass
    try:
        return json.loads(
            payload.decode("utf-8", "replace"),
            strict=False,
            parse_constant=lambda _: None,
        )
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None


def wellFormed(text: str) -> str:
    """
    Join adjacent halves of surrogate pairs, and replace lone ones by U+FFFD.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        halves = text.encode("utf-16-le", "surrogatepass")
        return halves.decode("utf-16-le", "replace")
    return text


def wellFormedJSON(value: Any) -> Any:
    """
    Make the texts of a JSON value L{wellFormed}.
    """
    if isinstance(value, str):
        return wellFormed(value)
    if isinstance(value, list):
        return [wellFormedJSON(each) for each in value]
    if isinstance(value, dict):
        return {wellFormed(name): wellFormedJSON(each) for name, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


_TEXTS = ("text", "content", "thinking", "reasoning", "summary")


def textOf(value: Any, depth: int = 0) -> str:
    """
    Return the text of a string, of an object that contains one, or of a list of either.
    """
    if isinstance(value, str):
        return value
    if depth < _MAX_DEPTH:
        if isinstance(value, list):
            return "".join(textOf(each, depth + 1) for each in value)
        if isinstance(value, dict):
            texts = (textOf(value.get(name), depth + 1) for name in _TEXTS)
            return next(filter(None, texts), "")
    return ""


def _fit(value: Any, kind: inspect.Type) -> Any:
    """
    Return a value converted to the type, or C{_ABSENT}.
    """
    match kind:
        case inspect.UnionType(types=kinds):
            fitting = (_fit(value, each) for each in kinds)
            return next((each for each in fitting if each is not _ABSENT), _ABSENT)
        case inspect.StructType():
            return _fitStruct(value, kind)
        case inspect.ListType(item_type=item):
            if not isinstance(value, list):
                return _ABSENT
            fitted = (_fit(each, item) for each in value)
            return [each for each in fitted if each is not _ABSENT]
        case inspect.IntType():
            return _asCount(value)
        case inspect.StrType():
            return value if isinstance(value, str) else _ABSENT
        case inspect.BoolType():
            return value if isinstance(value, bool) else _ABSENT
        case inspect.NoneType():
            return None if value is None else _ABSENT
        case inspect.DictType():
            return value if isinstance(value, dict) else _ABSENT
        case inspect.RawType():
            return msgspec.Raw(msgspec.json.encode(wellFormedJSON(value)))
        case inspect.AnyType():
            return value
    raise TypeError(f"no lenient decoding to {kind}")


def _fitStruct(value: Any, kind: inspect.StructType) -> Any:
    if not isinstance(value, dict):
        return _ABSENT
    members = {}
    for field in kind.fields:
        member = value.get(field.encode_name, _ABSENT)
        fitted = _ABSENT if member is _ABSENT else _fit(member, field.type)
        if fitted is not _ABSENT:
            members[field.name] = fitted
        elif field.required:
            return _ABSENT
    return kind.cls(**members)


def _asCount(value: Any) -> Any:
    """
    Return a number without its fraction.
    """
    if isinstance(value, bool):
        return _ABSENT
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _ABSENT
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else _ABSENT
    return value if isinstance(value, int) else _ABSENT
