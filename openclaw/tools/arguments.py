"""
The arguments of a tool call: parsed, and checked against its schema.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, cast

import fastjsonschema
import msgspec

from openclaw.interfaces import ToolError
from openclaw.json_size import hasTooManyEscapes, hasTooManyValues

ROOT = "arguments"
"""
The name of the whole of the arguments in messages.
"""

LARGE_CHARACTERS = 64 * 1024
"""
The values in arguments that are longer than this are counted before they are read.
"""


class BadSchema(Exception):
    """
    A tool's C{parameters} are no JSON Schema of an object.
    """


class ArgumentReader:
    """
    Reads the arguments of one tool.  Compiles its schema, once.
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
                # Nothing is fetched from anywhere because a schema says so.
                handlers={"http": _noReference, "https": _noReference},
                use_default=False,
            )
        except Exception as error:
            raise BadSchema(str(error)) from error

    def read(self, text: str) -> dict[str, Any]:
        """
        Arguments as Python values.

        @param text: JSON; nothing at all stands for no arguments, as some models
            write it.

        @raise ToolError: They are not what the schema asks for.  The message names
            the place, and repeats no value.
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
            raise ToolError(f"The arguments are wrong: {_message(error)}.") from None
        except RecursionError:
            raise ToolError("The arguments are nested too deeply.") from None
        return cast("dict[str, Any]", arguments)


def _noReference(uri: str) -> NoReturn:
    raise BadSchema(f"the schema refers to {uri}")


def _message(error: Any) -> str:
    return str(error.message).removeprefix(f"{ROOT}.")
