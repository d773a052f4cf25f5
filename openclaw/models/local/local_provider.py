"""
The embedded model as a provider.

It runs in up to two processes, each started when it is needed: one for replies, and one
for embeddings, which can take long.
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
from openclaw.models.local.caller_turns import FairSharingProvider
from openclaw.models.local.engine import (
    Connect,
    Engine,
    State,
    backOff,
)
from openclaw.models.local.engine_messages import EngineOrder
from openclaw.models.local.pending_calls import PendingCall, PendingEmbedding
from openclaw.models.local.weights import Weights

EMBEDDING_TOKENS = 1024
"""
Limit of an embedded text, in tokens.  Each takes 400 KiB of the process's memory after
the first text of that length.
"""


@implementer(IModelProvider, IEmbedder)
class LocalModelProvider:
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
        @param environment: Variables from which a process gets a few.
        @param findSpec: Finds a package without importing it.
        @param retryPolicy: Returns the seconds before the next start, from the number
            of earlier failures in a row.
        @param engine: Makes an L{Engine} or a substitute.
        """
        self._settings = settings
        make = partial(
            engine,
            weights=Weights(modelPath=settings.modelPath, findSpec=findSpec),
            reactor=reactor,
            clock=clock,
            connect=lambda baseURL, key: FairSharingProvider(
                connect(baseURL, key), settings.parallel, clock
            ),
            environment=environment,
            log=log,
            retryPolicy=retryPolicy,
        )
        self._chatEngine: Engine = make(
            order=self._makeChatOrder, atOnce=settings.start == "atOnce"
        )
        self._embeddingEngine: Engine = make(
            order=self._makeEmbeddingOrder, atOnce=False
        )

    def engine(self, embeddings: bool) -> Engine:
        return self._embeddingEngine if embeddings else self._chatEngine

    @property
    def state(self) -> State:
        """
        The state of the engine for replies; see L{Engine.state}.
        """
        return self._chatEngine.state

    @property
    def cannotRun(self) -> bool:
        """
        Return whether the model cannot be run: something is missing on this machine, or
        its last start failed.
        """
        return self._chatEngine.fails or self.state == "unavailable"

    def _makeChatOrder(self, model: str, key: str) -> EngineOrder:
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

    def _makeEmbeddingOrder(self, model: str, key: str) -> EngineOrder:
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
        return self._chatEngine.unavailableReason()

    def start(self) -> None:
        self._chatEngine.start()

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Call the model as soon as it is loaded.  The call fails with
            - L{NotFound} for any other model than the configured one,
            - L{ModelUnavailable<openclaw.errors.ModelUnavailable>} if the model cannot
              be run on this machine, or not now,
            - L{ShuttingDown<openclaw.errors.ShuttingDown>} after L{close}.
        """
        engine = self._chatEngine
        refusal = self._refusal(engine, request.model)
        if refusal is None and engine.upstream is not None:
            return engine.upstream.ask(request, listener)
        call = PendingCall(request, listener)
        if refusal is not None:
            call.fail(refusal)
        else:
            engine.wait(call)
        return call

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Create embeddings as soon as a process is loaded for them.  Fails as L{ask}
        does.
        """
        engine = self._embeddingEngine
        refusal = self._refusal(engine, request.model)
        if refusal is not None:
            return fail(refusal)
        if engine.upstream is not None:
            return IEmbedder(engine.upstream).embed(request)
        call = PendingEmbedding(request)
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
        Fail waiting calls with L{ShuttingDown<openclaw.errors.ShuttingDown>}, let calls
        in progress end, then stop the processes.

        @return: Fires when they are reaped.
        """
        closing = [self._chatEngine.close(), self._embeddingEngine.close()]
        return DeferredList(closing).addCallback(lambda _: None)
