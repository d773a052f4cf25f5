"""
Conversion of a model's arguments to the types of a JSON Schema, where there is only one
that can be meant.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from openclaw.json_size import hasTooManyEscapes, hasTooManyValues

MAX_DEPTH = 32
"""
Limit of the depth to which a schema is followed.
"""

_INTEGER = re.compile(r"\s*[+-]?\d{1,18}(?:\.0{1,18})?\s*")
_NUMBER = re.compile(r"\s*[+-]?\d{1,300}(?:\.\d{1,300})?(?:[eE][+-]?\d{1,3})?\s*")
_SAID_BY = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "not")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


class Converter:
    """
    Converts the arguments of one tool.

    An optional argument that is null counts as absent.  Where the schema has no string,
    a string can be a number, a boolean, or JSON of an array or object; and 20.0 is an
    integer.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def convert(self, value: Any) -> Any:
        """
        Convert the arguments; what can't be converted stays.

        @raise RecursionError: They are nested too deeply.
        """
        return self._convert({} if value is None else value, self._root, 0)

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        """
        Follow a reference within the schema.
        """
        for _ in range(MAX_DEPTH):
            if not isinstance(schema, Mapping):
                break
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            schema = self._root
            for name in reference[2:].split("/"):
                name = name.replace("~1", "/").replace("~0", "~")
                schema = schema.get(name) if isinstance(schema, Mapping) else None
        return {}

    def _convert(self, value: Any, schema: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return value
        schema = self._resolve(schema)
        for part in _listOf(schema, "allOf"):
            value = self._convert(value, part, depth + 1)
        branches = [*_listOf(schema, "anyOf"), *_listOf(schema, "oneOf")]
        if branches:
            value = self._convertToOne(value, branches, depth + 1)
        kinds = set(self._kindsOf(schema, 0)) if not branches else set()
        if kinds:
            value = _convertScalar(value, kinds)
        if isinstance(value, dict):
            return self._convertObject(value, schema, depth + 1)
        if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
            return [self._convert(each, schema["items"], depth + 1) for each in value]
        return value

    def _convertToOne(self, value: Any, branches: list[Any], depth: int) -> Any:
        """
        Convert a value to the first alternative whose type it has or can get.
        """
        kinds = [set(self._kindsOf(branch, 0)) for branch in branches]
        for branch, possible in zip(branches, kinds, strict=True):
            if not possible or _isOneOf(value, possible):
                return self._convert(value, branch, depth)
        for branch, possible in zip(branches, kinds, strict=True):
            converted = _convertScalar(value, possible)
            if _isOneOf(converted, possible):
                return self._convert(converted, branch, depth)
        return value

    def _convertObject(
        self, value: dict[str, Any], schema: Mapping[str, Any], depth: int
    ) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = _listOf(schema, "required")
        others = schema.get("additionalProperties")
        converted = {}
        for name, each in value.items():
            part = properties.get(name, others)
            if each is None and part is False:
                continue
            if (
                each in (None, "null")
                and name in properties
                and name not in required
                and not self._permits(each, part)
            ):
                continue
            converted[name] = self._convert(each, part, depth)
        return converted

    def _permits(self, value: str | None, schema: Any) -> bool:
        """
        Return whether a schema may allow null, or a string.
        """
        schema = self._resolve(schema)
        if schema.get("nullable") is True and value is None:
            return True
        if not any(key in schema for key in _SAID_BY):
            # Such as one that only has a description.
            return True
        return _isOneOf(value, set(self._kindsOf(schema, 0)))

    def _kindsOf(self, schema: Any, depth: int) -> Iterator[str]:
        """
        Find the types that a schema allows; none if it does not say.
        """
        schema = self._resolve(schema)
        kinds = schema.get("type")
        if isinstance(kinds, str):
            yield kinds
        elif isinstance(kinds, list | tuple):
            yield from (kind for kind in kinds if isinstance(kind, str))
        elif depth < MAX_DEPTH:
            values = [*_listOf(schema, "enum")]
            if "const" in schema:
                values.append(schema["const"])
            for each in values:
                yield from (kind for kind in _KINDS if _isOneOf(each, {kind}))
            for key in ("anyOf", "oneOf", "allOf"):
                for part in _listOf(schema, key):
                    yield from self._kindsOf(part, depth + 1)


def _listOf(schema: Mapping[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return list(value) if isinstance(value, list | tuple) else []


def _isOneOf(value: Any, kinds: set[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, _KINDS.get(kind, ())) for kind in kinds)


def _convertScalar(value: Any, kinds: set[str]) -> Any:
    """
    Convert a value to a type, if it has none of them.
    """
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return value if "number" in kinds else int(value)
    if not isinstance(value, str) or "string" in kinds:
        return value
    if "integer" in kinds and _INTEGER.fullmatch(value):
        return int(value.partition(".")[0])
    if "number" in kinds and _NUMBER.fullmatch(value):
        number = float(value)
        return number if math.isfinite(number) else value
    word = value.strip()
    if "boolean" in kinds and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if (word.startswith("{") and "object" in kinds) or (
        word.startswith("[") and "array" in kinds
    ):
        return _decode(value)
    return value


def _decode(text: str) -> Any:
    """
    Decode JSON; return other text as it is.
    """
    payload = text.encode("utf-8", "replace")
    if hasTooManyEscapes(payload) or hasTooManyValues(payload):
        return text
    try:
        return msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return text
