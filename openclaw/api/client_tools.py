"""
Parse and validate the tools that a client offers to the model.

The error messages are those of the original OpenClaw, for programs that depend on them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from openclaw.api.body_parsing import RawField, decodePassthrough, isPresent, truncate
from openclaw.api.json_bounds import checkPassthrough
from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, ToolChoice, ToolSpec
from openclaw.raw_json import RawObject

MAX_TOOLS = 128
MAX_TOOL_VALUES = 50_000
"""
Limit of values in all tools of a request: 400 for each of 128.
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
_decodeString = msgspec.json.Decoder(str).decode
_decodeBool = msgspec.json.Decoder(bool).decode
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
    Parse the C{tools} of a request. The schemas of their parameters stay JSON.

    @raise InvalidRequest: They are not valid.
    """
    if not isPresent(raw):
        return ()
    checkPassthrough(bytes(raw), "tools", MAX_TOOL_VALUES)
    try:
        tools = _decodeTools(raw)
    except msgspec.ValidationError as error:
        raise _describeError(raw, str(error)) from None
    if len(tools) > MAX_TOOLS:
        raise _tooManyTools()
    specs: dict[str, ToolSpec] = {}
    for index, tool in enumerate(tools):
        spec = _parseTool(tool, f"tools[{index}]")
        if spec.name in specs:
            raise _invalid(
                f"duplicate tool name: {spec.name}", f"tools[{index}].function.name"
            )
        specs[spec.name] = spec
    return tuple(specs.values())


def _parseTool(tool: _Tool, field: str) -> ToolSpec:
    if tool.type != "function":
        raise _invalid(NO_FUNCTION, f"{field}.type")
    function, field = tool.function, f"{field}.function"
    name = function.name.strip()
    if not name:
        raise _invalid(NO_NAME, f"{field}.name")
    if not _NAME.fullmatch(name):
        raise _invalid(
            "tool.function.name must be up to 64 letters, digits, _ and -",
            f"{field}.name",
        )
    parameters: Mapping[str, Any] = NO_PARAMETERS
    if isPresent(function.parameters):
        schema = bytes(function.parameters)
        field = f"{field}.parameters"
        if not schema.startswith(b"{"):
            raise _invalid("tool.function.parameters must be an object", field)
        if b":" in schema:
            parameters = RawObject(schema, field)
    return ToolSpec(name, function.description or "", parameters, function.strict)


def _describeError(raw: msgspec.Raw, default: str) -> InvalidRequest:
    """
    Find the first invalid value in C{tools}, and build the original's error for it.
    """
    tools: Any = _decodeRaw(_decodeList, raw)
    if tools is None:
        return _invalid("tools must be an array", "tools")
    if len(tools) > MAX_TOOLS:
        return _tooManyTools()
    for index, each in enumerate(tools):
        field = f"tools[{index}]"
        tool = _decodeRaw(_decodeObject, each)
        if tool is None:
            return _invalid("each tool must be an object", field)
        if _decodeRaw(_decodeString, tool.get("type", _NULL)) != "function":
            return _invalid(NO_FUNCTION, f"{field}.type")
        field = f"{field}.function"
        function = _decodeRaw(_decodeObject, tool.get("function", _NULL))
        if function is None:
            return _invalid("tool.function is required", field)
        if _decodeRaw(_decodeString, function.get("name", _NULL)) is None:
            return _invalid(NO_NAME, f"{field}.name")
        for name, decode, kind in (
            ("description", _decodeString, "string"),
            ("strict", _decodeBool, "boolean"),
        ):
            value = function.get(name, _NULL)
            if isPresent(value) and _decodeRaw(decode, value) is None:
                return _invalid(
                    f"tool.function.{name} must be a {kind}", f"{field}.{name}"
                )
    return _invalid(default, "tools")


def _decodeRaw(decode: Callable[[Any], Any], raw: msgspec.Raw) -> Any:
    """
    @return: C{None} if the value has another type.
    """
    try:
        return decode(raw)
    except msgspec.ValidationError:
        return None


def _tooManyTools() -> InvalidRequest:
    return _invalid(f"there are more than {MAX_TOOLS} tools", "tools")


def parseToolChoice(raw: RawField, tools: Sequence[ToolSpec]) -> ToolChoice:
    """
    Parse the C{tool_choice} of a request.

    @param tools: The tools to choose from.

    @raise InvalidRequest: It is not valid, or names an unknown tool.
    """
    choice = decodePassthrough(_decodeAny, raw, "tool_choice", MAX_CHOICE_VALUES)
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        name = choice.strip()
        if name not in TOOL_CHOICES:
            raise _invalid(f"unsupported tool_choice: {truncate(name)}", "tool_choice")
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
            f"tool_choice requested unknown tool: {truncate(named.strip())}",
            "tool_choice.function.name",
        )
    return NamedTool(named.strip())


def _invalid(what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid tools/tool_choice: {what}", param=param)
