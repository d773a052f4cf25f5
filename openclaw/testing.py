"""
Doubles for tests of code that uses OpenClaw: scripted models, and a session store.

L{ScriptedProvider} is a model provider in the process, without I/O;
L{ScriptedModelServer} is one on the network, with OpenAI's streaming chat completions.
Both pass each call to the test, which writes the replies.  L{MemorySessionStore} stores
sessions without a database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from openclaw.errors import OpenClawError, RunCancelled
from openclaw.events import (
    LogprobsDelta,
    ModelListener,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelReply,
    ModelRequest,
    Vector,
)
from openclaw.messages import NO_USAGE, FinishReason, ToolCall, Usage
from openclaw.sessions.store.memory import MemorySessionStore


@implementer(IModelCall)
class ScriptedCall:
    """
    A call of a L{ScriptedProvider}, to which the test replies.

    @ivar paused: Whether the reader has paused the call.
    @ivar usage: The token counts so far; a test may set them before a failure.
    @ivar ignoredParams: The fields that are not sent; a test may set them.
    """

    def __init__(self, request: ModelRequest, listener: ModelListener) -> None:
        self.request = request
        self.usage = NO_USAGE
        self.ignoredParams: Sequence[str] = ()
        self.paused = False
        self.cancelled = False
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._listener = listener
        self._text: list[str] = []
        self._refusal = ""
        self._toolCalls: list[ToolCall] = []

    def say(self, *texts: str) -> None:
        """
        Send pieces of the answer, as one batch.  Does nothing after the end.
        """
        if self.done.called:
            return
        self._text += texts
        self._listener([TextDelta(text) for text in texts])

    def decline(self, text: str) -> None:
        """
        Send a piece of a refusal.  Does nothing after the end.
        """
        if not self.done.called:
            self._refusal += text
            self._listener([RefusalDelta(text)])

    def score(self, *tokens: Mapping[str, Any]) -> None:
        """
        Send the log probabilities of the tokens of the last piece.
        """
        if not self.done.called:
            isRefusal = bool(self._refusal) and not self._text
            self._listener([LogprobsDelta(tokens, isRefusal)])

    def think(self, text: str) -> None:
        if not self.done.called:
            self._listener([ReasoningDelta(text)])

    def callTool(self, callID: str, name: str, *argumentPieces: str) -> None:
        """
        Call a tool: send its id and name, and then each piece of the arguments' JSON
        text, in separate batches.  C{finish("tool_calls")} ends the turn.
        """
        if self.done.called:
            return
        index = len(self._toolCalls)
        self._toolCalls.append(ToolCall(callID, name, "".join(argumentPieces)))
        self._listener([ToolCallDelta(index, callID, name, "")])
        for piece in argumentPieces:
            self._listener([ToolCallDelta(index, None, None, piece)])

    def finish(self, reason: FinishReason = "stop", usage: Usage = NO_USAGE) -> None:
        if not self.done.called:
            text, calls = "".join(self._text), tuple(self._toolCalls)
            self.usage = usage
            self.done.callback(
                ModelReply(text, reason, usage, calls, refusal=self._refusal)
            )

    def fail(self, error: OpenClawError) -> None:
        if not self.done.called:
            self.done.errback(Failure(error))

    def cancel(self) -> None:
        if not self.done.called:
            self.cancelled = True
            self.fail(RunCancelled("The run was cancelled."))

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.cancel()


class ScriptedEmbedding:
    """
    A call for embeddings of a L{ScriptedProvider}, to which the test replies.
    """

    def __init__(self, request: EmbeddingRequest) -> None:
        self.request = request
        self.cancelled = False
        self.done: Deferred[EmbeddingReply] = Deferred(lambda _: self._cancel())

    def give(self, *vectors: Vector, tokens: int = 0) -> None:
        self.done.callback(EmbeddingReply(vectors, tokens))

    def fail(self, error: OpenClawError) -> None:
        self.done.errback(error)

    def _cancel(self) -> None:
        self.cancelled = True
        self.fail(RunCancelled("Cancelled."))


@implementer(IModelProvider, IEmbedder)
@dataclass
class ScriptedProvider:
    """
    A provider in the process.

    @ivar calls: All calls so far, oldest first.
    @ivar answer: Called with each new call, to reply to it; by default the test replies
        later.
    @ivar embeddings: All calls for embeddings so far.
    """

    name: str = "scripted"
    answer: Callable[[ScriptedCall], None] = lambda call: None
    calls: list[ScriptedCall] = field(default_factory=list)
    embeddings: list[ScriptedEmbedding] = field(default_factory=list)
    closed: bool = False

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        call = ScriptedCall(request, listener)
        self.calls.append(call)
        self.answer(call)
        return call

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        call = ScriptedEmbedding(request)
        self.embeddings.append(call)
        return call.done

    def close(self) -> "Deferred[None]":
        self.closed = True
        return succeed(None)


class ServedCall:
    """
    A request to a L{ScriptedModelServer}, to which the test responds.

    @ivar path: The request's path, such as C{/v1/chat/completions}.
    @ivar body: The request's JSON.
    @ivar headers: The request's headers, by their lower-case names.
    @ivar gone: Fires when the client closes the connection before the end.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.path = request.path.decode()
        assert request.content is not None
        self.body: dict[str, Any] = msgspec.json.decode(request.content.read())
        self.headers = {
            name.decode().lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.gone: Deferred[None] = Deferred()
        self.ended = False
        request.notifyFinish().addErrback(lambda _: self._lost())

    def _lost(self) -> None:
        if not self.ended:
            self.ended = True
            self.gone.callback(None)

    def send(self, data: bytes) -> None:
        headers = self._request.responseHeaders
        if not headers.hasHeader("content-type"):
            headers.setRawHeaders("content-type", ["text/event-stream"])
        self._request.write(data)

    def chunk(self, **members: Any) -> None:
        common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
        self.send(b"data: " + msgspec.json.encode({**common, **members}) + b"\n\n")

    def delta(self, finish_reason: str | None = None, **delta: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.chunk(choices=[choice])

    def say(self, *texts: str) -> None:
        """
        Send pieces of the answer, a chunk each.
        """
        for text in texts:
            self.delta(content=text)

    def finish(self, reason: str = "stop", usage: dict[str, Any] | None = None) -> None:
        """
        Send the end of an answer.
        """
        self.delta(finish_reason=reason)
        if usage is not None:
            self.chunk(choices=[], usage=usage)
        self.send(b"data: [DONE]\n\n")
        self.end()

    def give(self, document: Any) -> None:
        self._request.setHeader("content-type", "application/json")
        self.send(msgspec.json.encode(document))
        self.end()

    def end(self) -> None:
        self.ended = True
        self._request.finish()

    def refuse(
        self,
        status: int,
        message: str = "no",
        headers: Sequence[tuple[str, str]] = (),
        code: str | None = None,
    ) -> None:
        self._request.setResponseCode(status)
        for name, value in headers:
            self._request.setHeader(name, value)
        error = {"message": message}
        if code is not None:
            error["code"] = code
        self._request.write(msgspec.json.encode({"error": error}))
        self.end()

    def cut(self) -> None:
        self.ended = True
        self._request.channel.forceAbortClient()


class ScriptedModelServer(Resource):
    """
    A provider on the network: the root of a L{twisted.web.server.Site}.  It serves all
    paths that end in C{/chat/completions} or C{/embeddings}.

    @ivar calls: All calls so far, oldest first.
    @ivar answer: Called with each new call, to respond to it.
    """

    isLeaf = True

    def __init__(
        self, answer: Callable[[ServedCall], None] = lambda call: None
    ) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[ServedCall] = []
        self._awaited: list[Deferred[ServedCall]] = []

    def nextCall(self) -> "Deferred[ServedCall]":
        awaited: Deferred[ServedCall] = Deferred()
        self._awaited.append(awaited)
        return awaited

    def render_POST(self, request: Request) -> int | bytes:
        if not request.path.endswith((b"/chat/completions", b"/embeddings")):
            request.setResponseCode(404)
            return b""
        call = ServedCall(request)
        self.calls.append(call)
        if self._awaited:
            self._awaited.pop(0).callback(call)
        self.answer(call)
        return NOT_DONE_YET


__all__ = [
    "MemorySessionStore",
    "ScriptedCall",
    "ScriptedEmbedding",
    "ScriptedModelServer",
    "ScriptedProvider",
    "ServedCall",
]
