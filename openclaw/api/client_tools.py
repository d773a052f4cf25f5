"""
The tools that a client brings: checked, and translated into our own types.

The messages for what is wrong are those of the original, so that a program that
reads them need not change.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from openclaw.api.body_parsing import RawField, given, quoted, readPassed
from openclaw.api.json_bounds import checkPassed
from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, ToolChoice, ToolSpec
from openclaw.raw_json import RawObject

MAX_TOOLS = 128
MAX_TOOL_VALUES = 50_000
"""
Limit of values in all tools of a request: 400 for each.
"""

MAX_CHOICE_VALUES = 100
"""
Limit of values in C{tool_choice}, which has four.
"""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOL_CHOICES = ("auto", "none", "required")
NO_FUNCTION = "only function tools are supported"
NO_NAME = "tool.function.name is required"
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}

_decodeList = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decodeObject = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decodeText = msgspec.json.Decoder(str).decode
_decodeTruth = msgspec.json.Decoder(bool).decode
_decodeAny = msgspec.json.Decoder().decode
_NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: RawField = msgspec.UNSET
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str
    function: _Function


_decodeTools = msgspec.json.Decoder(list[_Tool]).decode


def parseTools(raw: RawField) -> tuple[ToolSpec, ...]:
    """
    Read the C{tools} of a request.  The schemas of their arguments stay JSON.

    @raise InvalidRequest: They are not valid.
    """
    if not given(raw):
        return ()
    checkPassed(bytes(raw), "tools", MAX_TOOL_VALUES)
    try:
        tools = _decodeTools(raw)
    except msgspec.ValidationError as error:
        raise _complaint(raw, str(error)) from None
    if len(tools) > MAX_TOOLS:
        raise _tooMany()
    read: dict[str, ToolSpec] = {}
    for index, tool in enumerate(tools):
        spec = _readTool(tool, f"tools[{index}]")
        if spec.name in read:
            raise _invalid(
                f"duplicate tool name: {spec.name}", f"tools[{index}].function.name"
            )
        read[spec.name] = spec
    return tuple(read.values())


def _readTool(tool: _Tool, where: str) -> ToolSpec:
    if tool.type != "function":
        raise _invalid(NO_FUNCTION, f"{where}.type")
    function, where = tool.function, f"{where}.function"
    name = function.name.strip()
    if not name:
        raise _invalid(NO_NAME, f"{where}.name")
    if not _NAME.fullmatch(name):
        raise _invalid(
            "tool.function.name must be up to 64 letters, digits, _ and -",
            f"{where}.name",
        )
    parameters: Mapping[str, Any] = NO_PARAMETERS
    if given(function.parameters):
        schema = bytes(function.parameters)
        where = f"{where}.parameters"
        if not schema.startswith(b"{"):
            raise _invalid("tool.function.parameters must be an object", where)
        if b":" in schema:
            parameters = RawObject(schema, where)
    return ToolSpec(name, function.description or "", parameters, function.strict)


def _complaint(raw: msgspec.Raw, otherwise: str) -> InvalidRequest:
    """
    Find what is of the wrong kind in C{tools}, and say so in the original's words.
    """
    tools: Any = _decodeRaw(_decodeList, raw)
    if tools is None:
        return _invalid("tools must be an array", "tools")
    if len(tools) > MAX_TOOLS:
        return _tooMany()
    for index, each in enumerate(tools):
        where = f"tools[{index}]"
        tool = _decodeRaw(_decodeObject, each)
        if tool is None:
            return _invalid("each tool must be an object", where)
        if _decodeRaw(_decodeText, tool.get("type", _NULL)) != "function":
            return _invalid(NO_FUNCTION, f"{where}.type")
        where = f"{where}.function"
        function = _decodeRaw(_decodeObject, tool.get("function", _NULL))
        if function is None:
            return _invalid("tool.function is required", where)
        if _decodeRaw(_decodeText, function.get("name", _NULL)) is None:
            return _invalid(NO_NAME, f"{where}.name")
        for name, decode, kind in (
            ("description", _decodeText, "string"),
            ("strict", _decodeTruth, "boolean"),
        ):
            value = function.get(name, _NULL)
            if given(value) and _decodeRaw(decode, value) is None:
                return _invalid(
                    f"tool.function.{name} must be a {kind}", f"{where}.{name}"
                )
    return _invalid(otherwise, "tools")


def _decodeRaw(decode: Callable[[Any], Any], raw: msgspec.Raw) -> Any:
    """
    @return: C{None} for what is of another kind.
    """
    try:
        return decode(raw)
    except msgspec.ValidationError:
        return None


def _tooMany() -> InvalidRequest:
    return _invalid(f"there are more than {MAX_TOOLS} tools", "tools")


def parseToolChoice(raw: RawField, tools: Sequence[ToolSpec]) -> ToolChoice:
    """
    Read the C{tool_choice} of a request.

    @param tools: What it can choose from.

    @raise InvalidRequest: It is not valid, or asks for what is not there.
    """
    choice = readPassed(_decodeAny, raw, "tool_choice", MAX_CHOICE_VALUES)
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        name = choice.strip()
        if name not in TOOL_CHOICES:
            raise _invalid(f"unsupported tool_choice: {quoted(name)}", "tool_choice")
        if name == "required" and not tools:
            raise _invalid(
                "tool_choice=required but no tools were provided", "tool_choice"
            )
        return name  # type: ignore[return-value]
    if not isinstance(choice, dict):
        raise _invalid("tool_choice must be a string or object", "tool_choice")
    if choice.get("type") != "function":
        raise _invalid(NO_FUNCTION, "tool_choice.type")
    function = choice.get("function")
    named = function.get("name") if isinstance(function, dict) else None
    if not isinstance(named, str) or not named.strip():
        raise _invalid(
            "tool_choice.function.name is required", "tool_choice.function.name"
        )
    if all(tool.name != named.strip() for tool in tools):
        raise _invalid(
            f"tool_choice requested unknown tool: {quoted(named.strip())}",
            "tool_choice.function.name",
        )
    return NamedTool(named.strip())


def _invalid(what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid tools/tool_choice: {what}", param=param)
