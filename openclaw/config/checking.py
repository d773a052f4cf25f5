"""
Plain data, as a parser gives it, made into a L{Config}: or every fault in it named.

An unknown key is no fault, since configurations of other versions have many that
mean nothing here.  What is below it is not looked at.
"""

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from openclaw.config.consistency import checkConsistency
from openclaw.config.findings import Findings, child, describe, expected, item
from openclaw.config.models import ModelRef
from openclaw.config.root import Config
from openclaw.config.substitution import SubstitutionFailed, substitute
from openclaw.config.value_conversion import Unfit, convert
from openclaw.errors import ConfigError


def check(
    data: object,
    environ: Mapping[str, str],
    folder: Path,
    origin: str = "the configuration",
) -> tuple[Config, tuple[str, ...]]:
    """
    Convert and check a whole configuration.

    @param data: What the file holds: mappings, lists, strings, numbers, booleans
        and C{None}.
    @param environ: The environment, for C{${VAR}}, credentials and C{~}.
    @param folder: What a relative path starts from.
    @param origin: The name of the file, for the error's first line.

    @return: The configuration and the warnings, one line each.

    @raise ConfigError: There are faults; it holds all of them.
    """
    findings = Findings()
    walk = _Walk(findings, environ, folder)
    config: Config = walk.struct("", {} if data is None else data, Config)
    checkConsistency(config, walk.references, environ, findings)
    if findings.faults:
        count = len(findings.faults)
        faults = "1 fault" if count == 1 else f"{count} faults"
        raise ConfigError(f"{origin}: {faults}:", findings.faults)
    return config, tuple(findings.warnings)


_FAULTY = object()
"""
Stands for a value that could not be converted.
"""


class _Walk:
    """
    Goes through data and schema side by side.  Each method returns what it could
    make of the data; where that is not all, a fault was noted.

    @ivar references: The models that are referred to, with the paths of the keys.
    """

    def __init__(
        self, findings: Findings, environ: Mapping[str, str], folder: Path
    ) -> None:
        self.references: list[tuple[str, ModelRef]] = []
        self._findings = findings
        self._environ = environ
        self._folder = folder

    def struct(self, path: str, data: object, kind: Any) -> Any:
        """
        A mapping with known keys.  The result is always of that kind; what it
        requires and could not have is C{None}, which is never used, since a fault
        was noted.
        """
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        values = {name: None for name, field in fields.items() if field.required}
        shorthand = getattr(kind, "shorthand", None)
        if shorthand is not None and isinstance(data, str):
            self._keep(values, shorthand, self._value(path, data, fields[shorthand]))
        elif not isinstance(data, dict):
            self._wrong(path, data, kind)
        else:
            for key, content in data.items():
                if key not in fields:
                    self._unknown(path, key, list(fields))
                elif content is not None:
                    value = self._value(child(path, key), content, fields[key])
                    self._keep(values, key, value)
            for name in values:
                if data.get(name) is None:
                    wanted = expected(fields[name].type)
                    self._findings.fault(
                        child(path, name), f"missing; expected {wanted}"
                    )
        return kind(**values)

    def _keep(self, values: dict[str, Any], name: str, value: Any) -> None:
        if value is not _FAULTY:
            values[name] = value

    def _value(self, path: str, data: object, field: FieldInfo) -> Any:
        return self._any(path, data, _present(field.type))

    def _any(self, path: str, data: object, kind: Any) -> Any:
        origin = get_origin(kind)
        if origin is tuple:
            return self._list(path, data, get_args(kind)[0])
        if origin is Mapping:
            return self._mapping(path, data, *get_args(kind))
        if _isStruct(kind):
            return self.struct(path, data, kind)
        return self._leaf(path, data, kind)

    def _list(self, path: str, data: object, kind: Any) -> Any:
        if not isinstance(data, list):
            return self._wrong(path, data, tuple[kind, ...])
        items = (
            self._any(item(path, index), content, kind)
            for index, content in enumerate(data)
        )
        return tuple(value for value in items if value is not _FAULTY)

    def _mapping(self, path: str, data: object, keys: Any, kind: Any) -> Any:
        if not isinstance(data, dict):
            return self._wrong(path, data, Mapping[keys, kind])
        result: dict[str, Any] = {}
        for name, content in data.items():
            try:
                key = convert(name, keys, self._environ, self._folder)
            except Unfit as error:
                self._findings.fault(path, f"a key: {error}")
                continue
            place = child(path, name)
            if key in result:
                self._findings.fault(
                    place, "is the same as another key, but for upper case"
                )
            if content is None and _isStruct(kind):
                content = {}
            value = self._any(place, content, kind)
            if value is not _FAULTY:
                result[key] = value
        return result

    def _leaf(self, path: str, data: object, kind: Any) -> Any:
        try:
            text = data
            if isinstance(data, str):
                text = substitute(data, self._environ)
            # What came out of the environment may be a secret wherever it stands.
            hidden = isinstance(data, str) and "${" in data
            value = convert(text, kind, self._environ, self._folder, hidden)
        except SubstitutionFailed as error:
            for problem in error.problems:
                self._findings.fault(path, problem)
            return _FAULTY
        except Unfit as error:
            self._findings.fault(path, str(error))
            return _FAULTY
        if kind is ModelRef:
            self.references.append((path, value))
        return value

    def _wrong(self, path: str, data: object, kind: Any) -> Any:
        # A string in the place of a mapping may be the secret that belongs into it.
        got = describe(data, hidden=True)
        self._findings.fault(path, f"expected {expected(kind)}, got {got}")
        return _FAULTY

    def _unknown(self, path: str, key: Hashable, known: list[str]) -> None:
        nearest = _nearest(key, known) if isinstance(key, str) else None
        advice = f'; did you mean "{nearest}"?' if nearest else ", ignored"
        self._findings.warn(child(path, key), f"unknown key{advice}")


def _present(kind: Any) -> Any:
    """
    The kind of an optional key, when it is given.
    """
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    return kind


def _isStruct(kind: Any) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        # A model's reference is written as one string.
        and kind is not ModelRef
    )


def _nearest(key: str, known: list[str]) -> str | None:
    folded = {name.lower(): name for name in known}
    matches = get_close_matches(key.lower(), folded, n=1)
    return folded[matches[0]] if matches else None
