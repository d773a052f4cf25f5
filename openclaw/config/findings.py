"""
Errors and warnings of a configuration, and their texts.

A finding begins with the path of the key, such as C{agents.list[0].id}, and never holds
a secret.
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
    Errors and warnings, in the order in which they were found.

    @ivar errors: One line for each error; each makes the configuration unusable.
    @ivar warnings: One line for each warning, such as a key without effect.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._errorPaths: set[str] = set()

    def addError(self, path: str, text: str) -> None:
        """
        Add an error.

        @param path: The path of the key; empty for the whole document.
        """
        self._errorPaths.add(path)
        self.errors.append(f"{path}: {text}" if path else text)

    def addLine(self, line: str) -> None:
        """
        Add an error whose line begins with the path already, unless the value at that
        path is wrong anyway.
        """
        if not self.hasError(line.partition(": ")[0]):
            self.errors.append(line)

    def addWarning(self, path: str, text: str) -> None:
        self.warnings.append(f"{path}: {text}")

    def hasError(self, *paths: str) -> bool:
        """
        Return whether one of these paths already has an error, so that errors that only
        follow from it are left out.
        """
        return not self._errorPaths.isdisjoint(paths)


def childPath(path: str, key: Hashable) -> str:
    return f"{path}.{formatKey(key)}" if path else formatKey(key)


def itemPath(path: str, index: int) -> str:
    """
    Return the path of an item of the list at C{path}.

    @param index: The position, from 0.
    """
    return f"{path}[{index}]"


def formatKey(key: Hashable) -> str:
    """
    Format a key for a path, in quotes if it needs them.
    """
    if not isinstance(key, str):
        return describeValue(key)
    return key if PLAIN_KEY.fullmatch(key) else quote(key)


def quote(text: str) -> str:
    """
    Put text in double quotes: on one line, shortened to L{SHOWN_CHARACTERS}, printable.
    """
    if len(text) > SHOWN_CHARACTERS:
        text = text[:SHOWN_CHARACTERS] + "..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def describeValue(value: object, hidden: bool = False) -> str:
    """
    Describe a value by its type, and by its text if that is short.

    @param hidden: The value may be a secret: describe only its type.
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
            return "a string" if hidden else f"the string {quote(value)}"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case datetime.date():
            return "a date"
        case bytes():
            return "binary data"
    return f"a {type(value).__name__}"


def describeType(kind: Any) -> str:
    """
    Describe the values that a key of this type takes.

    @param kind: The type of a field of a configuration Struct.
    """
    if hasattr(kind, "expectation"):
        return str(kind.expectation)
    origin = get_origin(kind)
    if origin is Literal:
        *others, last = [f'"{choice}"' for choice in get_args(kind)]
        return f"{', '.join(others)} or {last}" if others else last
    if origin is Annotated:
        plain, meta = get_args(kind)
        return meta.description or f"{describeType(plain)}{_limits(meta)}"
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
