"""
All calls for embeddings: their limit, retries, cancellation, and log lines.
"""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from openclaw.agents.token_estimates import completeEmbedding
from openclaw.config import AgentSettings, ModelRef
from openclaw.errors import (
    Busy,
    InternalError,
    ModelUnavailable,
    OpenClawError,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamTimeout,
)
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelProvider,
)
from openclaw.metrics.run_log_lines import EmbeddingLogEntry
from openclaw.metrics.tally import Tally
from openclaw.models.failover import Attempts, RefusedKeys
from openclaw.models.provider import noEmbeddings
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

RETRY_SECONDS = 1.0
"""
Retry-After of a refusal, in seconds.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingCall:
    """
    A request for embeddings.

    @ivar provider: The name of the model's provider.
    @ivar agent: The agent whose time-out applies, and for which the call is counted.
    @ivar caller: The caller's label in the log.
    @ivar requestID: The request's ID in the log.
    @ivar arrivedAt: The time when the request had arrived, by the reactor's clock.
    @ivar shareKey: See L{openclaw.interfaces.ICaller}.
    @ivar namespace: See L{openclaw.interfaces.ICaller}.
    """

    provider: str
    request: EmbeddingRequest
    agent: AgentSettings
    caller: str
    requestID: str
    arrivedAt: float
    shareKey: str = ""
    namespace: str = ""

    @property
    def model(self) -> ModelRef:
        return ModelRef(self.provider, self.request.model)


class EmbeddingRuns:
    def __init__(
        self,
        *,
        most: int,
        providers: Callable[[str], IModelProvider | None],
        refusedKeys: RefusedKeys,
        reactor: IReactorTime,
        tally: Tally,
        log: Logger,
    ) -> None:
        self._shares = FairSemaphore(reactor, SemaphoreLimits(capacity=most, waiting=0))
        self._providers = providers
        self._refusedKeys = refusedKeys
        self._reactor = reactor
        self._tally = tally
        self._log = log
        self._calls: dict[Deferred[EmbeddingReply], EmbeddingCall] = {}
        self._reasons: dict[Deferred[EmbeddingReply], OpenClawError] = {}
        self._awaitingIdle: list[Deferred[None]] = []

    def reconfigure(self, most: int) -> None:
        """
        Change the limit of concurrent calls.
        """
        self._shares.resize(SemaphoreLimits(capacity=most, waiting=0))

    def startCall(self, call: EmbeddingCall) -> "Deferred[EmbeddingReply]":
        """
        Create embeddings.

        @return: Fails with an L{OpenClawError}.  Cancelling it cancels the call of the
            model.
        @raise Busy: The limit of concurrent calls is reached.
        """
        shareKey = call.shareKey or call.requestID
        if not self._shares.tryAcquire(shareKey):
            busy = Busy(
                "Too many requests for embeddings are in progress. Try again soon.",
                retryAfter=RETRY_SECONDS,
            )
            self._reportFailure(call, Failure(busy))
            raise busy
        seconds = call.agent.timeoutSeconds
        reply = Deferred.fromCoroutine(self._embed(call))
        self._calls[reply] = call
        late = UpstreamTimeout(
            f"The embeddings took longer than {seconds:g} s.", code="run_timeout"
        )
        timer = self._reactor.callLater(seconds, self._cancel, reply, late)

        def ended(result: EmbeddingReply | Failure) -> EmbeddingReply | Failure:
            if timer.active():
                timer.cancel()
            del self._calls[reply]
            reason = self._reasons.pop(reply, None)
            self._shares.release(shareKey)
            if reason is not None:
                result = Failure(reason)
            if isinstance(result, Failure):
                self._reportFailure(call, result)
            else:
                self._report(call, "done", tokens=result.promptTokens)
            if not self._calls:
                waiting, self._awaitingIdle = self._awaitingIdle, []
                for idle in waiting:
                    idle.callback(None)
            return result

        return reply.addBoth(ended)

    def _reportFailure(self, call: EmbeddingCall, failure: Failure) -> None:
        error = failure.value
        gone = isinstance(error, CancelledError | RunCancelled)
        if gone:
            error = RunCancelled("The client has disconnected.")
        elif not isinstance(error, OpenClawError):
            error = InternalError("The gateway failed.")
        assert isinstance(error, OpenClawError)
        self._report(call, error.code or "unknown", gone=gone, error=error.message)

    def _report(
        self,
        call: EmbeddingCall,
        outcome: str,
        *,
        tokens: int = 0,
        gone: bool = False,
        error: str | None = None,
    ) -> None:
        """
        Count the call and log it.
        """
        took = self._reactor.seconds() - call.arrivedAt
        account = EmbeddingLogEntry(
            request=call.requestID,
            caller=call.caller,
            agent=call.agent.id,
            model=str(call.model),
            inputs=len(call.request.inputs),
            outcome=outcome,
            callerGone=gone,
            # A test's clock, or a reactor without useMonotonicTime, can go back.
            totalSeconds=max(took, 0.0),
            tokens=tokens,
            error=error,
        )
        self._tally.countEmbedding(account)
        self._log.info("{embeddings}", embeddings=account)

    async def _embed(self, call: EmbeddingCall) -> EmbeddingReply:
        """
        Call the model, and retry where that may help: only with the same model, since
        vectors of different models cannot be compared.
        """
        name, request = call.provider, call.request
        attempts = Attempts([call.model])
        while True:
            provider = self._providers(name)
            if provider is None:
                raise ModelUnavailable(
                    f"The provider {name!r} is no longer configured."
                )
            embedder = IEmbedder(provider, None)
            if embedder is None:
                raise noEmbeddings(name)
            self._refusedKeys.check(provider)
            try:
                return completeEmbedding(request, await embedder.embed(request))
            except OpenClawError as error:
                if isinstance(error, UpstreamError | ModelUnavailable):
                    self._tally.countUpstreamError(name, error.code)
                if isinstance(error, UpstreamAuthFailed):
                    self._refusedKeys.remember(provider)
                wait = attempts.afterFailure(error)
            await deferLater(self._reactor, wait)

    def _cancel(self, reply: "Deferred[EmbeddingReply]", reason: OpenClawError) -> None:
        self._reasons[reply] = reason
        reply.cancel()

    def cancelWhere(
        self,
        predicate: Callable[[EmbeddingCall], bool],
        makeReason: Callable[[], OpenClawError],
    ) -> None:
        """
        Cancel the calls for which a predicate is true.

        @param makeReason: Makes the error with which they fail.
        """
        for reply, call in list(self._calls.items()):
            if predicate(call):
                self._cancel(reply, makeReason())

    def untilIdle(self) -> "Deferred[None]":
        """
        Wait until no call is in progress.
        """
        if not self._calls:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._awaitingIdle.append(idle)
        return idle
