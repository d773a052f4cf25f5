"""
Suggestions for unknown keys: a similar key of the same mapping, or the right place.
"""

from collections.abc import Hashable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from openclaw.config.findings import childPath, formatKey
from openclaw.config.models import ModelRef

MAX_PLACES = 2
"""
Limit of the suggested places for a key.
"""


def suggestKey(path: str, key: Hashable, value: object, kind: Any, whole: Any) -> str:
    """
    Return advice about an unknown key, which follows "unknown key" in the message.

    @param path: The path of the key's mapping.
    @param value: The value of the key.
    @param kind: The struct of the mapping.
    @param whole: The struct of the whole configuration.
    """
    if not isinstance(key, str):
        return ", ignored"
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    folded = {name.lower(): name for name in fields}
    for wanted in (key.lower(), key.lower().replace("_", "").replace("-", "")):
        for near in get_close_matches(wanted, folded, n=1):
            return f'; did you mean "{folded[near]}"?'
    places = list(_missingLevel(path, key, value, fields)) or [
        place for place, name in _places(whole) if name.lower() == key.lower()
    ]
    if not places or len(places) > MAX_PLACES:
        return ", ignored"
    return f", ignored; did you mean {' or '.join(places)}?"


def _missingLevel(
    path: str, key: str, value: object, fields: Mapping[str, msgspec.structs.FieldInfo]
) -> Iterator[str]:
    """
    Find the mappings beside a key to which its value looks like an entry: a level of
    indentation is missing.
    """
    if not isinstance(value, dict) or not value:
        return
    for name, field in fields.items():
        kind = withoutNone(field.type)
        if get_origin(kind) is not Mapping or not isStruct(get_args(kind)[1]):
            continue
        entry = get_args(kind)[1]
        if any(part in entry.__struct_fields__ for part in value):
            yield childPath(childPath(path, name), key)


@cache
def _places(whole: Any) -> tuple[tuple[str, str], ...]:
    """
    Return the path and the name of each key of the configuration.
    """
    return tuple(_walk("", whole))


def _walk(path: str, kind: Any) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(kind):
        inner = withoutNone(field.type)
        place = f"{path}.{field.name}" if path else formatKey(field.name)
        yield place, field.name
        if get_origin(inner) is Mapping:
            inner, place = get_args(inner)[1], f"{place}.<name>"
        elif get_origin(inner) is tuple:
            inner, place = get_args(inner)[0], f"{place}[]"
        if isStruct(inner):
            yield from _walk(place, inner)


def withoutNone(kind: Any) -> Any:
    """
    Return the type of an optional field without C{None}.
    """
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    return kind


def isStruct(kind: Any) -> bool:
    """
    Return whether values of a type are mappings with known keys.
    """
    return (
        isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        # Written as one string.
        and kind is not ModelRef
    )
