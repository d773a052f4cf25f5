"""
Translation of requests for dialects that differ much from OpenAI's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from openclaw.interfaces import ModelRequest, Sampling
from openclaw.messages import AssistantMessage, Message
from openclaw.models.request_encoding import refuseFields, unsupported


def refuseUnsupported(request: ModelRequest, api: str) -> None:
    """
    Refuse fields that only OpenAI's APIs support, if the client would get something
    else without them.

    @raise openclaw.errors.InvalidRequest: The request has such a field.
    """
    refuseFields(request.sampling, {"logit_bias": {}}, api)


def parseResponseFormat(
    sampling: Sampling, api: str
) -> Mapping[str, Any] | Literal["json"] | None:
    """
    Parse C{response_format}.

    @return: A JSON Schema, C{"json"} for any JSON, or C{None} for text.
    @raise openclaw.errors.InvalidRequest: It is not supported.
    """
    match sampling.response_format or {"type": "text"}:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "json_schema": {"schema": {} as schema}}:
            return cast("Mapping[str, Any]", schema)
        case {"type": "json_schema"}:
            return "json"
    raise unsupported("response_format", api)


def mapToolNames(messages: Sequence[Message]) -> dict[str, str]:
    """
    Map the ID of each call in a conversation to the name of its tool.
    """
    return {
        call.id: call.name
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls
    }


def omitNone(**values: Any) -> dict[str, Any]:
    """
    Return the values that are not C{None}, by their names on the wire.
    """
    return {name: value for name, value in values.items() if value is not None}
