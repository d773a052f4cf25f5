"""
What a chat completion request looks like on the wire: OpenAI's names and kinds.

Follows U{https://platform.openai.com/docs/api-reference/chat/create}.  Fields that
are not here are not used; L{openclaw.web.asking} tells the caller which those were.
Every field may be C{null}, which is the same as leaving it out.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=1)]
ModelName = Annotated[str, Meta(max_length=256)]
"""
A model, as a request names it.  Each chunk of an answer repeats it, so a long one would
be sent, and kept for slow readers, thousands of times.
"""


class ImageURL(Struct):
    """
    Where an image is.
    """

    url: str | None = None


class Part(Struct):
    """
    A part of a message's content.
    """

    type: str
    text: str | None = None
    input_text: str | None = None
    image_url: ImageURL | str | None = None


class WireFunction(Struct):
    """
    The function of a tool call.
    """

    name: str
    arguments: str


class WireToolCall(Struct):
    """
    A tool call that an assistant made earlier.
    """

    id: str
    function: WireFunction
    type: str | None = None


class WireMessage(Struct):
    """
    One message of the conversation.
    """

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[WireToolCall] | None = None
    tool_call_id: str | None = None


class StreamOptions(Struct):
    """
    How to stream.
    """

    include_usage: bool | None = None


Messages = Annotated[list[WireMessage], Meta(max_length=20_000)]
"""
Far more than any model reads, and so few that reading them holds nobody up.
"""


class ChatCompletionRequest(Struct):
    """
    The body of C{POST /v1/chat/completions}.
    """

    messages: Messages | None = None
    model: ModelName | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    n: int | None = None
    tools: Any = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    # From here on, what is passed on to the model.
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None


__all__ = [
    "ChatCompletionRequest",
    "ImageURL",
    "ModelName",
    "Part",
    "StreamOptions",
    "WireFunction",
    "WireMessage",
    "WireToolCall",
]
