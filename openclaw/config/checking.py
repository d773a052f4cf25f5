"""
Convert parsed data into a L{Config}, and collect all errors.

An unknown key is a warning, since configurations of other versions have keys that mean
nothing here.  Its value is not checked.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from openclaw.config.consistency import checkConsistency
from openclaw.config.findings import (
    Findings,
    childPath,
    describeType,
    describeValue,
    itemPath,
)
from openclaw.config.key_suggestions import isStruct, suggestKey, withoutNone
from openclaw.config.models import ModelRef
from openclaw.config.root import Config
from openclaw.config.substitution import SubstitutionFailed, substitute
from openclaw.config.value_conversion import ConversionError, convert
from openclaw.errors import ConfigError


def examine(
    data: object, environ: Mapping[str, str], folder: Path
) -> tuple[Config, Findings]:
    """
    Convert a configuration, and collect what is wrong with it.

    @param data: The parsed file: mappings, lists, strings, numbers, booleans and
        C{None}.
    @param environ: The environment, for C{${VAR}}, credentials and C{~}.
    @param folder: The base of relative paths.

    @return: The configuration, which may only be used if there is no error, and all
        errors and warnings.
    """
    findings = Findings()
    walk = _Converter(findings, environ, folder)
    config: Config = walk.convertStruct("", {} if data is None else data, Config)
    checkConsistency(config, walk.references, environ, findings)
    return config, findings


def raiseErrors(findings: Findings, origin: str) -> None:
    """
    Raise an error that lists all findings, if one of them is an error.

    @param origin: The name of the file, for the first line.

    @raise ConfigError: There are errors.
    """
    if not findings.errors:
        return
    count = len(findings.errors)
    summary = "1 error" if count == 1 else f"{count} errors"
    raise ConfigError(f"{origin}: {summary}:", findings.errors, findings.warnings)


_BARE_VARIABLE = re.compile(r"\$[A-Z_][A-Z0-9_]*")
"""
The name of a variable as a shell has it, but not this configuration.
"""

_INVALID = object()
"""
The result for a value that could not be converted.
"""


class _Converter:
    """
    Converts data by walking through it and the schema together.  Each method returns
    the converted value, and adds an error for each part that it could not convert.

    @ivar references: The models that are referred to, with the paths of their keys.
    """

    def __init__(
        self, findings: Findings, environ: Mapping[str, str], folder: Path
    ) -> None:
        self.references: list[tuple[str, ModelRef]] = []
        self._findings = findings
        self._environ = environ
        self._folder = folder

    def convertStruct(self, path: str, data: object, kind: Any) -> Any:
        """
        Convert a mapping with known keys.

        @return: An instance of C{kind}.  A required field that could not be converted
            is C{None}; since there is an error, nobody uses it.
        """
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        values = {name: None for name, field in fields.items() if field.required}
        shorthand = getattr(kind, "shorthand", None)
        if shorthand is not None and isinstance(data, str):
            self._keep(
                values, shorthand, self._convertField(path, data, fields[shorthand])
            )
        elif not isinstance(data, dict):
            self._addTypeError(path, data, kind)
        else:
            for key, content in data.items():
                if key not in fields:
                    self._warnUnknown(path, key, content, kind)
                elif content is not None:
                    value = self._convertField(
                        childPath(path, key), content, fields[key]
                    )
                    self._keep(values, key, value)
            for name in values:
                if data.get(name) is None:
                    expectation = describeType(fields[name].type)
                    self._findings.addError(
                        childPath(path, name), f"missing; expected {expectation}"
                    )
        return kind(**values)

    def _keep(self, values: dict[str, Any], name: str, value: Any) -> None:
        if value is not _INVALID:
            values[name] = value

    def _convertField(self, path: str, data: object, field: FieldInfo) -> Any:
        return self._convert(path, data, withoutNone(field.type))

    def _convert(self, path: str, data: object, kind: Any) -> Any:
        origin = get_origin(kind)
        if origin is tuple:
            return self._convertList(path, data, get_args(kind)[0])
        if origin is Mapping:
            return self._convertMapping(path, data, *get_args(kind))
        if isStruct(kind):
            return self.convertStruct(path, data, kind)
        return self._convertLeaf(path, data, kind)

    def _convertList(self, path: str, data: object, kind: Any) -> Any:
        if not isinstance(data, list):
            return self._addTypeError(path, data, tuple[kind, ...])
        items = (
            self._convert(itemPath(path, index), content, kind)
            for index, content in enumerate(data)
        )
        return tuple(value for value in items if value is not _INVALID)

    def _convertMapping(self, path: str, data: object, keys: Any, kind: Any) -> Any:
        if not isinstance(data, dict):
            return self._addTypeError(path, data, Mapping[keys, kind])
        result: dict[str, Any] = {}
        for name, content in data.items():
            try:
                key = convert(name, keys, self._environ, self._folder)
            except ConversionError as error:
                self._findings.addError(path, f"invalid key: {error}")
                continue
            keyPath = childPath(path, name)
            if key in result:
                self._findings.addError(
                    keyPath, "duplicates another key, which differs only in case"
                )
            if content is None and isStruct(kind):
                content = {}
            value = self._convert(keyPath, content, kind)
            if value is not _INVALID:
                result[key] = value
        return result

    def _convertLeaf(self, path: str, data: object, kind: Any) -> Any:
        try:
            text = data
            if isinstance(data, str):
                text = substitute(data, self._environ)
            # A value from the environment may be a secret, under any key.
            hidden = isinstance(data, str) and "${" in data
            value = convert(text, kind, self._environ, self._folder, hidden)
        except SubstitutionFailed as error:
            for problem in error.problems:
                self._findings.addError(path, problem)
            return _INVALID
        except ConversionError as error:
            self._findings.addError(path, str(error))
            return _INVALID
        if isinstance(data, str) and _BARE_VARIABLE.fullmatch(data):
            self._findings.addWarning(
                path,
                f'"{data}" is taken literally; for the variable, write'
                f' "${{{data[1:]}}}"',
            )
        if kind is ModelRef:
            self.references.append((path, value))
        return value

    def _addTypeError(self, path: str, data: object, kind: Any) -> Any:
        # A string instead of a mapping may be the secret that belongs in it.
        got = describeValue(data, hidden=True)
        self._findings.addError(path, f"expected {describeType(kind)}, got {got}")
        return _INVALID

    def _warnUnknown(self, path: str, key: Hashable, value: object, kind: Any) -> None:
        advice = suggestKey(path, key, value, kind, Config)
        self._findings.addWarning(childPath(path, key), f"unknown key{advice}")
