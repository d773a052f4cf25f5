"""
The C{ollama} dialect: requests and responses of Ollama's native API.

Follows U{https://docs.ollama.com/api/chat} and, for errors within a stream,
U{https://docs.ollama.com/api/errors}; thinking and tools as in
U{https://docs.ollama.com/capabilities/thinking} and
U{https://docs.ollama.com/capabilities/tool-calling}.  The base URL is the server's
own, such as C{http://localhost:11434}.

The API counts neither cached nor thinking tokens, and has no C{tool_choice}.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.config import Secret
from openclaw.interfaces import ModelRequest
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.finish_reasons import isFailure, nearestReason
from openclaw.models.lenient_json import LenientDecoder, textOf
from openclaw.models.message_fitting import fitMessages
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.request_encoding import (
    argumentsOf,
    encodeBody,
    outputLimit,
    resultText,
    stopSequences,
    unsupported,
)
from openclaw.models.translation import (
    mapToolNames,
    omitNone,
    parseResponseFormat,
    refuseUnsupported,
)
from openclaw.models.upstream_call import Refusal, ReplyDecoder
from openclaw.models.whole_calls import WholeCallsReply
from openclaw.net.ndjson import LineDecoder
from openclaw.raw_json import wireForm

API = "ollama"

# Responses, as far as they are read


class _CalledFunction(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()


class _CalledTool(msgspec.Struct):
    function: _CalledFunction | None = None
    id: str | None = None


class _Said(msgspec.Struct):
    content: Any = None
    thinking: Any = None
    tool_calls: list[_CalledTool] | None = None


class _Line(msgspec.Struct):
    message: _Said | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: Any = None
    error: Any = None


_LINE = LenientDecoder(_Line)
_decodeLine = _LINE.decode
_KNOWN = frozenset({"created_at", "message", "model"})
"""
Members of lines that may be without meaning.
"""


class OllamaDecoder(WholeCallsReply):
    """
    Decodes a response: bytes in, events out.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        super().__init__(provider, refusal, LineDecoder())

    def read(self, payload: bytes) -> None:
        """
        Decode one line; the one with C{done} is the last.
        """
        try:
            line = _decodeLine(payload)
        except (msgspec.DecodeError, UnicodeError):
            line = _LINE.decodeLeniently(payload)
        if line.error:
            raise self.reported(line.error)
        message = line.message
        if message is not None:
            if thought := message.thinking:
                self.think(thought if type(thought) is str else textOf(thought))
            if content := message.content:
                self.say(content if type(content) is str else textOf(content))
            if message.tool_calls:
                self._readCalls(message.tool_calls)
            if line.logprobs:
                self.score(line.logprobs)
        elif not line.done:
            self.readUnknown(payload, _KNOWN)
        if line.done:
            self.countAtLeast(line.prompt_eval_count, line.eval_count)
            reason = line.done_reason or "stop"
            if isFailure(reason):
                raise self.brokenOff()
            self.finishReason = nearestReason(reason)
            self.complete = True

    def _readCalls(self, calls: Sequence[_CalledTool]) -> None:
        for tool in calls:
            function = tool.function
            if function is not None:
                if not function.name:
                    raise self.unreadable()
                self.addCall(function.name, tool.id, function.arguments)


# Requests


def _wireMessage(message: Message, names: dict[str, str]) -> dict[str, Any]:
    match message:
        case UserMessage():
            images = [image.data for image in message.images]
            return omitNone(role="user", content=message.text, images=images or None)
        case AssistantMessage(content=content, tool_calls=calls):
            called = [_wireCall(index, call) for index, call in enumerate(calls)]
            return omitNone(
                role="assistant", content=content, tool_calls=called or None
            )
        case ToolMessage(tool_call_id=callID):
            return {
                "role": "tool",
                "content": resultText(message),
                # Older servers identify results only by the name.
                "tool_name": names.get(callID, callID),
                "tool_call_id": callID,
            }


def _wireCall(index: int, call: ToolCall) -> dict[str, Any]:
    function = {"index": index, "name": call.name, "arguments": argumentsOf(call)}
    return {"type": "function", "id": call.id, "function": function}


def _options(request: ModelRequest) -> dict[str, Any]:
    asked = request.sampling
    limit = outputLimit(request)
    return omitNone(
        temperature=asked.temperature,
        top_p=asked.top_p,
        seed=asked.seed,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        top_k=asked.top_k,
        min_p=asked.min_p,
        stop=stopSequences(asked) or None,
        # The default is a few thousand tokens, and the rest is silently truncated.
        num_ctx=request.contextWindow,
        # Without a limit, a model that repeats itself never ends.
        num_predict=request.maxOutputTokens if limit is None else limit,
    )


_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


def _think(request: ModelRequest) -> bool | str | None:
    """
    Build the reasoning option.  Only gpt-oss accepts a level on every server; for other
    models it is true or false.
    """
    effort = request.sampling.reasoning_effort
    if effort is None:
        return True if request.reasoning else None
    if effort == "none":
        return False
    if effort not in _LEVELS:
        raise unsupported("reasoning_effort", API, effort)
    return _LEVELS[effort] if "gpt-oss" in request.model else True


def _wireTools(request: ModelRequest) -> list[dict[str, Any]]:
    # The API has no other equivalent of "none".
    if request.toolChoice == "none":
        return []
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": wireForm(tool.parameters),
            },
        }
        for tool in request.tools
    ]


class Ollama:
    """
    The dialect, with requests to C{POST {baseUrl}/api/chat}; see
    L{openclaw.models.provider.Dialect}.
    """

    def path(self, request: ModelRequest) -> str:
        return "/api/chat"

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        Return the key's header.  A local server needs no key; ollama.com, and a proxy,
        may.
        """
        headers = [("Accept", "application/x-ndjson")]
        if key is not None:
            headers.append(("Authorization", f"Bearer {key.reveal()}"))
        return headers

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        refuseUnsupported(request, API)
        names = mapToolNames(request.messages)
        said = [
            _wireMessage(message, names)
            for message in fitMessages(request.messages, profile)
        ]
        if request.system:
            said.insert(0, {"role": "system", "content": request.system})
        return encodeBody(
            omitNone(
                model=request.model,
                messages=said,
                stream=True,
                logprobs=request.sampling.logprobs or None,
                top_logprobs=request.sampling.top_logprobs or None,
                tools=_wireTools(request) or None,
                think=_think(request),
                format=parseResponseFormat(request.sampling, API),
                options=_options(request) or None,
            ),
            profile,
        )

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        return OllamaDecoder(provider, refusal)
