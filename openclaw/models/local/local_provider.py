"""
The embedded model as a provider: to an agent just one more.

It runs in up to two processes, each started when it is needed: one that speaks, and one
that makes embeddings, since those can hold it up for long.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from openclaw.config import LOCAL_PROVIDER, LocalModel
from openclaw.errors import NotFound, OpenClawError
from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelRequest,
)
from openclaw.models.local.caller_turns import TurnTakingProvider
from openclaw.models.local.engine import (
    HEALTHY_SECONDS,
    Connect,
    Engine,
    State,
    backOff,
)
from openclaw.models.local.engine_messages import EngineOrder
from openclaw.models.local.pending_calls import WaitingCall, WaitingEmbedding
from openclaw.models.local.weights import Weights

EMBEDDING_TOKENS = 1024
"""
The longest text that is embedded.  The process takes 400 KiB for each of its tokens
once it has met such a text.
"""


@implementer(IModelProvider, IEmbedder)
class LocalModelProvider:
    """
    The embedded model.
    """

    name: str = LOCAL_PROVIDER

    def __init__(
        self,
        *,
        settings: LocalModel,
        reactor: IReactorProcess,
        clock: IReactorTime,
        connect: Connect,
        environment: Mapping[str, str],
        log: Logger,
        findSpec: Callable[[str], ModuleSpec | None] = find_spec,
        retryPolicy: Callable[[int], float] = backOff,
        engine: Callable[..., Any] = Engine,
    ) -> None:
        """
        @param reactor: Starts the processes.
        @param clock: The same reactor, for its time.
        @param environment: Whence a process gets the few variables it needs.
        @param findSpec: Finds a package without importing it.
        @param retryPolicy: From the number of earlier failures in a row, the
            seconds before the next start.
        @param engine: Makes what has a process: an L{Engine} or the like.
        """
        self._settings = settings
        make = partial(
            engine,
            weights=Weights(modelPath=settings.modelPath, findSpec=findSpec),
            reactor=reactor,
            clock=clock,
            connect=lambda baseURL, key: TurnTakingProvider(
                connect(baseURL, key), settings.parallel, clock
            ),
            environment=environment,
            log=log,
            retryPolicy=retryPolicy,
        )
        self._speaking: Engine = make(
            order=self._orderToSpeak, atOnce=settings.start == "atOnce"
        )
        self._embedding: Engine = make(order=self._orderToEmbed, atOnce=False)

    def engine(self, embeddings: bool) -> Engine:
        """
        Return the engine that makes embeddings, or the one that speaks.
        """
        return self._embedding if embeddings else self._speaking

    @property
    def state(self) -> State:
        """
        The state of the engine that speaks; see L{Engine.state}.
        """
        return self._speaking.state

    @property
    def cannotRun(self) -> bool:
        """
        The model can't be run: something is missing on this machine, or its last start
        failed.
        """
        return self._speaking.fails or self.state == "unavailable"

    def _orderToSpeak(self, model: str, key: str) -> EngineOrder:
        return EngineOrder(
            model=model,
            name=self._settings.id,
            key=key,
            contextSize=self._settings.contextSize,
            maxTokens=self._settings.maxTokens,
            packaged=self._settings.modelPath is None,
            parallel=self._settings.parallel,
            threads=self._settings.threads,
        )

    def _orderToEmbed(self, model: str, key: str) -> EngineOrder:
        return EngineOrder(
            model=model,
            name=self._settings.id,
            key=key,
            contextSize=min(self._settings.contextSize, EMBEDDING_TOKENS),
            maxTokens=self._settings.maxTokens,
            packaged=self._settings.modelPath is None,
            parallel=self._settings.parallel,
            threads=self._settings.threads,
            embeddings=True,
        )

    def unavailableReason(self) -> str | None:
        """
        Why the model can't be run on this machine, and how to change that, in one
        line; C{None} if it can.
        """
        return self._speaking.unavailableReason()

    def start(self) -> None:
        """
        The daemon has started, or was told to look again: load the model now, if
        it is not to wait for its first use.
        """
        self._speaking.start()

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Ask the model, as soon as it is loaded.  The call fails with

          - L{NotFound} for any model but the one that is configured,
          - L{ModelUnavailable<openclaw.errors.ModelUnavailable>} if it can't be run
            here, or not for now,
          - L{ShuttingDown<openclaw.errors.ShuttingDown>} once this is closed.
        """
        engine = self._speaking
        refusal = self._refusal(engine, request.model)
        if refusal is None and engine.upstream is not None:
            return engine.upstream.ask(request, listener)
        call = WaitingCall(request, listener)
        if refusal is not None:
            call.fail(refusal)
        else:
            engine.wait(call)
        return call

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Embed texts, as soon as a process is loaded for that.  Fails as L{ask} does.
        """
        engine = self._embedding
        refusal = self._refusal(engine, request.model)
        if refusal is not None:
            return fail(refusal)
        if engine.upstream is not None:
            return IEmbedder(engine.upstream).embed(request)
        call = WaitingEmbedding(request)
        engine.wait(call)
        return call.done

    def _refusal(self, engine: Engine, model: str) -> OpenClawError | None:
        if engine.state != "closed" and model != self._settings.id:
            return NotFound(
                f"Provider {self.name!r} has no model {model!r}.",
                code="model_not_found",
            )
        return engine.refusal()

    def close(self) -> "Deferred[None]":
        """
        Fail the calls that wait, with L{ShuttingDown<openclaw.errors.ShuttingDown>};
        let those that are under way come to their end; then stop the processes.

        @return: Fires when they are reaped and nothing is left.
        """
        closing = [self._speaking.close(), self._embedding.close()]
        return DeferredList(closing).addCallback(lambda _: None)


__all__ = [
    "EMBEDDING_TOKENS",
    "HEALTHY_SECONDS",
    "Connect",
    "LocalModelProvider",
    "State",
]
