"""
All calls for embeddings: how many there may be, what is tried when one fails, where
they are ended, and what is said of them in the log.
"""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

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
    @ivar agent: By whose terms: how long it may take, and who is counted.
    @ivar caller: A label for the log.
    @ivar requestID: Likewise.
    @ivar arrivedAt: When the request had arrived, by the reactor's clock.
    @ivar shareKey: See L{openclaw.interfaces.ICaller}.
    @ivar namespace: Likewise.
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
        """
        The model to ask.
        """
        return ModelRef(self.provider, self.request.model)


class EmbeddingRuns:
    """
    Has texts embedded.
    """

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
        Change the number of calls at once.
        """
        self._shares.resize(SemaphoreLimits(capacity=most, waiting=0))

    def begin(self, asked: EmbeddingCall) -> "Deferred[EmbeddingReply]":
        """
        Have texts embedded.

        @return: Fails with an L{OpenClawError}.  Cancelling it stops the model.

        @raise Busy: There are as many calls as may be.
        """
        shareKey = asked.shareKey or asked.requestID
        if not self._shares.tryAcquire(shareKey):
            busy = Busy(
                "The gateway has as many requests for embeddings as it can take.",
                retryAfter=RETRY_SECONDS,
            )
            self._reportFailure(asked, Failure(busy))
            raise busy
        seconds = asked.agent.timeoutSeconds
        call = Deferred.fromCoroutine(self._embed(asked))
        self._calls[call] = asked
        late = UpstreamTimeout(
            f"The embeddings took longer than {seconds:g} s.", code="run_timeout"
        )
        clock = self._reactor.callLater(seconds, self._end, call, late)

        def ended(result: EmbeddingReply | Failure) -> EmbeddingReply | Failure:
            if clock.active():
                clock.cancel()
            del self._calls[call]
            why = self._reasons.pop(call, None)
            self._shares.release(shareKey)
            if why is not None:
                result = Failure(why)
            if isinstance(result, Failure):
                self._reportFailure(asked, result)
            else:
                self._report(asked, "done", tokens=result.promptTokens)
            if not self._calls:
                waiting, self._awaitingIdle = self._awaitingIdle, []
                for idle in waiting:
                    idle.callback(None)
            return result

        return call.addBoth(ended)

    def _reportFailure(self, asked: EmbeddingCall, failure: Failure) -> None:
        error = failure.value
        gone = isinstance(error, CancelledError | RunCancelled)
        if gone:
            error = RunCancelled("The caller is gone.")
        elif not isinstance(error, OpenClawError):
            error = InternalError("The gateway failed.")
        assert isinstance(error, OpenClawError)
        self._report(asked, error.code or "unknown", gone=gone, error=error.message)

    def _report(
        self,
        asked: EmbeddingCall,
        outcome: str,
        *,
        tokens: int = 0,
        gone: bool = False,
        error: str | None = None,
    ) -> None:
        """
        Count the call, and write its one line into the log.
        """
        took = self._reactor.seconds() - asked.arrivedAt
        account = EmbeddingLogEntry(
            request=asked.requestID,
            caller=asked.caller,
            agent=asked.agent.id,
            model=str(asked.model),
            inputs=len(asked.request.inputs),
            outcome=outcome,
            callerGone=gone,
            # The clock of the machine can be set back.
            totalSeconds=max(took, 0.0),
            tokens=tokens,
            error=error,
        )
        self._tally.countEmbedding(account)
        self._log.info("{embeddings}", embeddings=account)

    async def _embed(self, asked: EmbeddingCall) -> EmbeddingReply:
        """
        Ask, and ask again where that may help: the same model, since the vectors of
        two can't be compared.
        """
        name, request = asked.provider, asked.request
        attempts = Attempts([asked.model])
        while True:
            provider = self._providers(name)
            if provider is None:
                raise ModelUnavailable(f"There is no provider {name!r} now.")
            embedder = IEmbedder(provider, None)
            if embedder is None:
                raise noEmbeddings(name)
            self._refusedKeys.check(provider)
            try:
                return await embedder.embed(request)
            except OpenClawError as error:
                if isinstance(error, UpstreamError | ModelUnavailable):
                    self._tally.countUpstreamError(name, error.code)
                if isinstance(error, UpstreamAuthFailed):
                    self._refusedKeys.remember(provider)
                wait = attempts.afterFailure(error)
            await deferLater(self._reactor, wait)

    def _end(self, call: "Deferred[EmbeddingReply]", why: OpenClawError) -> None:
        self._reasons[call] = why
        call.cancel()

    def endWhere(
        self, isMeant: Callable[[EmbeddingCall], bool], why: Callable[[], OpenClawError]
    ) -> None:
        """
        End the calls that this is true of now.

        @param why: Makes the error that they fail with.
        """
        for call, asked in list(self._calls.items()):
            if isMeant(asked):
                self._end(call, why())

    def untilIdle(self) -> "Deferred[None]":
        """
        Wait until there is no call.
        """
        if not self._calls:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._awaitingIdle.append(idle)
        return idle
