"""
Parsing of a tool call's arguments, and validation against the tool's schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

import fastjsonschema
import msgspec

from openclaw.interfaces import ToolError
from openclaw.json_size import hasTooManyEscapes, hasTooManyValues
from openclaw.tools.argument_conversion import Converter

ROOT = "arguments"
"""
The name of the arguments object in error messages.
"""

MAX_NAMES = 20
MAX_SHOWN = 60
"""
Limits of the names, and of the characters of a name or value, in a message.
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
        self._converter = Converter(parameters)
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
        Parse arguments, convert them where there is only one type that can be meant,
        and validate them.

        @param text: JSON.  An empty text stands for no arguments, as some models write
            it.
        @raise ToolError: The arguments are not valid.  The message names the field,
            what it is, and what it should be.
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
            arguments = self._converter.convert(arguments)
            self._validate(arguments, name_prefix=ROOT)
        except fastjsonschema.JsonSchemaValueException as error:
            raise ToolError(f"The arguments are wrong: {_describe(error)}.") from None
        except RecursionError:
            raise ToolError("The arguments are nested too deeply.") from None
        return cast("dict[str, Any]", arguments)


def _refuseReference(uri: str) -> NoReturn:
    raise BadSchema(f"the schema refers to {uri}")


def _describe(error: Any) -> str:
    """
    Say what is wrong with an argument, for the model.

    @param error: The error of C{fastjsonschema}.
    """
    name = str(error.name).removeprefix(f"{ROOT}.")
    within = "" if name == ROOT else f" in {name}"
    value, definition = error.value, error.definition
    if error.rule == "required" and isinstance(value, dict):
        missing = [each for each in definition["required"] if each not in value]
        return (
            f"{_join(missing)} {'is' if len(missing) == 1 else 'are'} missing{within}"
        )
    if error.rule == "additionalProperties" and isinstance(value, dict):
        known = list(definition.get("properties", {}))
        unknown = [each for each in value if each not in known]
        return (
            f"there is no {_join(unknown)}{within};"
            f" there {'is' if len(known) == 1 else 'are'} {_join(known) or 'none'}"
        )
    rule = str(error.message).removeprefix(f"{ROOT}.")
    if error.rule in ("anyOf", "oneOf"):
        kinds = [part.get("type") for part in definition[error.rule]]
        rule = f"{name} must be {' or '.join(map(str, filter(None, kinds)))}"
    return f"{rule}, and is {_describeValue(value)}"


def _join(names: Sequence[str]) -> str:
    more = ["..."] if len(names) > MAX_NAMES else []
    return ", ".join([*(name[:MAX_SHOWN] for name in names[:MAX_NAMES]), *more])


def _describeValue(value: Any) -> str:
    if isinstance(value, str):
        text = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."
        return f"the string {msgspec.json.encode(text).decode()}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return msgspec.json.encode(value).decode()[:MAX_SHOWN]
