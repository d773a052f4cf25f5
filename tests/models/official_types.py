"""
A strict check of request bodies against the types of providers' official packages.

The packages' types say what a request may have; most of them pass unknown members on.
Here each of those is an error.
"""

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import (
    ReadOnly,
    TypeAliasType,
    is_typeddict,
)

_WRAPPERS = (Required, NotRequired, ReadOnly, typing.Annotated)
_LISTS = (list, Iterable, Sequence, tuple)


def faults(value: Any, kind: Any, path: str = "body") -> list[str]:
    """
    Return what is wrong with a JSON value, by its type; each line begins with a path.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, TypeAliasType):
        return faults(value, kind.__value__, path)
    if isinstance(origin, TypeAliasType):
        # The optional types of one package.
        return [] if value is None else faults(value, arguments[0], path)
    if origin in _WRAPPERS:
        return faults(value, arguments[0], path)
    if origin in (Union, types.UnionType):
        return _unionFaults(value, arguments, path)
    if kind in (Any, object) or isinstance(kind, typing.TypeVar):
        return []
    if kind is None or kind is type(None):
        return [] if value is None else [f"{path}: expected null"]
    if origin is Literal:
        return [] if value in arguments else [f"{path}: {value!r} is not {arguments}"]
    if is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        # __required_keys__ lacks those of modules with postponed annotations.
        required = [name for name in hints if get_origin(hints[name]) is Required]
        return _memberFaults(value, hints, required, path)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _modelFaults(value, kind, path)
    if origin in _LISTS or kind in _LISTS:
        if not isinstance(value, list):
            return [f"{path}: expected a list"]
        inner = arguments[0] if arguments else Any
        return [
            line
            for index, each in enumerate(value)
            for line in faults(each, inner, f"{path}[{index}]")
        ]
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        inner = arguments[1] if len(arguments) > 1 else Any
        if not isinstance(value, dict):
            return [f"{path}: expected an object"]
        return [
            line
            for name, each in value.items()
            for line in faults(each, inner, f"{path}.{name}")
        ]
    return _plainFaults(value, kind, path)


def _unionFaults(value: Any, kinds: Iterable[Any], path: str) -> list[str]:
    found = [faults(value, kind, path) for kind in kinds]
    if [] in found:
        return []
    # The nearest is the one whose faults lie deepest.
    return max(found, key=lambda lines: (max(map(_depth, lines)), -len(lines)))


def _depth(line: str) -> int:
    path = line.partition(": ")[0]
    return path.count(".") + path.count("[")


def _memberFaults(
    value: Any, hints: Mapping[str, Any], required: Iterable[str], path: str
) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected an object"]
    lines = [f"{path}.{name}: missing" for name in required if name not in value]
    for name, each in value.items():
        if name not in hints:
            lines.append(f"{path}.{name}: unknown member")
        else:
            lines += faults(each, hints[name], f"{path}.{name}")
    return lines


def _modelFaults(value: Any, kind: type[BaseModel], path: str) -> list[str]:
    names: dict[str, Any] = {}
    required = []
    for name, field in kind.model_fields.items():
        alias = field.serialization_alias or field.alias or name
        names[alias] = field.annotation
        if field.is_required():
            required.append(alias)
    return _memberFaults(value, names, required, path)


def _plainFaults(value: Any, kind: Any, path: str) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, str):
        values = [each.value for each in kind] if hasattr(kind, "__members__") else None
        isRight = isinstance(value, str) and (values is None or value in values)
    elif kind is bytes:
        isRight = isinstance(value, str)
    elif kind is bool:
        isRight = isinstance(value, bool)
    elif kind is int:
        isRight = isinstance(value, int) and not isinstance(value, bool)
    elif kind is float:
        isRight = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        return [f"{path}: JSON can't have {kind!r}"]
    return [] if isRight else [f"{path}: {value!r} is not of {kind!r}"]
