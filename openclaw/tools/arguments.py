"""
Parsing of a tool call's arguments, and validation against the tool's schema.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, cast

import fastjsonschema
import msgspec

from openclaw.interfaces import ToolError
from openclaw.json_size import hasTooManyEscapes, hasTooManyValues

ROOT = "arguments"
"""
The name of the arguments object in error messages.
"""

LARGE_CHARACTERS = 64 * 1024
"""
Arguments longer than this are checked for their number of values and escapes before
they are decoded.
"""


class BadSchema(Exception):
    """
    A tool's C{parameters} are not a JSON Schema of an object.
    """


class ArgumentReader:
    """
    Parses and validates the arguments of one tool.  Its schema is compiled once.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """
        @raise BadSchema: The schema can't be used.
        """
        if parameters.get("type") != "object":
            raise BadSchema("the schema must be of an object")
        try:
            self._validate = fastjsonschema.compile(
                dict(parameters),
                # A schema's references are never fetched.
                handlers={"http": _refuseReference, "https": _refuseReference},
                use_default=False,
            )
        except Exception as error:
            raise BadSchema(str(error)) from error

    def read(self, text: str) -> dict[str, Any]:
        """
        Parse arguments and validate them.

        @param text: JSON.  An empty text stands for no arguments, as some models write
            it.
        @raise ToolError: The arguments are not valid.  The message names the field, and
            repeats no value.
        """
        if len(text) > LARGE_CHARACTERS:
            payload = text.encode()
            if hasTooManyEscapes(payload):
                raise ToolError("The arguments have too many escapes.")
            if hasTooManyValues(payload):
                raise ToolError("The arguments have too many values.")
        try:
            arguments = msgspec.json.decode(text) if text.strip() else {}
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise ToolError(f"The arguments are not valid JSON: {error}") from None
        try:
            self._validate(arguments, name_prefix=ROOT)
        except fastjsonschema.JsonSchemaValueException as error:
            raise ToolError(f"The arguments are wrong: {_describe(error)}.") from None
        except RecursionError:
            raise ToolError("The arguments are nested too deeply.") from None
        return cast("dict[str, Any]", arguments)


def _refuseReference(uri: str) -> NoReturn:
    raise BadSchema(f"the schema refers to {uri}")


def _describe(error: Any) -> str:
    return str(error.message).removeprefix(f"{ROOT}.")
