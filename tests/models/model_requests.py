"""
Requests, for the tests of dialects.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Provider
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ModelRequest, Sampling, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.profile_table import ROWS
from openclaw.models.profiles import Profile, resolveProfile
from openclaw.models.provider import Dialect
from openclaw.models.request_fitting import fitRequest

PIXEL = ImagePart("image/png", "iVBORw0KGgo=")

WEATHER = ToolSpec(
    "weather",
    "How it is out there.",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"city": {"type": ["string", "null"], "minLength": 1}},
        "required": ["city"],
        "additionalProperties": False,
    },
)

CALL = ToolCall("fc1", "weather", '{"city": "Köln"}')

TOOL = ToolSpec(
    "read",
    "Reads a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}},
)

CONVERSATION: Sequence[Message] = (
    UserMessage((TextPart("What is on this?"), PIXEL)),
    AssistantMessage(
        "I look.",
        (ToolCall("call_1", "read", '{"path":"a"}'), ToolCall("call_2", "ls", "")),
    ),
    ToolMessage("call_1", "A cat."),
    ToolMessage("call_2", ""),
    UserMessage("Well?"),
    AssistantMessage("A cat."),
)
"""
One with an image, and with two calls at once.
"""

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}

SCHEMA_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "count", "schema": SCHEMA, "strict": True},
}
"""
A C{response_format} as in chat completions.
"""


def encoded(dialect: Dialect, *messages: Message, **more: Any) -> Any:
    """
    Encode a request.

    @param more: Fields of the request.
    """
    said = messages or (UserMessage("Hello"),)
    request = ModelRequest(**{"model": "m", "system": "", "messages": said} | more)
    return msgspec.json.decode(dialect.encode(request))


def profileOf(
    model: str = "m",
    name: str = "vendor",
    baseUrl: str = "https://vendor.test/v1",
    api: str = "openai-completions",
    **settings: Any,
) -> Profile:
    """
    Look up the profile of a model of a provider.

    @param settings: More of the provider's configuration.
    """
    return resolveProfile(
        ROWS, name, Provider(baseUrl=baseUrl, api=api, **settings), model
    )


def fitted(
    dialect: Dialect,
    *messages: Message,
    profile: Profile | None = None,
    api: str = "openai-completions",
    **more: Any,
) -> tuple[Any, Sequence[str]]:
    """
    Fit a request to a profile and encode it, as a provider does.

    @param profile: Default: that of an unknown provider of the API.
    @param more: Fields of the request.

    @return: The body, and the names of the fields that are left out.
    """
    said = messages or (UserMessage("Hello"),)
    request = ModelRequest(**{"model": "m", "system": "", "messages": said} | more)
    if profile is None:
        profile = profileOf(request.model, api=api)
    request, ignored = fitRequest(request, profile)
    return msgspec.json.decode(dialect.encode(request, profile)), ignored


def sampled(dialect: Dialect, **fields: Any) -> Any:
    """
    Encode a request with these sampling fields.
    """
    return encoded(dialect, sampling=Sampling(**fields))


class RequestTestCase(SynchronousTestCase):
    """
    A test case with the requests of a dialect.

    @cvar dialect: The dialect.
    @cvar api: The name of the API in errors.
    @cvar model: The model that is asked.
    """

    dialect: Dialect
    api: str
    model = "m"

    def assertRefuses(self, field: str, **more: Any) -> None:
        """
        Assert that a request is refused for one field, which the error names
        together with the API.

        @param more: Fields of the request.
        """
        more = {"model": self.model, **more}
        error = self.assertRaises(InvalidRequest, encoded, self.dialect, **more)
        self.assertEqual((error.param, error.code), (field, "unsupported_parameter"))
        self.assertIn(field, error.message)
        self.assertIn(f"the api {self.api}", error.message)


__all__ = [
    "CALL",
    "CONVERSATION",
    "PIXEL",
    "SCHEMA",
    "SCHEMA_FORMAT",
    "TOOL",
    "encoded",
    "fitted",
    "profileOf",
    "sampled",
]
