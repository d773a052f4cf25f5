"""
The turns in which callers have the embedded model, which does a few things at once.
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
from openclaw.models.local.pending_calls import WaitingCall, WaitingEmbedding
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

TURN_INPUTS = 16
"""
The texts that are embedded in one turn.  Those of a larger request are divided, so that
others need not wait for two thousand of them.
"""


@implementer(IModelProvider, IEmbedder)
class TurnTakingProvider:
    """
    Passes calls on to the model's process, as many at once as it works on.  The others
    wait here, where turns go round among callers, and not in the process, where the
    first who came would be served first.
    """

    def __init__(
        self, upstream: IModelProvider, parallel: int, clock: IReactorTime
    ) -> None:
        """
        @param upstream: Talks to the process.

        @param parallel: What it works on at once.
        """
        self.name = upstream.name
        self._upstream = upstream
        # Without a reserve: a caller alone is to have all of the machine.
        self._turns = FairSemaphore(
            clock, SemaphoreLimits(capacity=parallel, reserve=False)
        )
        self._divided = 0
        self._closing: Deferred[None] | None = None

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Ask, as soon as it is the caller's turn.
        """
        if self._turns.tryAcquire(request.caller):
            try:
                # What need not wait makes no detour.
                call = self._upstream.ask(request, listener)
            except BaseException:
                self._turns.release(request.caller)
                raise
            call.done.addBoth(self._release, request.caller)
            return call
        waiting = WaitingCall(request, listener)
        self._wait(request.caller, waiting)
        return waiting

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Embed texts, some in each of the caller's turns.
        """
        if len(request.inputs) > TURN_INPUTS:
            return Deferred.fromCoroutine(self._embedInTurns(request))
        waiting = WaitingEmbedding(request)
        self._wait(request.caller, waiting)
        return waiting.done

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

    def _wait(self, caller: str, waiting: WaitingCall | WaitingEmbedding) -> None:
        turn = self._turns.acquire(caller)

        def ended(result: object) -> object:
            if turn.called:
                return self._release(result, caller)
            turn.cancel()
            self._closeIfIdle()
            return result

        waiting.done.addBoth(ended)
        # A turn fails only when it is cancelled, since nobody waits for it any more.
        turn.addCallbacks(lambda _: waiting.begin(self._upstream), lambda _: None)

    def _release(self, result: object, caller: str) -> object:
        self._turns.release(caller)
        self._closeIfIdle()
        return result

    def _closeIfIdle(self) -> None:
        if self._closing and not (self._divided or self._turns.waiting):
            closing, self._closing = self._closing, None
            self._upstream.close().chainDeferred(closing)

    def close(self) -> "Deferred[None]":
        """
        See L{IModelProvider.close}.  Calls that wait for their turn come to their ends,
        too.
        """
        closing: Deferred[None] = Deferred()
        self._closing = closing
        self._closeIfIdle()
        return closing
