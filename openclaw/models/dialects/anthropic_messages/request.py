"""
Build requests of Anthropic's Messages API.

Follows U{https://platform.claude.com/docs/en/api/messages} and, for what a model
thinks, U{https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking} and
U{https://platform.claude.com/docs/en/build-with-claude/extended-thinking}.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from openclaw.interfaces import (
    ModelRequest,
    NamedTool,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Part,
    TextPart,
    Thought,
    ToolMessage,
    UserMessage,
)
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import (
    argumentsOf,
    callID,
    outputLimit,
    refuseFields,
    stopSequences,
    unsupported,
)
from openclaw.models.translation import omitNone, parseResponseFormat

API = "anthropic-messages"

DEFAULT_MAX_TOKENS = 4096
"""
The default output limit, which the API requires, if neither the request nor the
configuration has one.
"""

THINKING_MAX_TOKENS = 16384
"""
The same for a reasoning model: its reasoning counts.
"""

REDACTED = "redacted:"
"""
The prefix of the signature of redacted reasoning.
"""

_REFUSED: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "seed": None,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
}
"""
Fields without an equivalent in the API, with their values without an effect. The
request has C{temperature}, C{top_p}, C{max_tokens}, C{max_completion_tokens}, C{stop},
C{reasoning_effort}, C{parallel_tool_calls}, C{top_k}, C{service_tier},
C{safety_identifier}, and C{response_format} with a schema.
"""

_EFFORTS = {"minimal": "low"}
"""
The efforts with another name in the API.
"""

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 24576}
"""
The efforts in tokens, for models without efforts.  The first is the minimum of the API.
"""

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)")

_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
"""
The API's values for C{service_tier}; others mean its default.
"""

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}

_Role = Literal["user", "assistant"]
_Blocks = list[dict[str, Any]]


def _text(text: str) -> _Blocks:
    # The API rejects blank texts.
    return [{"type": "text", "text": text}] if text.strip() else []


def _part(part: Part) -> _Blocks:
    match part:
        case TextPart(text=text):
            return _text(text)
        case ImagePart(mediaType=mediaType, data=data):
            source = {"type": "base64", "media_type": mediaType, "data": data}
            return [{"type": "image", "source": source}]


def _thought(thought: Thought) -> dict[str, Any]:
    if thought.signature.startswith(REDACTED):
        data = thought.signature.removeprefix(REDACTED)
        return {"type": "redacted_thinking", "data": data}
    return {
        "type": "thinking",
        "thinking": thought.text,
        "signature": thought.signature,
    }


def _blocks(message: Message) -> tuple[_Role, _Blocks]:
    match message:
        case UserMessage(content=content):
            if isinstance(content, str):
                return "user", _text(content)
            return "user", [block for part in content for block in _part(part)]
        case AssistantMessage(content=text, tool_calls=calls, thoughts=thoughts):
            uses = [
                {
                    "type": "tool_use",
                    "id": callID(call.id),
                    "name": call.name,
                    "input": argumentsOf(call),
                }
                for call in calls
            ]
            return "assistant", [*map(_thought, thoughts), *_text(text), *uses]
        case ToolMessage(tool_call_id=id, content=text, isError=isError):
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": callID(id)}
            if text.strip():
                result["content"] = text
            if isError:
                result["is_error"] = True
            return "user", [result]


def _turns(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """
    Return the conversation as alternating turns, which begin with the user, and in
    which results come first.
    """
    turns: list[dict[str, Any]] = []
    for role, blocks in map(_blocks, messages):
        if not blocks:
            continue
        if not turns and role == "assistant":
            # Such as if the oldest messages were left out.
            turns.append({"role": "user", "content": _text("…")})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return turns


def _tool(tool: ToolSpec, profile: Profile) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"type": "object", **tool.parameters},
    }
    if tool.strict and profile.supportsStrictMode:
        encoded["strict"] = True
    return encoded


def _toolFields(
    tools: Sequence[ToolSpec],
    choice: ToolChoice,
    parallel: bool | None,
    profile: Profile,
) -> dict[str, Any]:
    if not tools:
        return {}
    encoded: dict[str, Any] = (
        {"type": "tool", "name": choice.name}
        if isinstance(choice, NamedTool)
        else {"type": _CHOICES[choice]}
    )
    if parallel is False and choice != "none":
        encoded["disable_parallel_tool_use"] = True
    return {"tools": [_tool(tool, profile) for tool in tools], "tool_choice": encoded}


# The reasoning effort


def _thinksByBudget(model: str) -> bool:
    """
    Return whether a model is older than Claude 4.6, and gets a budget in tokens.
    """
    found = _VERSION.search(model)
    return found is not None and (int(found[1]), int(found[2] or 0)) < (4, 6)


def _mayThink(request: ModelRequest) -> bool:
    """
    Return whether the request's other options allow reasoning; they take precedence.
    """
    sampling = request.sampling
    return (
        sampling.temperature in (None, 1)
        and (sampling.top_p is None or sampling.top_p >= 0.95)
        and sampling.top_k is None
        and (not request.tools or request.toolChoice in ("auto", "none"))
    )


def _lacksThoughts(messages: Sequence[Message]) -> bool:
    """
    Return whether a reply since the last user's message lacks its reasoning, such as
    another model's.
    """
    for message in reversed(messages):
        if isinstance(message, UserMessage):
            return False
        if isinstance(message, AssistantMessage) and not message.thoughts:
            return True
    return False


def _thinking(request: ModelRequest, most: int) -> dict[str, Any] | None:
    """
    @param most: The output limit, including the reasoning.
    """
    effort = request.sampling.reasoning_effort
    if effort == "none":
        return {"type": "disabled"}
    if (effort is None and not request.reasoning) or not _mayThink(request):
        return None
    if not _thinksByBudget(request.model):
        return {"type": "adaptive", "display": "summarized"}
    if effort is not None and effort not in _BUDGETS:
        raise unsupported("reasoning_effort", API, effort)
    budget = min(_BUDGETS[effort or "medium"], most // 2)
    if budget < _BUDGETS["minimal"] or _lacksThoughts(request.messages):
        return None
    return {"type": "enabled", "budget_tokens": budget}


def _outputConfig(request: ModelRequest) -> dict[str, Any]:
    output: dict[str, Any] = {}
    effort = request.sampling.reasoning_effort
    if effort not in (None, "none") and not _thinksByBudget(request.model):
        output["effort"] = _EFFORTS.get(effort, effort)
    schema = parseResponseFormat(request.sampling, API)
    if schema == "json":
        raise unsupported("response_format", API)
    if schema is not None:
        output["format"] = {"type": "json_schema", "schema": schema}
    return output


# The whole.


def _samplingFields(sampling: Sampling) -> dict[str, Any]:
    refuseFields(sampling, _REFUSED, API)
    user = sampling.safety_identifier
    return omitNone(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        # The API rejects blank ones.
        stop_sequences=[each for each in stopSequences(sampling) if each.strip()]
        or None,
        service_tier=_TIERS.get(sampling.service_tier or ""),
        metadata=None if user is None else {"user_id": user},
    )


def _withoutThoughts(message: Message) -> Message:
    if isinstance(message, AssistantMessage) and message.thoughts:
        return AssistantMessage(message.content, message.tool_calls)
    return message


def _markCached(body: dict[str, Any]) -> None:
    """
    Set the four breakpoints of
    U{https://platform.claude.com/docs/en/build-with-claude/prompt-caching}: after the
    tools, the system prompt, and the two newest turns of the user, so that each request
    uses the cache that the one before it has written.
    """
    blocks = [body[name][-1] for name in ("tools", "system") if body.get(name)]
    turns = [turn for turn in body["messages"] if turn["role"] == "user"]
    blocks += [turn["content"][-1] for turn in turns[-2:]]
    for block in blocks:
        block["cache_control"] = {"type": "ephemeral"}


def bodyOf(request: ModelRequest, profile: Profile = DEFAULT_PROFILE) -> dict[str, Any]:
    """
    Build the body of a streaming request.

    @raise openclaw.errors.InvalidRequest: The API can't express the request.
    """
    sampling = request.sampling
    thinks = request.reasoning or sampling.reasoning_effort not in (None, "none")
    most = (
        outputLimit(request)
        or request.maxOutputTokens
        or (THINKING_MAX_TOKENS if thinks else DEFAULT_MAX_TOKENS)
    )
    thinking = _thinking(request, most)
    said: Iterable[Message] = request.messages
    if thinking is None or thinking["type"] == "disabled":
        said = map(_withoutThoughts, said)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": most,
        "messages": _turns(said),
        "stream": True,
    }
    if request.system.strip():
        body["system"] = (
            _text(request.system) if profile.supportsCacheControl else request.system
        )
    body |= _samplingFields(sampling)
    if thinking is not None:
        body["thinking"] = thinking
    if output := _outputConfig(request):
        body["output_config"] = output
    body |= _toolFields(
        request.tools, request.toolChoice, sampling.parallel_tool_calls, profile
    )
    if profile.supportsCacheControl:
        _markCached(body)
    return body
