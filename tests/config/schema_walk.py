"""
Iteration over the schema for tests.
"""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Union, get_args, get_origin

import msgspec

from openclaw.config import ModelRef
from openclaw.config.value_types import AgentID, HeaderName


def present(kind):
    """
    Return the type of a key if it is present.
    """
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    return kind


def isMapping(kind):
    """
    Return whether a type is a mapping with known keys.
    """
    return hasattr(kind, "__struct_fields__") and kind is not ModelRef


def placeholder(kind):
    """
    Return the placeholder for a key of this kind in documentation.
    """
    return {AgentID: "<id>", HeaderName: "<header>"}.get(kind, "<name>")


def keys(kind, path=""):
    """
    Return each key that has a value, as pairs of its path and its field.
    """
    for field in msgspec.structs.fields(kind):
        inner = present(field.type)
        place = f"{path}.{field.name}" if path else field.name
        origin, arguments = get_origin(inner), get_args(inner)
        if origin is Mapping:
            place, inner = f"{place}.{placeholder(arguments[0])}", arguments[1]
        elif origin is tuple and isMapping(arguments[0]):
            place, inner = f"{place}[]", arguments[0]
        if not isMapping(inner):
            yield place, field
            continue
        if origin is None and hasattr(inner, "shorthand"):
            yield place, field
        yield from keys(inner, place)
