"""
All runs of the gateway: the one place where they start, and where they are ended.
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
from openclaw.agents.run_queue import Limits, RunQueue
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
Tool calls of all runs at once.  Most wait for a process or an answer; those that work
in a thread take turns there.
"""


class Runtime:
    """
    Starts runs, and knows those in progress.

    @ivar runs: The runs in progress, by their ids.
    @ivar draining: True once no more may start.
    @ivar tally: What is counted of them, and of calls for embeddings.
    @ivar isRevoked: Tell from a namespace if the token that it belongs to is not valid
        any more.
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
        Begin to keep the claims of runs alive.
        """
        self._renewal.start(self._store.leaseSeconds / 3, now=False)

    def reconfigure(self, config: Config) -> None:
        """
        Let another configuration hold for the runs to come.
        """
        self._services.queue.reconfigure(_limits(config))
        self._embeddings.reconfigure(_mostEmbeddings(config))
        self._services = replace(
            self._services,
            claimWaitSeconds=_claimWait(config),
            toolSettings=config.toolSettings,
            findModel=config.findModel,
        )

    def begin(self, request: RunRequest, listener: RunListener) -> AgentRun:
        """
        Start a run.

        @raise ShuttingDown: The daemon is going down.

        @raise AuthenticationFailed: The caller's token was revoked after the headers of
            the request had been checked.
        """
        self._checkMayBegin(request.namespace)
        run = AgentRun(request, listener, self._services)
        self.runs[run.runID] = run
        run.ended.addBoth(self._ended, run)
        run.start()
        return run

    def _checkMayBegin(self, namespace: str) -> None:
        if self.draining:
            raise shuttingDown()
        if self.isRevoked(namespace):
            raise tokenRevoked()

    def endRevoked(self) -> None:
        """
        End the runs and the calls for embeddings of tokens that are not valid any more.
        """
        for run in list(self.runs.values()):
            if self.isRevoked(run.request.namespace):
                run.cancel(tokenRevoked())
        self._embeddings.endWhere(
            lambda asked: self.isRevoked(asked.namespace), tokenRevoked
        )

    def embed(self, asked: EmbeddingCall) -> "Deferred[EmbeddingReply]":
        """
        Have texts embedded; see L{EmbeddingRuns.begin}.

        @raise ShuttingDown: The daemon is going down.

        @raise AuthenticationFailed: See L{begin}.
        """
        self._checkMayBegin(asked.namespace)
        return self._embeddings.begin(asked)

    def outline(self, sessionKey: str) -> "Deferred[Outline]":
        """
        See L{ISessionStore.outline}.
        """
        return self._store.outline(sessionKey)

    def inProgress(self) -> tuple[int, int]:
        """
        Count the runs in progress, and those that wait for a place or for their
        session.
        """
        going = sum(run.admittedAt is not None for run in self.runs.values())
        return going, len(self.runs) - going

    def _ended(self, result: RunResult | Failure, run: AgentRun) -> None:
        del self.runs[run.runID]
        self._report(result, run)
        if not self.runs:
            waiting, self._awaitingIdle = self._awaitingIdle, []
            for idle in waiting:
                idle.callback(None)

    def _report(self, result: RunResult | Failure, run: AgentRun) -> None:
        """
        Count the run, and write its one line into the log.
        """
        account = run.account(result)
        self.tally.countRun(account)
        if isinstance(result, Failure) and result.check(StoreError):
            self.tally.storeErrors += 1
        # One field costs a third of what nine do; this one is made into text, or into
        # JSON, by who writes it.
        self._log.info("{run}", run=account)

    def drain(self, seconds: float) -> "Deferred[None]":
        """
        Start no more runs, let those in progress go on for a while, then end them.

        @return: Fires when none is left.
        """
        self.draining = True
        budget = self._reactor.callLater(seconds, self.endAll)
        return self._untilIdle().addBoth(
            lambda _: budget.cancel() if budget.active() else None
        )

    def endAll(self) -> None:
        """
        End the runs in progress now.
        """
        self.draining = True
        for run in list(self.runs.values()):
            run.cancel(shuttingDown())
        self._embeddings.endWhere(lambda asked: True, shuttingDown)

    def stop(self) -> "Deferred[None]":
        """
        End all runs, and let go of the clock.

        @return: Fires when none is left.
        """
        if self._renewal.running:
            self._renewal.stop()
        self.endAll()
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
    The error for those who come too late, or took too long.
    """
    return ShuttingDown(
        "The gateway is shutting down. Try again soon.", retryAfter=DRAIN_RETRY_SECONDS
    )


def tokenRevoked() -> AuthenticationFailed:
    """
    Return the error for callers whose token was revoked or has expired.
    """
    return AuthenticationFailed("The token is not valid any more.")


def _limits(config: Config) -> Limits:
    return Limits(
        running=config.agents.defaults.maxConcurrent,
        queued=config.agents.defaults.maxQueued,
        perSession=config.session.maxWaiting,
        waitSeconds=config.session.waitSeconds,
    )


def _claimWait(config: Config) -> float:
    """
    Return the seconds for which a run may wait for a session that another process
    holds.
    """
    return config.session.waitSeconds if config.session.maxWaiting else 0.0


def _mostEmbeddings(config: Config) -> int:
    return config.gateway.http.endpoints.embeddings.maxConcurrent
