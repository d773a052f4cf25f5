"""
The C{openai-completions} dialect: OpenAI's chat completions as a provider.

Follows U{https://platform.openai.com/docs/api-reference/chat}, and is lenient where
the many servers that speak it are sloppy: fields may be C{null} or missing,
C{[DONE]} or the C{finish_reason} (not both) may be left out, an answer may come
unstreamed though a stream was asked for.
"""

from typing import Any, Literal, cast

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from openclaw.errors import OpenClawError, UpstreamMalformed, UpstreamTruncated
from openclaw.events import ModelEvent, ModelListener, ReasoningDelta, TextDelta
from openclaw.interfaces import (
    IModelCall,
    IModelProvider,
    ModelReply,
    ModelRequest,
)
from openclaw.messages import (
    NO_USAGE,
    AssistantMessage,
    FinishReason,
    Message,
    ToolMessage,
    Usage,
    UserMessage,
)
from openclaw.models.connections import UpstreamAgent
from openclaw.models.refusals import refusalOf
from openclaw.models.sse import MAX_EVENT_BYTES, EventStreamDecoder, EventTooLong
from openclaw.models.thinking import ThinkingSplitter
from openclaw.models.upstream import Clocks, Refusal, UpstreamCall

# What comes back, as far as it is read.


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Text(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None  # DeepSeek, vLLM, llama.cpp
    reasoning: str | None = None  # OpenRouter, Ollama


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    object: Any = None
    message: Any = None
    code: Any = None


_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
"""
What providers say, in OpenAI's words; all else means C{stop}.
"""

_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource"})
"""
What OpenRouter, vLLM and DeepSeek say of an answer that is not whole.
"""


class ChatCompletionDecoder:
    """
    An answer's bytes in, events out; see L{openclaw.models.upstream.ReplyDecoder}.
    """

    def __init__(self, provider: str, refusal: Refusal) -> None:
        """
        @param refusal: Makes an error of what the provider reports in the stream.
        """
        self._provider = provider
        self._refusal = refusal
        self._stream = EventStreamDecoder()
        self._decode = msgspec.json.Decoder(_Chunk).decode
        self._splitter = ThinkingSplitter()
        self._text: list[str] = []
        self._finishReason: str | None = None
        self._usage = NO_USAGE
        self._unstreamed: bytearray | None = None
        self._started = False
        self._error: OpenClawError | None = None
        self.complete = False

    def feed(self, data: bytes) -> list[ModelEvent]:
        """
        Read the next bytes of the body.
        """
        if not self._started:
            start = data.lstrip()
            if not start:
                return []
            self._started = True
            if start[:1] == b"{":
                self._unstreamed = bytearray()
        if self._unstreamed is not None:
            self._unstreamed += data
            if len(self._unstreamed) > MAX_EVENT_BYTES:
                self._stop(self._unreadable())
            return []
        try:
            payloads = self._stream.feed(data)
        except EventTooLong:
            self._stop(self._unreadable())
            return []
        return self._events(payloads)

    def finish(self) -> list[ModelEvent]:
        """
        Read what is left when the body has ended.
        """
        events: list[ModelEvent] = []
        if not self.complete:
            whole = self._unstreamed
            left = self._stream.finish() if whole is None else [bytes(whole)]
            events = self._events(left)
            if isinstance(self._error, UpstreamMalformed):
                # Half an event: the answer broke off.
                self._error, self.complete = None, False
        return events + self._keep(self._splitter.finish())

    def reply(self) -> ModelReply:
        """
        The whole answer; C{[DONE]} or a C{finish_reason} proves that it is whole.
        """
        if self._error is not None:
            raise self._error
        reason = self._finishReason
        if reason in _BROKEN_OFF or (reason is None and not self.complete):
            raise UpstreamTruncated(
                f"The answer of provider {self._provider!r} broke off."
            )
        return ModelReply(
            text="".join(self._text),
            finishReason=_FINISH.get(reason or "stop", "stop"),
            usage=self._usage,
        )

    def _events(self, payloads: list[bytes]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        for payload in payloads:
            if payload[:6] == b"[DONE]":
                self.complete = True
                break
            if not payload.strip():
                continue
            try:
                chunk = self._decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._stop(self._unreadable())
                break
            if chunk.choices:
                self._readChoice(chunk.choices[0], events)
            if chunk.usage is not None:
                self._usage = _neutral(chunk.usage)
            if chunk.error:
                self._stop(self._reported(chunk.error))
                break
            if chunk.object == "error":  # vLLM
                said = {"code": chunk.code, "message": chunk.message}
                self._stop(self._reported(said))
                break
        return events

    def _stop(self, error: OpenClawError) -> None:
        """
        Read no further.  What came before the error is told all the same.
        """
        self._error = error
        self.complete = True

    def _readChoice(self, choice: _Choice, events: list[ModelEvent]) -> None:
        said = choice.delta or choice.message
        if said is not None:
            thought = said.reasoning_content or said.reasoning
            if thought:
                events.append(ReasoningDelta(thought))
            if said.content:
                if self._splitter.passing:
                    events.append(TextDelta(said.content))
                    self._text.append(said.content)
                else:
                    events += self._keep(self._splitter.feed(said.content))
        if choice.finish_reason:
            self._finishReason = choice.finish_reason

    def _keep(self, events: list[ModelEvent]) -> list[ModelEvent]:
        self._text += [event.text for event in events if type(event) is TextDelta]
        return events

    def _unreadable(self) -> OpenClawError:
        return UpstreamMalformed(
            f"Provider {self._provider!r} sent something that is no chat completion."
        )

    def _reported(self, error: Any) -> OpenClawError:
        status = error.get("code") if isinstance(error, dict) else None
        return self._refusal(
            status if isinstance(status, int) and status >= 400 else 500,
            Headers(),
            msgspec.json.encode({"error": error}),
        )


def _neutral(usage: _Usage) -> Usage:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=(prompt.cached_tokens or 0) if prompt else 0,
        reasoning_tokens=(completion.reasoning_tokens or 0) if completion else 0,
    )


# What is sent.


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _ToolCall(msgspec.Struct):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _Said(msgspec.Struct, omit_defaults=True):
    role: str
    content: str
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None


def _wireMessage(message: Message) -> _Said:
    match message:
        case UserMessage(content=content):
            return _Said("user", content)
        case AssistantMessage(content=content, tool_calls=calls):
            wanted = [_ToolCall(c.id, _Function(c.name, c.arguments)) for c in calls]
            return _Said("assistant", content, wanted or None)
        case ToolMessage(tool_call_id=callID, content=content):
            return _Said("tool", content, tool_call_id=callID)


def encodeRequest(request: ModelRequest) -> bytes:
    """
    The JSON body that asks for a stream with usage.
    """
    said = [_Said("system", request.system)] if request.system else []
    said += map(_wireMessage, request.messages)
    body: dict[str, Any] = {
        "model": request.model,
        "messages": said,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body.update(msgspec.to_builtins(request.sampling))
    return msgspec.json.encode(body)


@implementer(IModelProvider)
class OpenAICompletionsProvider:
    """
    A provider at C{baseUrl}, asked with C{POST {baseUrl}/chat/completions}.
    """

    def __init__(
        self,
        *,
        name: str,
        baseURL: str,
        headers: Headers,
        agent: UpstreamAgent,
        clocks: Clocks,
        reactor: IReactorTime,
        log: Logger,
    ) -> None:
        """
        @param headers: What every request carries, the key included.
        """
        self.name = name
        self._url = baseURL.rstrip("/") + "/chat/completions"
        self._secrets = _secretsIn(headers)
        self._headers = headers.copy()
        self._headers.setRawHeaders(b"Content-Type", [b"application/json"])
        self._headers.setRawHeaders(b"Accept", [b"text/event-stream"])
        self._agent = agent
        self._http = HTTPClient(agent)
        self._clocks = clocks
        self._reactor = reactor
        self._log = log
        self._calls: set[UpstreamCall] = set()

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Send the request.
        """
        call = UpstreamCall(
            provider=self.name,
            send=self._send,
            payload=encodeRequest(request),
            decoder=ChatCompletionDecoder(self.name, self._refusal),
            refusal=self._refusal,
            listener=listener,
            clocks=self._clocks,
            reactor=self._reactor,
            log=self._log,
        )
        self._calls.add(call)
        call.ended.addCallback(lambda _: self._calls.discard(call))
        call.start()
        return call

    def _refusal(self, status: int, headers: Headers, body: bytes) -> OpenClawError:
        return refusalOf(self.name, status, headers, body, self._secrets)

    def _send(
        self, body: IBodyProducer, onNewConnection: bool
    ) -> "Deferred[IResponse]":
        if onNewConnection:
            self._agent.close()
        return cast(
            "Deferred[IResponse]",
            self._http.request(
                "POST",
                self._url,
                headers=self._headers,
                data=body,
                unbuffered=True,
                allow_redirects=False,
                reactor=cast(Any, self._reactor),
            ),
        )

    async def _closeWhenIdle(self) -> None:
        await DeferredList([call.ended for call in self._calls])
        await self._agent.close()

    def close(self) -> "Deferred[None]":
        """
        Wait for the calls under way, then close the idle connections.
        """
        for call in self._calls:
            if call.done.called:
                call.drop()
        return Deferred.fromCoroutine(self._closeWhenIdle())


def _secretsIn(headers: Headers) -> list[str]:
    """
    What a provider could quote of what it was sent: whole values, and what follows
    the scheme in C{Authorization}.
    """
    values = [
        value.decode("utf-8", "replace")
        for _, many in headers.getAllRawHeaders()
        for value in many
    ]
    credentials = [value.rpartition(" ")[2] for value in values]
    return sorted(filter(None, values + credentials), key=len, reverse=True)


__all__ = ["ChatCompletionDecoder", "OpenAICompletionsProvider", "encodeRequest"]
