"""
Build requests of the Gemini API.

Follows U{https://ai.google.dev/api/generate-content} and, for the signatures of
thoughts, U{https://ai.google.dev/gemini-api/docs/thought-signatures}.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from openclaw.interfaces import ModelRequest, NamedTool, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.message_fitting import fitMessages
from openclaw.models.profiles import DEFAULT_PROFILE
from openclaw.models.request_encoding import (
    argumentsOf,
    outputLimit,
    stopSequences,
    unsupported,
)
from openclaw.models.translation import (
    mapToolNames,
    omitNone,
    parseResponseFormat,
    refuseUnsupported,
)

API = "google-generative-ai"

MAX_SIGNATURES = 1000
"""
Limit of remembered thought signatures.
"""

MAX_SIGNATURE_CHARACTERS = 8 * 1024 * 1024
"""
Limit of their characters, including the ids and names of their calls.
"""

NO_SIGNATURE = "skip_thought_signature_validator"
"""
The value that the API accepts in place of an unknown signature.
"""


ALTERNATING = DEFAULT_PROFILE.adjusted(requiresAlternation=True)
"""
The turns of the user and the model alternate.
"""


class ThoughtSignatures:
    """
    Signatures of tool calls.  Gemini 3 and later require the signature of a call back.
    Clients that store the conversation themselves do not have it, so the latest
    signatures are remembered here.
    """

    def __init__(self, limit: int = MAX_SIGNATURES) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._size = 0

    def keep(self, callID: str, name: str, signature: str) -> None:
        """
        Remember a call's signature, and drop the oldest ones over the limit.
        """
        key = (callID, name)
        before = self._known.pop(key, None)
        if before is not None:
            self._size -= len(callID) + len(name) + len(before)
        self._known[key] = signature
        self._size += len(callID) + len(name) + len(signature)
        while len(self._known) > self._limit or self._size > MAX_SIGNATURE_CHARACTERS:
            (oldID, oldName), old = self._known.popitem(last=False)
            self._size -= len(oldID) + len(oldName) + len(old)

    def of(self, call: ToolCall) -> str | None:
        return self._known.get((call.id, call.name))


def generation(model: str) -> int | None:
    """
    Return the generation of a Gemini model: 2 for C{gemini-2.5-flash}; C{None} if the
    name does not show it, as in C{gemini-flash-latest}.
    """
    found = re.search(r"gemini-(\d+)", model)
    return int(found[1]) if found else None


def _sealsThoughts(model: str) -> bool:
    return "gemini" in model and (generation(model) or 3) > 2


class Conversation:
    """
    Converts the messages of one request to the API's format.
    """

    def __init__(self, request: ModelRequest, signatures: ThoughtSignatures) -> None:
        """
        @param signatures: Known signatures of calls that lack them.
        """
        self._messages = fitMessages(request.messages, ALTERNATING)
        self._signatures = signatures
        self._sealed = _sealsThoughts(request.model)
        self._names = mapToolNames(request.messages)

    def contents(self) -> list[dict[str, Any]]:
        """
        Return the C{contents}.  Consecutive results, of the calls of one turn, must be
        one content.
        """
        contents: list[dict[str, Any]] = []
        for isResult, group in groupby(
            self._messages, lambda message: isinstance(message, ToolMessage)
        ):
            if isResult:
                parts = [part for message in group for part in self._parts(message)]
                contents.append({"role": "user", "parts": parts})
                continue
            for message in group:
                role = "model" if isinstance(message, AssistantMessage) else "user"
                contents.append({"role": role, "parts": self._parts(message)})
        # The API rejects a content without parts, as of an empty reply.
        return [content for content in contents if content["parts"]]

    def _parts(self, message: Message) -> list[dict[str, Any]]:
        match message:
            case UserMessage(content=content):
                if isinstance(content, str):
                    return [{"text": content}]
                return [_wirePart(part) for part in content]
            case AssistantMessage(content=text, tool_calls=calls):
                said: list[dict[str, Any]] = [{"text": text}] if text else []
                return said + self._calls(calls)
            case ToolMessage(tool_call_id=callID, content=result, isError=isError):
                response = {
                    "id": callID,
                    "name": self._names.get(callID, callID),
                    "response": {"error" if isError else "output": result},
                }
                return [{"functionResponse": response}]

    def _calls(self, calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for call in calls:
            called = {"id": call.id, "name": call.name, "args": argumentsOf(call)}
            part: dict[str, Any] = {"functionCall": called}
            signature = call.signature or self._signatures.of(call)
            if not signature and self._sealed and not parts:
                # Of the calls of one turn, only the first requires a signature.
                signature = NO_SIGNATURE
            if signature:
                part["thoughtSignature"] = signature
            parts.append(part)
        return parts


def _wirePart(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    return {"inlineData": {"mimeType": part.mediaType, "data": part.data}}


def _wireTool(tool: ToolSpec) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name, "description": tool.description}
    schema = {name: each for name, each in tool.parameters.items() if name != "$schema"}
    if schema.get("properties") or schema.keys() - {
        "type",
        "properties",
        "required",
        "additionalProperties",
    }:
        declared["parametersJsonSchema"] = schema
    # A tool without parameters must lack the field.
    return declared


def _calling(request: ModelRequest) -> dict[str, Any]:
    match request.toolChoice:
        case NamedTool(name=name):
            return {"mode": "ANY", "allowedFunctionNames": [name]}
        case "required":
            return {"mode": "ANY"}
        case "none":
            return {"mode": "NONE"}
        case "auto":
            return {"mode": "AUTO"}


_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""
C{reasoning_effort} in tokens, as in Google's own OpenAI endpoint.
"""


def _thinking(request: ModelRequest) -> dict[str, Any] | None:
    """
    Build the reasoning options, and request the reasoning: other models reject both.
    """
    effort = request.sampling.reasoning_effort
    if effort is None:
        return {"includeThoughts": True} if request.reasoning else None
    leveled = (generation(request.model) or 3) > 2
    known: Mapping[str, object] = _LEVELS if leveled else _BUDGETS
    if effort not in known:
        raise unsupported("reasoning_effort", API, effort)
    name = "thinkingLevel" if leveled else "thinkingBudget"
    return {name: known[effort], "includeThoughts": effort != "none"}


def _generationConfig(request: ModelRequest) -> dict[str, Any]:
    asked = request.sampling
    wanted = parseResponseFormat(asked, API)
    return omitNone(
        temperature=asked.temperature,
        topP=asked.top_p,
        maxOutputTokens=outputLimit(request),
        frequencyPenalty=asked.frequency_penalty,
        presencePenalty=asked.presence_penalty,
        seed=asked.seed,
        responseLogprobs=asked.logprobs or None,
        logprobs=asked.top_logprobs or None,
        topK=asked.top_k,
        stopSequences=stopSequences(asked) or None,
        responseMimeType=None if wanted is None else "application/json",
        responseJsonSchema=None if wanted == "json" else wanted,
        thinkingConfig=_thinking(request),
    )


def bodyOf(request: ModelRequest, signatures: ThoughtSignatures) -> dict[str, Any]:
    """
    Build the body of a request.

    @raise openclaw.errors.InvalidRequest: The API can't express a part of it.
    """
    refuseUnsupported(request, API)
    body: dict[str, Any] = {"contents": Conversation(request, signatures).contents()}
    if request.system:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if request.tools:
        declared = [_wireTool(tool) for tool in request.tools]
        body["tools"] = [{"functionDeclarations": declared}]
        body["toolConfig"] = {"functionCallingConfig": _calling(request)}
    config = _generationConfig(request)
    if config:
        body["generationConfig"] = config
    return body
