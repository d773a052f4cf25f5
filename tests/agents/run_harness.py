"""
The harness of tests of runs: the services of a run, made of doubles and a L{Clock}.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.agents.run import AgentRun
from openclaw.agents.run_queue import RunLimits, RunQueue
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.turns import RunResult
from openclaw.config import AgentSettings, ModelChoice, ModelRef
from openclaw.errors import StoreError
from openclaw.events import RunEvent, RunListener, TextDelta
from openclaw.interfaces import (
    Claim,
    Conversation,
    ISessionStore,
    Outline,
    SessionInfo,
    Summary,
    Tail,
)
from openclaw.messages import Message, UserMessage
from openclaw.models.failover import RefusedKeys
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits
from openclaw.testing import MemorySessionStore, ScriptedCall, ScriptedProvider

KEY = "agent:main:a"
OTHER_KEY = "agent:main:b"
HELLO = UserMessage("Hello.")
AGAIN = UserMessage("Me again.")
LIMITS = RunLimits(running=2, queued=2, perSession=2, waitSeconds=30.0)
CLAIM_WAIT_SECONDS = 10.0
TIMEOUT_SECONDS = 100.0

AGENT = AgentSettings(
    id="main",
    name="Main",
    model=ModelChoice(primary=ModelRef("scripted", "m1")),
    systemPrompt=None,
    workspace=None,
    timeoutSeconds=TIMEOUT_SECONDS,
)


@implementer(ISessionStore)
class HeldStore:
    """
    An open store in memory whose transactions take as long as the test wants.

    @ivar held: The names of the methods whose work waits for L{letGo}.
    @ivar waiting: The names of those that wait now.
    @ivar asked: The names of all methods that were called.
    @ivar inner: The same sessions without any waiting, as another process sees them.
    """

    def __init__(self, clock: Clock) -> None:
        self.held: set[str] = set()
        self.asked: list[str] = []
        self.inner = MemorySessionStore(clock=clock)
        self.inner.open()
        self._work: list[tuple[str, Deferred[Any], Callable[[], Deferred[Any]]]] = []
        self.leaseSeconds = self.inner.leaseSeconds

    @property
    def waiting(self) -> list[str]:
        return [name for name, _, _ in self._work]

    def letGo(self) -> None:
        """
        Do all that waits, in its order; and from now on everything at once.
        """
        self.held.clear()
        while self._work:
            self.letOneGo()

    def letOneGo(self) -> None:
        """
        Do what waits longest.
        """
        _, result, work = self._work.pop(0)
        work().addBoth(result.callback)

    def _do(self, name: str, *arguments: Any) -> Deferred[Any]:
        self.asked.append(name)
        method = getattr(self.inner, name)
        if name not in self.held and not self._work:
            return method(*arguments)
        result: Deferred[Any] = Deferred()
        self._work.append((name, result, lambda: method(*arguments)))
        return result

    def open(self) -> Deferred[None]:
        return self._do("open")

    def close(self) -> Deferred[None]:
        return self._do("close")

    def beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> Deferred[Conversation | None]:
        return self._do("beginTurn", claim, agentID, opening, following)

    def endTurn(
        self,
        claim: Claim,
        messages: Sequence[Message],
        summary: Summary | None = None,
    ) -> Deferred[None]:
        return self._do("endTurn", claim, messages, summary)

    def renew(self, claims: Sequence[Claim]) -> Deferred[None]:
        return self._do("renew", claims)

    def transcript(self, sessionKey: str) -> Deferred[Sequence[Message]]:
        return self.inner.transcript(sessionKey)

    def outline(self, sessionKey: str) -> Deferred[Outline]:
        return self.inner.outline(sessionKey)

    def tail(self, sessionKey: str, most: int) -> Deferred[Tail]:
        return self.inner.tail(sessionKey, most)

    def sessions(
        self, agentID: str | None = None, prefix: str = "", most: int | None = None
    ) -> Deferred[Sequence[SessionInfo]]:
        return self.inner.sessions(agentID, prefix, most)


class FailingStore(HeldStore):
    """
    A store of which some transactions fail, as one does whose disk is full.

    @ivar failing: The names of the methods that fail.
    """

    failing: frozenset[str] = frozenset()

    def _do(self, name, *arguments):
        if name not in self.failing:
            return super()._do(name, *arguments)
        try:
            try:
                raise OSError("disk full")
            except OSError as error:
                raise StoreError("The store failed.") from error
        except StoreError:
            return fail(Failure())


@dataclass
class Watched:
    """
    A run, and all that came of it so far.

    @ivar listener: What is told of its events; at first, what fills C{batches}.
    @ivar batches: What the listener was told.
    @ivar outcomes: What C{done} fired with: at most one thing.
    @ivar ends: What C{ended} fired with.
    """

    run: AgentRun = None  # type: ignore[assignment]
    listener: RunListener = field(init=False)
    batches: list[list[RunEvent]] = field(default_factory=list)
    outcomes: list[RunResult | Failure] = field(default_factory=list)
    ends: list[RunResult | Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = lambda events: self.batches.append(list(events))

    def watch(self) -> "Watched":
        """
        Begin to note how it ends.
        """
        self.run.done.addBoth(self.outcomes.append)
        self.run.ended.addBoth(self.ends.append)
        return self

    @property
    def text(self) -> str:
        """
        All words that the listener was told.
        """
        return "".join(
            event.text
            for batch in self.batches
            for event in batch
            if isinstance(event, TextDelta)
        )

    @property
    def result(self) -> RunResult:
        """
        The result of a run that succeeded.
        """
        (outcome,) = self.outcomes
        assert isinstance(outcome, RunResult), outcome
        return outcome

    @property
    def error(self) -> BaseException:
        """
        The error of a run that failed.
        """
        (outcome,) = self.outcomes
        assert isinstance(outcome, Failure), outcome
        return outcome.value


class RunHarness:
    """
    A run's services.

    @ivar events: What was logged.
    """

    def __init__(
        self, limits: RunLimits = LIMITS, makeStore: Callable[[Clock], Any] = HeldStore
    ) -> None:
        self.clock = Clock()
        self.provider = ScriptedProvider()
        self.store = makeStore(self.clock)
        self.queue = RunQueue(self.clock, limits)
        self.events: list[dict[str, Any]] = []
        self.services = RunServices(
            reactor=self.clock,
            queue=self.queue,
            store=self.store,
            providers={"scripted": self.provider}.get,
            refusedKeys=RefusedKeys(self.clock),
            toolSettings=lambda name: {},
            findModel=lambda model: None,
            claimWaitSeconds=CLAIM_WAIT_SECONDS,
            log=Logger(namespace="test", observer=self.events.append),
            toolCalls=FairSemaphore(self.clock, SemaphoreLimits(capacity=8)),
        )

    @property
    def logged(self) -> list[str]:
        """
        The lines of the log.
        """
        return [formatEvent(event) for event in self.events]

    @property
    def call(self) -> ScriptedCall:
        """
        The latest question to the model.
        """
        return self.provider.calls[-1]

    def prepare(
        self,
        sessionKey: str = KEY,
        *,
        kept: bool = True,
        opening: Sequence[Message] = (HELLO,),
        following: Sequence[Message] = (AGAIN,),
        agent: AgentSettings = AGENT,
        **more: Any,
    ) -> Watched:
        """
        A run that has not begun.
        """
        request = RunRequest(
            agent=agent,
            system="Be kind.",
            sessionKey=sessionKey,
            stateful=kept,
            opening=opening,
            following=following,
            **more,
        )
        watched = Watched()
        watched.run = AgentRun(
            request, lambda events: watched.listener(events), self.services
        )
        return watched.watch()

    def begin(self, sessionKey: str = KEY, **more: Any) -> Watched:
        """
        A run that has begun.
        """
        watched = self.prepare(sessionKey, **more)
        watched.run.start()
        return watched

    def kept(self, sessionKey: str = KEY) -> list[Message]:
        """
        A session's transcript.
        """
        found: list[Sequence[Message]] = []
        self.store.transcript(sessionKey).addCallback(found.append)
        return list(found[0])

    def claim(self, sessionKey: str = KEY) -> bool:
        """
        Try to take a session's claim, as another process would, and give it back.
        """
        found: list[object] = []
        claim = Claim(sessionKey, "of another process")
        self.store.inner.beginTurn(claim, "main", [], []).addCallback(found.append)
        if found[0] is None:
            return False
        self.store.inner.endTurn(claim, [])
        return True


__all__ = [
    "AGAIN",
    "AGENT",
    "CLAIM_WAIT_SECONDS",
    "HELLO",
    "KEY",
    "LIMITS",
    "OTHER_KEY",
    "TIMEOUT_SECONDS",
    "FailingStore",
    "HeldStore",
    "RunHarness",
    "Watched",
]
