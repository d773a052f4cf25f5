"""
Faults and warnings of a configuration, and their texts.

A finding begins with the key's path as people write it, such as
C{agents.list[0].id}, and never holds a secret.
"""

import datetime
import json
import re
from collections.abc import Hashable
from typing import Annotated, Any, Literal, get_args, get_origin

from msgspec import Meta

PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
SHOWN_CHARACTERS = 40


class Findings:
    """
    Collects faults and warnings, in the order in which they are found.

    @ivar faults: One line for each thing that makes the configuration unusable.
    @ivar warnings: One line for each thing that has no effect.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.warnings: list[str] = []
        self._faulty: set[str] = set()

    def fault(self, path: str, text: str) -> None:
        """
        Note what is wrong at C{path}; the whole document if that is empty.
        """
        self._faulty.add(path)
        self.faults.append(f"{path}: {text}" if path else text)

    def warn(self, path: str, text: str) -> None:
        """
        Note what C{path} does not do.
        """
        self.warnings.append(f"{path}: {text}")

    def isFaulty(self, *paths: str) -> bool:
        """
        Was a fault noted at one of these, so that what follows from it would only
        confuse?
        """
        return not self._faulty.isdisjoint(paths)


def child(path: str, key: Hashable) -> str:
    """
    The path of a key in the mapping at C{path}.
    """
    return f"{path}.{named(key)}" if path else named(key)


def item(path: str, index: int) -> str:
    """
    The path of an item, counted from 0, of the list at C{path}.
    """
    return f"{path}[{index}]"


def named(key: Hashable) -> str:
    """
    A key as a path shows it: quoted only if it has to be.
    """
    if not isinstance(key, str):
        return describe(key)
    return key if PLAIN_KEY.fullmatch(key) else quoted(key)


def quoted(text: str) -> str:
    """
    Text in double quotes: on one line, not too long, and printable.
    """
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def describe(value: object, hidden: bool = False) -> str:
    """
    Describe a value by its type, and by itself if it is short.

    @param hidden: The value may be a secret: name its kind only.
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean" if hidden else f"the boolean {str(value).lower()}"
        case int():
            hidden = hidden or value.bit_length() > 64
            return "an integer" if hidden else f"the integer {value}"
        case float():
            return "a number" if hidden else f"the number {value}"
        case str():
            return "a string" if hidden else f"the string {quoted(value)}"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case datetime.date():
            return "a date"
        case bytes():
            return "binary data"
    return f"a {type(value).__name__}"


def expected(kind: Any) -> str:
    """
    Describe the values that a key of this type takes.

    @param kind: The type of an attribute of a configuration Struct.
    """
    if hasattr(kind, "expectation"):
        return str(kind.expectation)
    origin = get_origin(kind)
    if origin is Literal:
        *others, last = [f'"{choice}"' for choice in get_args(kind)]
        return f"{', '.join(others)} or {last}" if others else last
    if origin is Annotated:
        plain, meta = get_args(kind)
        return meta.description or f"{expected(plain)}{_limits(meta)}"
    if origin is tuple:
        return "a list"
    simple = {bool: "true or false", int: "an integer", float: "a number"}
    return simple.get(kind, "a mapping" if origin or _isStruct(kind) else "a string")


def _isStruct(kind: Any) -> bool:
    return hasattr(kind, "__struct_fields__")


def _limits(meta: Meta) -> str:
    if meta.gt is not None:
        return f" above {meta.gt}, at most {meta.le}"
    return f" between {meta.ge} and {meta.le}"
