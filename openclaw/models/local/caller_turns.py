"""
Fair sharing of the embedded model, which handles a few requests at once, among callers.
"""

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelRequest,
    Vector,
)
from openclaw.models.local.pending_calls import PendingCall, PendingEmbedding
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

TURN_INPUTS = 16
"""
Texts embedded in one turn.  Larger requests are divided, so that other callers do not
wait for all of their texts.
"""


@implementer(IModelProvider, IEmbedder)
class FairSharingProvider:
    """
    Passes calls to the model's process, up to its limit of concurrent requests.  The
    others wait here, where callers take turns, and not in the process, which serves
    first come, first served.
    """

    def __init__(
        self, upstream: IModelProvider, parallel: int, clock: IReactorTime
    ) -> None:
        """
        @param upstream: The provider of the process.
        @param parallel: The number of requests that it handles at once.
        """
        self.name = upstream.name
        self._upstream = upstream
        # Without a reserve: a single caller may use the whole capacity.
        self._turns = FairSemaphore(
            clock, SemaphoreLimits(capacity=parallel, reserve=False)
        )
        self._divided = 0
        self._closing: Deferred[None] | None = None

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        if self._turns.tryAcquire(request.caller):
            try:
                # Without a wait, the upstream's call is returned directly.
                call = self._upstream.ask(request, listener)
            except BaseException:
                self._turns.release(request.caller)
                raise
            call.done.addBoth(self._release, request.caller)
            return call
        pending = PendingCall(request, listener)
        self._wait(request.caller, pending)
        return pending

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Create embeddings, a part of the inputs in each of the caller's turns.
        """
        if len(request.inputs) > TURN_INPUTS:
            return Deferred.fromCoroutine(self._embedInTurns(request))
        pending = PendingEmbedding(request)
        self._wait(request.caller, pending)
        return pending.done

    async def _embedInTurns(self, request: EmbeddingRequest) -> EmbeddingReply:
        vectors: list[Vector] = []
        tokens = 0
        self._divided += 1
        try:
            for begin in range(0, len(request.inputs), TURN_INPUTS):
                inputs = request.inputs[begin : begin + TURN_INPUTS]
                part = msgspec.structs.replace(request, inputs=inputs)
                reply = await self.embed(part)
                vectors += reply.vectors
                tokens += reply.promptTokens
        finally:
            self._divided -= 1
            self._closeIfIdle()
        return EmbeddingReply(vectors, tokens)

    def _wait(self, caller: str, pending: PendingCall | PendingEmbedding) -> None:
        turn = self._turns.acquire(caller)

        def ended(result: object) -> object:
            if turn.called:
                return self._release(result, caller)
            turn.cancel()
            self._closeIfIdle()
            return result

        pending.done.addBoth(ended)
        # The acquisition only fails if it is cancelled above.
        turn.addCallbacks(lambda _: pending.start(self._upstream), lambda _: None)

    def _release(self, result: object, caller: str) -> object:
        self._turns.release(caller)
        self._closeIfIdle()
        return result

    def _closeIfIdle(self) -> None:
        if self._closing and not (self._divided or self._turns.waiting):
            closing, self._closing = self._closing, None
            self._upstream.close().chainDeferred(closing)

    def close(self) -> "Deferred[None]":
        closing: Deferred[None] = Deferred()
        self._closing = closing
        self._closeIfIdle()
        return closing
