"""
The wire form of a chat completion request, by OpenAI's names and types.

Follows U{https://platform.openai.com/docs/api-reference/chat/create}. Other fields are
ignored; L{openclaw.api.chat_request} lists them for the response. Each field may be
C{null}, which is equivalent to leaving it out.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct

from openclaw.api.body_parsing import RawField

Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=1)]
ModelName = Annotated[str, Meta(max_length=256)]
"""
A model name in a request. It is limited, as each chunk of a response repeats it.
"""


class ImageURL(Struct):
    """
    The location of an image.
    """

    url: str | None = None


class Part(Struct):
    """
    A part of a message's content.
    """

    type: str
    text: str | None = None
    input_text: str | None = None
    refusal: str | None = None
    image_url: ImageURL | str | None = None


class WireFunction(Struct):
    """
    The function of a tool call.
    """

    name: str
    arguments: str


class WireToolCall(Struct):
    """
    A tool call that the assistant made earlier.
    """

    id: str
    function: WireFunction
    type: str | None = None
    extra_content: dict[str, Any] | None = None


class WireMessage(Struct):
    """
    A message of the conversation.
    """

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[WireToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None


class JSONSchemaFormat(Struct):
    """
    The schema of an answer in JSON.
    """

    schema: RawField = UNSET
    name: str | None = None


class ResponseFormat(Struct):
    """
    The format of an answer.
    """

    type: str | None = None
    json_schema: JSONSchemaFormat | None = None


class StreamOptions(Struct):
    """
    Options of a stream.
    """

    include_usage: bool | None = None


MAX_MESSAGES = 20_000
"""
Limit of messages: far above any context window, yet decoded in a few milliseconds.
"""

MAX_STOP_SEQUENCES = 4
"""
Limit of stop sequences. OpenAI allows four.
"""

Messages = Annotated[list[WireMessage], Meta(max_length=MAX_MESSAGES)]
RawMessages = Annotated[list[Raw], Meta(max_length=MAX_MESSAGES)]
LogitBias = dict[str, float]


class ChatCompletionRequest(Struct):
    """
    The body of C{POST /v1/chat/completions}.
    """

    messages: Messages | None = None
    # Fields that are passed on, or limited before they are decoded.
    tools: RawField = UNSET
    tool_choice: RawField = UNSET
    functions: RawField = UNSET
    function_call: RawField = UNSET
    response_format: RawField = UNSET
    logit_bias: RawField = UNSET
    metadata: RawField = UNSET
    stop: RawField = UNSET
    model: ModelName | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    n: int | None = None
    # The sampling options of the model.
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: str | None = None
    parallel_tool_calls: bool | None = None
    top_k: int | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    service_tier: str | None = None
    verbosity: str | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class LargeRequest(ChatCompletionRequest):
    """
    The same for a large body, whose messages are decoded one by one: each call of the
    decoder holds the GIL.
    """

    messages: RawField = UNSET  # type: ignore[assignment]
