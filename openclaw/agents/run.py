"""
A run of an agent, from the request to the result.

All surfaces start the same kind of run, which does not depend on a surface.  Its
phases::

    queued ─► opening ─► answering ─► closing ─► done
      waits for its session, then for the run queue
              claims the session and stores the user's messages
                         calls the model; events go to the listener
                                       stores the reply

A run can be cancelled in all of them.  Transactions of the store are not interrupted: a
run that is cancelled during one ends right after it, so that a claim never outlives its
run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.agents.cancellation import Cancellation, defaultReason
from openclaw.agents.context import Context
from openclaw.agents.model_calls import ModelCalls
from openclaw.agents.run_queue import RETRY_SECONDS
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.toolbox import Toolbox
from openclaw.agents.turns import RunResult, TurnLoop
from openclaw.errors import (
    InternalError,
    OpenClawError,
    RunCancelled,
    SessionBusy,
    UpstreamRefused,
    UpstreamTimeout,
)
from openclaw.events import RunEvent, RunListener, RunStarted
from openclaw.interfaces import Claim, Conversation, ITool, ToolContext
from openclaw.messages import (
    NO_USAGE,
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
)
from openclaw.metrics.run_log_lines import RunLogEntry

CLAIM_RETRY_SECONDS = 0.1
"""
Seconds between two attempts to claim a session that another process holds.
"""


@implementer(IPushProducer)
@dataclass(eq=False, repr=False, slots=True, weakref_slot=True)
class AgentRun:
    """
    One run.

    @ivar done: For the surface: fires once, with a L{RunResult} or an
        L{openclaw.errors.OpenClawError}.  Cancelling it cancels the run.
    @ivar ended: For the runtime: the same outcome, after the run has released its queue
        slot and its claim; for a cancelled run this may be later.
    @ivar arrivedAt: The time when its request had arrived, by the reactor's clock.
    @ivar admittedAt: The time when it left the queue, once it has.
    @ivar firstOutputAt: The time of the first output of the model, once there is one.
    @ivar callerGone: Whether the client has disconnected.
    """

    request: RunRequest
    listener: RunListener
    services: RunServices
    done: "Deferred[RunResult]" = field(init=False)
    ended: "Deferred[RunResult | Failure]" = field(init=False, default_factory=Deferred)
    claim: Claim | None = field(init=False, default=None)
    arrivedAt: float = field(init=False)
    admittedAt: float | None = field(init=False, default=None)
    firstOutputAt: float | None = field(init=False, default=None)
    callerGone: bool = field(init=False, default=False)
    _stop: Cancellation = field(init=False, default_factory=Cancellation)
    _context: Context = field(init=False, default_factory=Context)
    _toolbox: Toolbox | None = field(init=False, default=None)
    _modelCalls: ModelCalls = field(init=False)
    _turnLoop: TurnLoop = field(init=False)

    @property
    def runID(self) -> str:
        return self.request.runID

    @property
    def _shareKey(self) -> str:
        return self.request.shareKey or self.runID

    def __repr__(self) -> str:
        # No contents: this may end up in a log.
        return f"<AgentRun {self.runID}>"

    def __post_init__(self) -> None:
        request, services, stop = self.request, self.services, self._stop
        self.done = Deferred(self._doneCancelled)
        arrived = request.arrivedAt
        self.arrivedAt = services.reactor.seconds() if arrived is None else arrived
        self._modelCalls = ModelCalls(request, services, stop, self._context)
        self._turnLoop = TurnLoop(
            ask=self._modelCalls.ask,
            callTools=self._callTools,
            listener=self._emit,
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
        Start the run.  To be called once.
        """
        Deferred.fromCoroutine(self._run()).addCallbacks(self._succeed, self._fail)

    def cancel(self, reason: OpenClawError | None = None) -> None:
        """
        Cancel the run as soon as possible: a model call at once, a transaction after
        its end.

        @param reason: The error that C{done} fails with.  Default: the client has
            disconnected.
        """
        if reason is None:
            self.callerGone = True
        self._stop.cancel(reason)

    def _doneCancelled(self, done: "Deferred[RunResult]") -> None:
        self.cancel()
        if not done.called:
            # The run waits for a transaction.
            done.errback(Failure(defaultReason()))

    # Phases

    async def _run(self) -> RunResult:
        queue, key = self.services.queue, self.request.sessionKey
        self._stop.check()
        if not self.request.stateful:
            return await self._runQueued()
        await self._stop.wait(queue.acquireSession(key))
        try:
            return await self._runQueued()
        finally:
            queue.releaseSession(key)

    async def _runQueued(self) -> RunResult:
        queue, caller = self.services.queue, self._shareKey
        await self._stop.wait(queue.acquire(caller))
        timer = self.services.reactor.callLater(
            self.request.agent.timeoutSeconds, self._expire
        )
        try:
            if self.request.stateful:
                return await self._runTurn()
            self._reportStart()
            return await self._runTurnLoop(self.request.opening)
        finally:
            _stopTimer(timer)
            queue.release(caller)

    def _reportStart(self) -> None:
        self.admittedAt = self.services.reactor.seconds()
        self.listener((RunStarted(),))

    def _emit(self, events: Sequence[RunEvent]) -> None:
        if self.firstOutputAt is None:
            self.firstOutputAt = self.services.reactor.seconds()
        self.listener(events)

    async def _runTurn(self) -> RunResult:
        store = self.services.store
        conversation = await self._openTurn()
        messages = self._context.load(conversation)
        try:
            self._stop.check()
            self._reportStart()
            return await self._runTurnLoop(messages)
        except UpstreamRefused:
            self._markRefused()
            raise
        finally:
            claim, self.claim = self.claim, None
            assert claim is not None
            # A result may only be reported once it is on disk.  The tool calls of a
            # failed run are stored, too, since they had effects.
            await store.endTurn(
                claim, self._turnLoop.newMessages, self._context.newSummary
            )

    def _markRefused(self) -> None:
        """
        Mark the messages of this turn, so that they do not spoil later ones.
        """
        messages = self._turnLoop.newMessages
        count = len(self.request.following) + len(messages)
        if count:
            messages.append(AssistantMessage("", refused=count))

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
            # Another process holds the session, and does not notify us of its end.
            if reactor.seconds() >= deadline:
                raise SessionBusy(
                    "Another process is using this session. Try again soon.",
                    retryAfter=RETRY_SECONDS,
                )
            await self._stop.wait(deferLater(reactor, CLAIM_RETRY_SECONDS))

    async def _runTurnLoop(self, conversation: Sequence[Message]) -> RunResult:
        try:
            result = await self._turnLoop.run(conversation)
        except OpenClawError as error:
            if self._toolbox is not None and self._toolbox.hadEffects:
                # A retry would repeat the effects.
                error.shouldRetry = False
            raise
        spent = self._modelCalls.summaryUsage
        if spent is NO_USAGE:
            return result
        return replace(result, usage=result.usage + spent)

    async def _callTools(self, calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
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
        return await self._stop.wait(self._toolbox.run(calls))

    # End

    def account(self, outcome: RunResult | Failure) -> RunLogEntry:
        """
        Build the log line of the ended run.
        """
        now, request = self.services.reactor.seconds(), self.request
        if isinstance(outcome, RunResult):
            outcomeName: str = outcome.finishReason
            error = None
        else:
            assert isinstance(outcome.value, OpenClawError)
            error = outcome.value.message
            outcomeName = outcome.value.code or "unknown"
        arrived, started, firstOutput = (
            self.arrivedAt,
            self.admittedAt,
            self.firstOutputAt,
        )
        model = self._modelCalls.model
        return RunLogEntry(
            run=request.runID,
            request=request.requestID,
            caller=request.caller,
            agent=request.agent.id,
            session=request.sessionKey,
            model=None if model is None else str(model),
            outcome=outcomeName,
            callerGone=self.callerGone,
            queueSeconds=_elapsed(arrived, now if started is None else started),
            firstSeconds=None
            if firstOutput is None
            else _elapsed(arrived, firstOutput),
            totalSeconds=_elapsed(arrived, now),
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
        self._releaseReferences()

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
        # A new Failure: the frames of the old one, and of the errors that caused it,
        # would keep the conversation alive.
        error.__cause__ = error.__context__ = None
        if failure.value is not None:
            failure.value.__traceback__ = None
        outcome = Failure(error.with_traceback(None))
        self.ended.callback(outcome)
        if not self.done.called:
            self.done.errback(outcome)
        self._releaseReferences()

    def _releaseReferences(self) -> None:
        """
        Break reference cycles, so that the conversation, which may be large, is freed
        at once.
        """
        self.listener = _discard
        del self._toolbox, self._turnLoop

    # Back-pressure

    def pauseProducing(self) -> None:
        self._modelCalls.pause()

    def resumeProducing(self) -> None:
        self._modelCalls.resume()

    def stopProducing(self) -> None:
        self.cancel()


def _discard(events: Sequence[RunEvent]) -> None:
    """
    Ignore events after the end.
    """


def _elapsed(begin: float, end: float) -> float:
    # The clock of a reactor without useMonotonicTime can go back.
    return end - begin if end > begin else 0.0


def _stopTimer(timer: IDelayedCall) -> None:
    if timer.active():
        timer.cancel()
