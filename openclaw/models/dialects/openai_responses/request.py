"""
Build requests of OpenAI's Responses API.

Follows U{https://platform.openai.com/docs/api-reference/responses/create} and, for
what a model thinks, U{https://platform.openai.com/docs/guides/reasoning}.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from openclaw.interfaces import (
    ModelRequest,
    NamedTool,
    Sampling,
    ToolSpec,
)
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolMessage,
    UserMessage,
)
from openclaw.models.message_fitting import fitMessages
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import (
    callID,
    dataURI,
    outputLimit,
    refuseFields,
    resultText,
)
from openclaw.models.translation import omitNone
from openclaw.raw_json import wireForm

API = "openai-responses"

MIN_OUTPUT_TOKENS = 16
"""
The minimum of C{max_output_tokens} in the API.
"""

PHASE = "phase"
"""
Stands in the place of a signature for the C{phase} of a message, which goes back in all
later turns.
"""

ENCRYPTED_THOUGHTS = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_REFUSED: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "seed": None,
    "stop": (),
    "logit_bias": {},
}
"""
Fields without a counterpart in the API, with the values that ask for nothing.
"""


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text=text):
            return {"type": "input_text", "text": text}
        case ImagePart():
            return {
                "type": "input_image",
                "image_url": dataURI(part),
                "detail": "auto",
            }


def _items(message: Message) -> Iterator[dict[str, Any]]:
    match message:
        case UserMessage(content=content):
            if not isinstance(content, str):
                yield {"role": "user", "content": [_part(part) for part in content]}
            else:
                yield {"role": "user", "content": content}
        case AssistantMessage(content=text, tool_calls=calls, thoughts=thoughts):
            phase = next(
                (each.text for each in thoughts if each.signature == PHASE), ""
            )
            for thought in thoughts:
                if thought.signature == PHASE:
                    continue
                # The provider would look up its id, but stores nothing.
                yield {
                    "type": "reasoning",
                    "summary": [],
                    "encrypted_content": thought.signature,
                }
            if text:
                said = {"type": "message", "role": "assistant", "content": text}
                yield {**said, "phase": phase} if phase else said
            for call in calls:
                yield {
                    "type": "function_call",
                    "call_id": callID(call.id),
                    "name": call.name,
                    "arguments": call.arguments or "{}",
                }
        case ToolMessage(tool_call_id=id):
            yield {
                "type": "function_call_output",
                "call_id": callID(id),
                "output": resultText(message),
            }


def _tool(tool: ToolSpec, profile: Profile) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": wireForm(tool.parameters),
        # The API's default is true.
        **({"strict": bool(tool.strict)} if profile.supportsStrictMode else {}),
    }


def _toolFields(
    request: ModelRequest, parallel: bool | None, profile: Profile
) -> dict[str, Any]:
    choice = request.toolChoice
    if not request.tools:
        return {}
    fields: dict[str, Any] = {
        "tools": [_tool(tool, profile) for tool in request.tools],
        "tool_choice": (
            {"type": "function", "name": choice.name}
            if isinstance(choice, NamedTool)
            else choice
        ),
    }
    if parallel is not None:
        fields["parallel_tool_calls"] = parallel
    return fields


def _samplingFields(sampling: Sampling) -> dict[str, Any]:
    refuseFields(sampling, _REFUSED, API)
    wanted, metadata = sampling.response_format, sampling.metadata
    text = omitNone(
        format=None if wanted is None else _format(wanted),
        verbosity=sampling.verbosity,
    )
    return omitNone(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        text=text or None,
        service_tier=sampling.service_tier,
        metadata=None if metadata is None else wireForm(metadata),
        store=sampling.store,
        safety_identifier=sampling.safety_identifier,
        prompt_cache_key=sampling.prompt_cache_key,
        top_logprobs=sampling.top_logprobs or None,
    )


def _reasoningFields(request: ModelRequest) -> dict[str, Any]:
    """
    Request the reasoning, its summary, and its encrypted form for the next request.
    """
    effort = request.sampling.reasoning_effort
    if effort is None and not request.reasoning:
        # Other models reject these.
        return {}
    # A summary is for the reader, and only promised by the configuration.
    summary = "auto" if request.reasoning and effort != "none" else None
    return {
        "include": [ENCRYPTED_THOUGHTS],
        **omitNone(reasoning=omitNone(effort=effort, summary=summary) or None),
    }


def _format(wanted: Mapping[str, Any]) -> Any:
    """
    Convert the response format, whose schema has no wrapper here.
    """
    described = wanted.get("json_schema")
    if not isinstance(described, dict):
        return wireForm(wanted)
    return {"type": "json_schema", **described}


def bodyOf(request: ModelRequest, profile: Profile = DEFAULT_PROFILE) -> dict[str, Any]:
    """
    Build the body of a streaming request.

    @raise openclaw.errors.InvalidRequest: The API can't express a part of it.
    """
    sampling = request.sampling
    messages = fitMessages(request.messages, profile)
    body: dict[str, Any] = {
        "model": request.model,
        "input": [item for said in messages for item in _items(said)],
        "store": False,
        "stream": True,
    }
    if request.system:
        body["instructions"] = request.system
    limit = outputLimit(request)
    if limit is not None:
        body["max_output_tokens"] = max(limit, MIN_OUTPUT_TOKENS)
    if profile.supportsPromptCacheKey and request.cacheKey:
        body["prompt_cache_key"] = request.cacheKey
    body |= _reasoningFields(request)
    body |= _samplingFields(sampling)
    if sampling.logprobs:
        body["include"] = [*body.get("include", ()), LOGPROBS]
    body |= _toolFields(request, sampling.parallel_tool_calls, profile)
    return body
