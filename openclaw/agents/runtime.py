"""
The runtime: starts, tracks and ends all runs of the gateway.
"""

from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from openclaw.agents.embedding_runs import EmbeddingCall, EmbeddingRuns
from openclaw.agents.run import AgentRun
from openclaw.agents.run_queue import RunLimits, RunQueue
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.turns import RunResult
from openclaw.config import Config
from openclaw.errors import AuthenticationFailed, ShuttingDown, StoreError
from openclaw.events import RunListener
from openclaw.interfaces import EmbeddingReply, IModelProvider, ISessionStore, Outline
from openclaw.metrics.tally import Tally
from openclaw.models.failover import RefusedKeys
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

DRAIN_RETRY_SECONDS = 5.0
"""
Retry-After while the daemon drains, in seconds.
"""


TOOL_CALLS = 64
"""
Limit of concurrent tool calls of all runs.  Most wait for a process or a response;
those in threads have a limit of their own.
"""


class Runtime:
    """
    Starts and tracks runs.

    @ivar runs: The runs in progress, by ID.
    @ivar draining: Whether no more runs may start.
    @ivar tally: The counts of runs and of calls for embeddings.
    @ivar isRevoked: Returns whether the token of a namespace is no longer valid.
    """

    def __init__(
        self,
        *,
        config: Config,
        providers: Callable[[str], IModelProvider | None],
        store: ISessionStore,
        reactor: IReactorTime,
        log: Logger,
    ) -> None:
        self.runs: dict[str, AgentRun] = {}
        self.draining = False
        self.tally = Tally()
        self.isRevoked: Callable[[str], bool] = lambda namespace: False
        self._store = store
        self._reactor = reactor
        self._log = log
        refusedKeys = RefusedKeys(reactor)
        self._embeddings = EmbeddingRuns(
            most=_mostEmbeddings(config),
            providers=providers,
            refusedKeys=refusedKeys,
            reactor=reactor,
            tally=self.tally,
            log=log,
        )
        self._services = RunServices(
            reactor=reactor,
            queue=RunQueue(reactor, _limits(config)),
            store=store,
            providers=providers,
            refusedKeys=refusedKeys,
            toolSettings=config.toolSettings,
            findModel=config.findModel,
            claimWaitSeconds=_claimWait(config),
            log=log,
            toolCalls=FairSemaphore(reactor, SemaphoreLimits(capacity=TOOL_CALLS)),
            tally=self.tally,
        )
        self._awaitingIdle: list[Deferred[None]] = []
        self._renewal = LoopingCall(self._renewClaims)
        self._renewal.clock = reactor

    def start(self) -> None:
        """
        Start to renew the claims of runs.
        """
        self._renewal.start(self._store.leaseSeconds / 3, now=False)

    def reconfigure(self, config: Config) -> None:
        """
        Use another configuration for new runs.
        """
        self._services.queue.reconfigure(_limits(config))
        self._embeddings.reconfigure(_mostEmbeddings(config))
        self._services = replace(
            self._services,
            claimWaitSeconds=_claimWait(config),
            toolSettings=config.toolSettings,
            findModel=config.findModel,
        )

    def startRun(self, request: RunRequest, listener: RunListener) -> AgentRun:
        """
        Start a run.

        @raise ShuttingDown: The daemon is shutting down.
        @raise AuthenticationFailed: The caller's token was revoked after the headers of
            the request had been checked.
        """
        self._checkMayStart(request.namespace)
        run = AgentRun(request, listener, self._services)
        self.runs[run.runID] = run
        run.ended.addBoth(self._ended, run)
        run.start()
        return run

    def _checkMayStart(self, namespace: str) -> None:
        if self.draining:
            raise shuttingDown()
        if self.isRevoked(namespace):
            raise tokenRevoked()

    def endRevoked(self) -> None:
        """
        Cancel the runs and calls for embeddings of tokens that are no longer valid.
        """
        for run in list(self.runs.values()):
            if self.isRevoked(run.request.namespace):
                run.cancel(tokenRevoked())
        self._embeddings.cancelWhere(
            lambda call: self.isRevoked(call.namespace), tokenRevoked
        )

    def embed(self, call: EmbeddingCall) -> "Deferred[EmbeddingReply]":
        """
        Create embeddings; see L{EmbeddingRuns.startCall}.

        @raise ShuttingDown: The daemon is shutting down.
        @raise AuthenticationFailed: See L{startRun}.
        """
        self._checkMayStart(call.namespace)
        return self._embeddings.startCall(call)

    def outline(self, sessionKey: str) -> "Deferred[Outline]":
        return self._store.outline(sessionKey)

    def countRuns(self) -> tuple[int, int]:
        """
        Return the numbers of running and of queued runs.
        """
        running = sum(run.admittedAt is not None for run in self.runs.values())
        return running, len(self.runs) - running

    def _ended(self, result: RunResult | Failure, run: AgentRun) -> None:
        del self.runs[run.runID]
        self._report(result, run)
        if not self.runs:
            waiting, self._awaitingIdle = self._awaitingIdle, []
            for idle in waiting:
                idle.callback(None)

    def _report(self, result: RunResult | Failure, run: AgentRun) -> None:
        """
        Count the run and log it.
        """
        account = run.account(result)
        self.tally.countRun(account)
        if isinstance(result, Failure) and result.check(StoreError):
            self.tally.storeErrors += 1
        # One field costs a third of nine; the log's formatter renders it.
        self._log.info("{run}", run=account)

    def drain(self, seconds: float) -> "Deferred[None]":
        """
        Start no more runs, let those in progress finish for a while, then cancel them.

        @return: Fires when no run is left.
        """
        self.draining = True
        timer = self._reactor.callLater(seconds, self.cancelAll)
        return self._untilIdle().addBoth(
            lambda _: timer.cancel() if timer.active() else None
        )

    def cancelAll(self) -> None:
        self.draining = True
        for run in list(self.runs.values()):
            run.cancel(shuttingDown())
        self._embeddings.cancelWhere(lambda call: True, shuttingDown)

    def stop(self) -> "Deferred[None]":
        """
        Cancel all runs, and stop renewing claims.

        @return: Fires when no run is left.
        """
        if self._renewal.running:
            self._renewal.stop()
        self.cancelAll()
        return self._untilIdle()

    def _untilIdle(self) -> "Deferred[None]":
        if not self.runs:
            return self._embeddings.untilIdle()
        idle: Deferred[None] = Deferred()
        self._awaitingIdle.append(idle)
        return idle.addCallback(lambda _: self._embeddings.untilIdle())

    def _renewClaims(self) -> "Deferred[None] | None":
        claims = [run.claim for run in self.runs.values() if run.claim is not None]
        if not claims:
            return None
        return self._store.renew(claims).addErrback(self._renewalFailed)

    def _renewalFailed(self, failure: Failure) -> None:
        self.tally.storeErrors += 1
        self._log.failure("Claims can't be renewed", failure)


def shuttingDown() -> ShuttingDown:
    """
    Make the error for runs that cannot start or finish before the shutdown.
    """
    return ShuttingDown(
        "The gateway is shutting down. Try again soon.", retryAfter=DRAIN_RETRY_SECONDS
    )


def tokenRevoked() -> AuthenticationFailed:
    """
    Make the error for callers whose token was revoked or has expired.
    """
    return AuthenticationFailed("The token is no longer valid.")


def _limits(config: Config) -> RunLimits:
    return RunLimits(
        running=config.agents.defaults.maxConcurrent,
        queued=config.agents.defaults.maxQueued,
        perSession=config.session.maxWaiting,
        waitSeconds=config.session.waitSeconds,
    )


def _claimWait(config: Config) -> float:
    """
    Return the time that a run may wait for a session of another process, in seconds.
    """
    return config.session.waitSeconds if config.session.maxWaiting else 0.0


def _mostEmbeddings(config: Config) -> int:
    return config.gateway.http.endpoints.embeddings.maxConcurrent
