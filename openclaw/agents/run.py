"""
A run of an agent: from the caller's words to the model's, once.

Every door starts the same kind of run, and a run knows no door.  Its phases::

    queued ─► opening ─► answering ─► closing ─► done
      waits for its session, then for a place
              takes the session's claim and keeps what the caller said
                         the model speaks; events go to the listener
                                       keeps the answer

A run can be cancelled in all of them.  The store's transactions are not broken off:
a run that is cancelled during one ends right behind it, so that a claim never
outlives its run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.agents.conversation import repaired
from openclaw.agents.places import RETRY_SECONDS, Places
from openclaw.agents.toolbox import OfferedTool, Toolbox
from openclaw.agents.turns import Ear, RunResult, Turns
from openclaw.config import AgentSettings, Model, ModelRef
from openclaw.errors import (
    InternalError,
    ModelUnavailable,
    OpenClawError,
    RunCancelled,
    SessionBusy,
    UpstreamAuthFailed,
    UpstreamTimeout,
)
from openclaw.events import ModelListener, RunListener, RunStarted
from openclaw.interfaces import (
    Claim,
    IModelCall,
    IModelProvider,
    ISessionStore,
    ITool,
    ModelReply,
    ModelRequest,
    Sampling,
    ToolChoice,
    ToolContext,
    ToolSpec,
)
from openclaw.messages import Message, ToolCall, ToolMessage
from openclaw.models.failover import Attempts, RefusedKeys

T = TypeVar("T")

CLAIM_RETRY_SECONDS = 0.1
"""
How often a session is asked for that another process holds.
"""

DEFAULT_SAMPLING = Sampling()


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """
    What a caller wants, as every door puts it.

    @ivar agent: Who shall answer.
    @ivar system: The whole system prompt.
    @ivar sessionKey: The conversation's key.
    @ivar kept: False for a stateless run, which leaves nothing behind.
    @ivar opening: What the caller said, for a conversation that has no history yet.
    @ivar following: The same without what such a history must hold already.
    @ivar model: Asked instead of the agent's own, if given.
    @ivar clientTools: Tools that the caller carries out.
    @ivar toolChoice: What the model may do with those.
    @ivar tools: The agent's own tools that this caller may reach.
    """

    agent: AgentSettings
    system: str
    sessionKey: str
    kept: bool
    opening: Sequence[Message]
    following: Sequence[Message]
    sampling: Sampling = DEFAULT_SAMPLING
    model: ModelRef | None = None
    clientTools: Sequence[ToolSpec] = ()
    toolChoice: ToolChoice = "auto"
    tools: Mapping[str, OfferedTool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """
    What a run needs of the house.
    """

    reactor: IReactorTime
    places: Places
    store: ISessionStore
    providers: Callable[[str], IModelProvider | None]
    refusedKeys: RefusedKeys
    toolSettings: Callable[[str], Any]
    modelOf: Callable[[ModelRef], Model | None]
    claimWaitSeconds: float
    log: Logger


@implementer(IPushProducer)
@dataclass(eq=False)
class AgentRun:
    """
    One run, with one life.

    @ivar runID: Its name in logs and headers.
    @ivar done: For the door: fires once, with a L{RunResult} or an
        L{openclaw.errors.OpenClawError}.  Cancelling it cancels the run.
    @ivar ended: For the house: the same outcome, when the run has let go of its
        place and its claim; for a run that was cancelled this may be later.
    """

    request: RunRequest
    listener: RunListener
    surroundings: Surroundings
    runID: str = field(default_factory=lambda: f"run_{token_hex(12)}")
    done: "Deferred[RunResult]" = field(init=False)
    ended: "Deferred[RunResult | Failure]" = field(init=False, default_factory=Deferred)
    claim: Claim | None = field(init=False, default=None)
    _stopped: OpenClawError | None = field(init=False, default=None)
    _waiting: "Deferred[object] | None" = field(init=False, default=None)
    _call: IModelCall | None = field(init=False, default=None)
    _paused: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.done = Deferred(self._cancelledByHolder)
        self.toolbox = Toolbox(
            self.request.tools, self._toolContext, self.surroundings.log
        )

    def _toolContext(self, tool: ITool) -> ToolContext:
        request, surroundings = self.request, self.surroundings
        return ToolContext(
            agentID=request.agent.id,
            sessionKey=request.sessionKey,
            runID=self.runID,
            workspace=request.agent.workspace,
            reactor=surroundings.reactor,
            sessions=surroundings.store,
            settings=surroundings.toolSettings(tool.name),
            log=surroundings.log,
        )

    def start(self) -> None:
        """
        Begin.  To be called once.
        """
        Deferred.fromCoroutine(self._live()).addCallbacks(self._succeed, self._fail)

    def cancel(self, reason: OpenClawError | None = None) -> None:
        """
        Stop as soon as can be: the model at once, a transaction behind its end.

        @param reason: What C{done} fails with.
        """
        if self._stopped is not None:
            return
        self._stopped = reason or _cancelled()
        if self._call is not None:
            self._call.cancel()
        elif self._waiting is not None:
            self._waiting.cancel()

    def _cancelledByHolder(self, done: "Deferred[RunResult]") -> None:
        self.cancel()
        if not done.called:
            # It is in a transaction.
            done.errback(Failure(_cancelled()))

    # Its phases

    async def _live(self) -> RunResult:
        places, key = self.surroundings.places, self.request.sessionKey
        self._checkStopped()
        if not self.request.kept:
            return await self._runInPlace()
        await self._stoppable(places.enterSession(key))
        try:
            return await self._runInPlace()
        finally:
            places.leaveSession(key)

    async def _runInPlace(self) -> RunResult:
        places = self.surroundings.places
        place = await self._stoppable(places.enter())
        clock = self.surroundings.reactor.callLater(
            self.request.agent.timeoutSeconds, self._expire
        )
        try:
            if self.request.kept:
                return await self._turn()
            self.listener((RunStarted(),))
            return await self._answer(self._turns(), self.request.opening)
        finally:
            _stopClock(clock)
            places.leave(place)

    async def _turn(self) -> RunResult:
        """
        Answer within a session.
        """
        store = self.surroundings.store
        conversation = await self._openTurn()
        turns = self._turns()
        try:
            self._checkStopped()
            self.listener((RunStarted(),))
            return await self._answer(turns, conversation)
        finally:
            claim, self.claim = self.claim, None
            assert claim is not None
            # Only an answer that is on disk may be called finished.  Of a run that
            # failed, what its tools did is kept: it was done.
            await store.endTurn(claim, turns.said)

    async def _openTurn(self) -> Sequence[Message]:
        request, reactor = self.request, self.surroundings.reactor
        deadline = reactor.seconds() + self.surroundings.claimWaitSeconds
        claim = Claim(request.sessionKey, self.runID)
        while True:
            conversation = await self.surroundings.store.beginTurn(
                claim, request.agent.id, request.opening, request.following
            )
            if conversation is not None:
                self.claim = claim
                return conversation
            self._checkStopped()
            # Another process has the session; it can't tell us when it is done.
            if reactor.seconds() >= deadline:
                raise SessionBusy(
                    "Another process is using this session. Try again soon.",
                    retryAfter=RETRY_SECONDS,
                )
            await self._stoppable(deferLater(reactor, CLAIM_RETRY_SECONDS))

    def _turns(self) -> Turns:
        request = self.request
        return Turns(
            ask=self._ask,
            carryOut=self._carryOut,
            listener=self.listener,
            maxModelCalls=request.agent.maxModelCalls,
            clientTools=() if request.toolChoice == "none" else request.clientTools,
            toolChoice=request.toolChoice,
        )

    async def _answer(self, turns: Turns, conversation: Sequence[Message]) -> RunResult:
        try:
            return await turns.answer(repaired(conversation))
        except OpenClawError as error:
            if self.toolbox.hadEffects:
                # Asking again would do it all again.
                error.shouldRetry = False
            raise

    async def _carryOut(self, calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
        self._checkStopped()
        return await self._stoppable(self.toolbox.run(calls))

    async def _ask(
        self,
        conversation: Sequence[Message],
        choice: ToolChoice,
        ear: Ear,
    ) -> ModelReply:
        """
        Ask the agent's model, or another where that fails before it has said a word.
        """
        agent = self.request.agent
        asked = self.request.model
        models = (asked,) if asked else (agent.model.primary, *agent.model.fallbacks)
        attempts = Attempts(models)
        while True:
            self._checkStopped()
            try:
                return await self._askOne(attempts.model, conversation, choice, ear)
            except OpenClawError as error:
                if ear.heard:
                    raise
                wait = attempts.afterFailure(error)
            if wait:
                await self._stoppable(deferLater(self.surroundings.reactor, wait))

    async def _askOne(
        self,
        model: ModelRef,
        conversation: Sequence[Message],
        choice: ToolChoice,
        listener: ModelListener,
    ) -> ModelReply:
        request, surroundings = self.request, self.surroundings
        provider = surroundings.providers(model.provider)
        if provider is None:
            raise ModelUnavailable(f"There is no provider {model.provider!r} now.")
        surroundings.refusedKeys.check(provider)
        clientTools = () if choice == "none" else request.clientTools
        tools = [*(each.spec() for each in request.tools.values()), *clientTools]
        known = surroundings.modelOf(model)
        self._call = call = provider.ask(
            ModelRequest(
                model.model,
                request.system,
                conversation,
                request.sampling,
                tools,
                "auto" if choice == "none" else choice,
                known.maxTokens if known is not None else None,
            ),
            listener,
        )
        if self._paused:
            call.pauseProducing()
        if self._stopped is not None:
            # The listener was told, and stopped us, before there was a call.
            call.cancel()
        try:
            return await call.done
        except UpstreamAuthFailed:
            surroundings.refusedKeys.remember(provider)
            raise
        finally:
            self._call = None

    # Its end

    async def _stoppable(self, waiting: "Deferred[T]") -> T:
        """
        Wait for something that C{cancel} may break off.
        """
        self._waiting = waiting  # type: ignore[assignment]
        try:
            return await waiting
        finally:
            self._waiting = None

    def _checkStopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _expire(self) -> None:
        seconds = self.request.agent.timeoutSeconds
        self.cancel(
            UpstreamTimeout(
                f"The run took longer than {seconds:g} s.", code="run_timeout"
            )
        )

    def _succeed(self, result: RunResult) -> None:
        self.ended.callback(result)
        if not self.done.called:
            self.done.callback(result)

    def _fail(self, failure: Failure) -> None:
        error = failure.value
        if self._stopped is not None and failure.check(CancelledError, RunCancelled):
            error = self._stopped
        if not isinstance(error, OpenClawError):
            self.surroundings.log.failure(
                "Run {runID} failed unexpectedly", failure=failure, runID=self.runID
            )
            error = InternalError("The gateway failed.")
        # A new Failure: the old one's frames hold the whole conversation, and so do
        # those of the errors that this one came from.
        error.__cause__ = error.__context__ = None
        outcome = Failure(error.with_traceback(None))
        self.ended.callback(outcome)
        if not self.done.called:
            self.done.errback(outcome)

    # Back-pressure

    def pauseProducing(self) -> None:
        """
        The listener's reader is slow: make the model wait.
        """
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The reader has caught up.
        """
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self.cancel()


def _cancelled() -> RunCancelled:
    return RunCancelled("The run was cancelled.")


def _stopClock(clock: IDelayedCall) -> None:
    if clock.active():
        clock.cancel()


__all__ = ["AgentRun", "RunRequest", "RunResult", "Surroundings"]
