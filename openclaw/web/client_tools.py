"""
The tools that a client brings: checked, and put in the house's own words.

The messages for what is wrong are those of the original, so that a program that
reads them need not change.
"""

import re
from collections.abc import Sequence
from typing import Any

from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, ToolChoice, ToolSpec

MAX_TOOLS = 128
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOL_CHOICES = ("auto", "none", "required")


def readTools(tools: Any) -> tuple[ToolSpec, ...]:
    """
    Read the C{tools} of a request.

    @raise InvalidRequest: They are not valid.
    """
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise _invalid("tools must be an array", "tools")
    if len(tools) > MAX_TOOLS:
        raise _invalid(f"there are more than {MAX_TOOLS} tools", "tools")
    read: dict[str, ToolSpec] = {}
    for index, tool in enumerate(tools):
        spec = _readTool(tool, f"tools[{index}]")
        if spec.name in read:
            raise _invalid(
                f"duplicate tool name: {spec.name}", f"tools[{index}].function.name"
            )
        read[spec.name] = spec
    return tuple(read.values())


def _readTool(tool: Any, where: str) -> ToolSpec:
    if not isinstance(tool, dict):
        raise _invalid("each tool must be an object", where)
    if tool.get("type") != "function":
        raise _invalid("only function tools are supported", f"{where}.type")
    function = tool.get("function")
    if not isinstance(function, dict):
        raise _invalid("tool.function is required", f"{where}.function")
    name = function.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _invalid("tool.function.name is required", f"{where}.function.name")
    if not _NAME.fullmatch(name.strip()):
        raise _invalid(
            "tool.function.name must be up to 64 letters, digits, _ and -",
            f"{where}.function.name",
        )
    description = function.get("description")
    if description is not None and not isinstance(description, str):
        raise _invalid(
            "tool.function.description must be a string",
            f"{where}.function.description",
        )
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise _invalid(
            "tool.function.parameters must be an object",
            f"{where}.function.parameters",
        )
    strict = function.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise _invalid(
            "tool.function.strict must be a boolean", f"{where}.function.strict"
        )
    return ToolSpec(
        name.strip(),
        description or "",
        parameters or {"type": "object", "properties": {}},
        strict,
    )


def readToolChoice(choice: Any, tools: Sequence[ToolSpec]) -> ToolChoice:
    """
    Read the C{tool_choice} of a request.

    @param tools: What it can choose from.

    @raise InvalidRequest: It is not valid, or asks for what is not there.
    """
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        name = choice.strip()
        if name not in TOOL_CHOICES:
            raise _invalid(f"unsupported tool_choice: {name}", "tool_choice")
        if name == "required" and not tools:
            raise _invalid(
                "tool_choice=required but no tools were provided", "tool_choice"
            )
        return name  # type: ignore[return-value]
    if not isinstance(choice, dict):
        raise _invalid("tool_choice must be a string or object", "tool_choice")
    if choice.get("type") != "function":
        raise _invalid("only function tools are supported", "tool_choice.type")
    function = choice.get("function")
    named = function.get("name") if isinstance(function, dict) else None
    if not isinstance(named, str) or not named.strip():
        raise _invalid(
            "tool_choice.function.name is required", "tool_choice.function.name"
        )
    if all(tool.name != named.strip() for tool in tools):
        raise _invalid(
            f"tool_choice requested unknown tool: {named.strip()}",
            "tool_choice.function.name",
        )
    return NamedTool(named.strip())


def _invalid(what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid tools/tool_choice: {what}", param=param)


__all__ = ["MAX_TOOLS", "TOOL_CHOICES", "readToolChoice", "readTools"]
