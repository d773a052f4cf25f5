"""
A run of an agent: from the caller's words to the model's, once.

Every surface starts the same kind of run, and a run knows no surface.  Its phases::

    queued ─► opening ─► answering ─► closing ─► done
      waits for its session, then for a place
              takes the session's claim and keeps what the caller said
                         the model speaks; events go to the listener
                                       keeps the answer

A run can be cancelled in all of them.  The store's transactions are not broken off:
a run that is cancelled during one ends right behind it, so that a claim never
outlives its run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.agents.cancellation import Cancellation, cancelled
from openclaw.agents.context import Context
from openclaw.agents.model_calls import ModelCalls
from openclaw.agents.run_queue import RETRY_SECONDS
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.toolbox import Toolbox
from openclaw.agents.turns import RunResult, Turns
from openclaw.errors import (
    InternalError,
    OpenClawError,
    RunCancelled,
    SessionBusy,
    UpstreamTimeout,
)
from openclaw.events import RunEvent, RunListener, RunStarted
from openclaw.interfaces import Claim, Conversation, ITool, ToolContext
from openclaw.messages import NO_USAGE, Message, ToolCall, ToolMessage
from openclaw.metrics.run_log_lines import RunLogEntry

CLAIM_RETRY_SECONDS = 0.1
"""
Seconds between two attempts to claim a session that another process holds.
"""


@implementer(IPushProducer)
@dataclass(eq=False, repr=False, slots=True, weakref_slot=True)
class AgentRun:
    """
    One run, with one life.

    @ivar done: For the surface: fires once, with a L{RunResult} or an
        L{openclaw.errors.OpenClawError}.  Cancelling it cancels the run.
    @ivar ended: For the runtime: the same outcome, when the run has let go of its
        place and its claim; for a run that was cancelled this may be later.
    @ivar begunAt: When its request had arrived, by the reactor's clock.
    @ivar admittedAt: When it left the queue, once it has.
    @ivar spokeAt: When it first had something to say, once it has.
    @ivar callerGone: Did whoever wanted the answer go away?
    """

    request: RunRequest
    listener: RunListener
    services: RunServices
    done: "Deferred[RunResult]" = field(init=False)
    ended: "Deferred[RunResult | Failure]" = field(init=False, default_factory=Deferred)
    claim: Claim | None = field(init=False, default=None)
    begunAt: float = field(init=False)
    admittedAt: float | None = field(init=False, default=None)
    spokeAt: float | None = field(init=False, default=None)
    callerGone: bool = field(init=False, default=False)
    _stop: Cancellation = field(init=False, default_factory=Cancellation)
    _context: Context = field(init=False, default_factory=Context)
    _toolbox: Toolbox | None = field(init=False, default=None)
    _modelCalls: ModelCalls = field(init=False)
    _turns: Turns = field(init=False)

    @property
    def runID(self) -> str:
        """
        Its name in logs and headers.
        """
        return self.request.runID

    @property
    def _shareKey(self) -> str:
        return self.request.shareKey or self.runID

    def __repr__(self) -> str:
        # Nothing of what was said: it could end up in a log.
        return f"<AgentRun {self.runID}>"

    def __post_init__(self) -> None:
        request, services, stop = self.request, self.services, self._stop
        self.done = Deferred(self._cancelledByHolder)
        arrived = request.arrivedAt
        self.begunAt = services.reactor.seconds() if arrived is None else arrived
        self._modelCalls = ModelCalls(request, services, stop, self._context)
        self._turns = Turns(
            ask=self._modelCalls.ask,
            carryOut=self._carryOut,
            listener=self._hear,
            maxModelCalls=request.agent.maxModelCalls,
            clientTools=request.offeredClientTools,
            toolChoice=request.toolChoice,
        )

    def _toolContext(self, tool: ITool) -> ToolContext:
        request, services = self.request, self.services
        return ToolContext(
            agentID=request.agent.id,
            sessionKey=request.sessionKey,
            runID=self.runID,
            workspace=request.agent.workspace,
            reactor=services.reactor,
            sessions=services.store,
            settings=services.toolSettings(tool.name),
            log=services.log,
            namespace=request.namespace,
            shareKey=self._shareKey,
        )

    def start(self) -> None:
        """
        Begin.  To be called once.
        """
        Deferred.fromCoroutine(self._live()).addCallbacks(self._succeed, self._fail)

    def cancel(self, reason: OpenClawError | None = None) -> None:
        """
        Stop as soon as can be: the model at once, a transaction behind its end.

        @param reason: What C{done} fails with.  Without one, nobody wants the answer
            any more.
        """
        if reason is None:
            self.callerGone = True
        self._stop.give(reason)

    def _cancelledByHolder(self, done: "Deferred[RunResult]") -> None:
        self.cancel()
        if not done.called:
            # It is in a transaction.
            done.errback(Failure(cancelled()))

    # Its phases

    async def _live(self) -> RunResult:
        queue, key = self.services.queue, self.request.sessionKey
        self._stop.check()
        if not self.request.kept:
            return await self._runInPlace()
        await self._stop.during(queue.acquireSession(key))
        try:
            return await self._runInPlace()
        finally:
            queue.releaseSession(key)

    async def _runInPlace(self) -> RunResult:
        queue, caller = self.services.queue, self._shareKey
        await self._stop.during(queue.acquire(caller))
        clock = self.services.reactor.callLater(
            self.request.agent.timeoutSeconds, self._expire
        )
        try:
            if self.request.kept:
                return await self._turn()
            self._tellStart()
            return await self._answer(self.request.opening)
        finally:
            _stopClock(clock)
            queue.release(caller)

    def _tellStart(self) -> None:
        self.admittedAt = self.services.reactor.seconds()
        self.listener((RunStarted(),))

    def _hear(self, events: Sequence[RunEvent]) -> None:
        if self.spokeAt is None:
            self.spokeAt = self.services.reactor.seconds()
        self.listener(events)

    async def _turn(self) -> RunResult:
        """
        Answer within a session.
        """
        store = self.services.store
        conversation = await self._openTurn()
        messages = self._context.begin(conversation)
        try:
            self._stop.check()
            self._tellStart()
            return await self._answer(messages)
        finally:
            claim, self.claim = self.claim, None
            assert claim is not None
            # Only an answer that is on disk may be called finished.  Of a run that
            # failed, what its tools did is kept: it was done.
            await store.endTurn(claim, self._turns.said, self._context.made)

    async def _openTurn(self) -> Conversation:
        request, reactor = self.request, self.services.reactor
        deadline = reactor.seconds() + self.services.claimWaitSeconds
        claim = Claim(request.sessionKey, self.runID)
        while True:
            conversation = await self.services.store.beginTurn(
                claim, request.agent.id, request.opening, request.following
            )
            if conversation is not None:
                self.claim = claim
                return conversation
            self._stop.check()
            # Another process has the session; it can't tell us when it is done.
            if reactor.seconds() >= deadline:
                raise SessionBusy(
                    "Another process is using this session. Try again soon.",
                    retryAfter=RETRY_SECONDS,
                )
            await self._stop.during(deferLater(reactor, CLAIM_RETRY_SECONDS))

    async def _answer(self, conversation: Sequence[Message]) -> RunResult:
        try:
            result = await self._turns.answer(conversation)
        except OpenClawError as error:
            if self._toolbox is not None and self._toolbox.hadEffects:
                # Asking again would do it all again.
                error.shouldRetry = False
            raise
        spent = self._modelCalls.spent
        if spent is NO_USAGE:
            return result
        return replace(result, usage=result.usage + spent)

    async def _carryOut(self, calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
        self._stop.check()
        if self._toolbox is None:
            self._toolbox = Toolbox(
                self.request.tools,
                self._toolContext,
                self._stop.check,
                self.services.log,
                self.services.tally.countToolCall,
                self.listener,
                self.request.caller,
                partial(self.services.toolCalls.run, self._shareKey),
                self.runID,
                self.request.agent.id,
            )
        return await self._stop.during(self._toolbox.run(calls))

    # Its end

    def account(self, outcome: RunResult | Failure) -> RunLogEntry:
        """
        Build the log line of the ended run.
        """
        now, request = self.services.reactor.seconds(), self.request
        if isinstance(outcome, RunResult):
            ending: str = outcome.finishReason
            error = None
        else:
            assert isinstance(outcome.value, OpenClawError)
            error = outcome.value.message
            ending = outcome.value.code or "unknown"
        arrived, started, spoke = self.begunAt, self.admittedAt, self.spokeAt
        model = self._modelCalls.model
        return RunLogEntry(
            run=request.runID,
            request=request.requestID,
            caller=request.caller,
            agent=request.agent.id,
            session=request.sessionKey,
            model=None if model is None else str(model),
            outcome=ending,
            callerGone=self.callerGone,
            queueSeconds=_between(arrived, now if started is None else started),
            firstSeconds=None if spoke is None else _between(arrived, spoke),
            totalSeconds=_between(arrived, now),
            usage=self._modelCalls.usage,
            error=error,
        )

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
        self._letGo()

    def _fail(self, failure: Failure) -> None:
        error = failure.value
        stopped = self._stop.reason
        if stopped is not None and failure.check(CancelledError, RunCancelled):
            error = stopped
        if not isinstance(error, OpenClawError):
            self.services.log.failure(
                "Run {run} failed unexpectedly", failure=failure, run=self.runID
            )
            error = InternalError("The gateway failed.")
        # A new Failure: the old one's frames hold the whole conversation, and so do
        # those of the errors that this one came from.
        error.__cause__ = error.__context__ = None
        if failure.value is not None:
            failure.value.__traceback__ = None
        outcome = Failure(error.with_traceback(None))
        self.ended.callback(outcome)
        if not self.done.called:
            self.done.errback(outcome)
        self._letGo()

    def _letGo(self) -> None:
        """
        Hold nobody any more who holds this run: the conversation, which may be large,
        shall not have to wait for the collector of such circles.
        """
        self.listener = _toNobody
        del self._toolbox, self._turns

    # Back-pressure

    def pauseProducing(self) -> None:
        """
        The listener's reader is slow: make the model wait.
        """
        self._modelCalls.pause()

    def resumeProducing(self) -> None:
        """
        The reader has caught up.
        """
        self._modelCalls.resume()

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self.cancel()


def _toNobody(events: Sequence[RunEvent]) -> None:
    """
    Listen no more.
    """


def _between(begin: float, end: float) -> float:
    # The clock of the machine can be set back.
    return end - begin if end > begin else 0.0


def _stopClock(clock: IDelayedCall) -> None:
    if clock.active():
        clock.cancel()
