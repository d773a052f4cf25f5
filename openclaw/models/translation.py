"""
Translation for dialects whose requests look little like OpenAI's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from openclaw.interfaces import ModelRequest, Sampling
from openclaw.messages import AssistantMessage, Message
from openclaw.models.request_encoding import refuseFields, unsupported


def refuseUnsaid(request: ModelRequest, api: str) -> None:
    """
    Refuse what only OpenAI's APIs, or not even L{openclaw.interfaces.ModelReply},
    have words for, if the caller would get something else without it.

    @raise openclaw.errors.InvalidRequest: There is such a field.
    """
    refused: dict[str, Any] = {"logit_bias": {}, "logprobs": False, "top_logprobs": 0}
    if request.tools and request.toolChoice != "none":
        # Such models are free to call several tools at once.
        refused["parallel_tool_calls"] = True
    refuseFields(request.sampling, refused, api)


def wantedFormat(
    sampling: Sampling, api: str
) -> Mapping[str, Any] | Literal["json"] | None:
    """
    Return the JSON Schema of C{response_format}, if it has one.

    @return: A JSON Schema, C{"json"} for any JSON, or C{None} for text.

    @raise openclaw.errors.InvalidRequest: It is none of these.
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


def toolNames(messages: Sequence[Message]) -> dict[str, str]:
    """
    The name of the tool behind the id of each call in a conversation.
    """
    return {
        call.id: call.name
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls
    }


def named(**values: Any) -> dict[str, Any]:
    """
    Those of these values that are not C{None}, by their names on the wire.
    """
    return {name: value for name, value in values.items() if value is not None}
