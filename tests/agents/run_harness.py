"""
The fixtures of tests of runs: the services of a run, with doubles and a L{Clock}.
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
    An open store in memory whose transactions end when the test says so.

    @ivar held: The names of methods that wait for L{release}.
    @ivar waiting: The names of the waiting calls.
    @ivar asked: The names of all calls.
    @ivar inner: The same store without waiting, as another process uses it.
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

    def release(self) -> None:
        """
        Run all waiting transactions, in order, and later ones immediately.
        """
        self.held.clear()
        while self._work:
            self.releaseOne()

    def releaseOne(self) -> None:
        """
        Run the oldest waiting transaction.
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
    A store of which some transactions fail, as with a full disk.

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
    A run with everything that it reports.

    @ivar listener: The listener of its events; by default it fills C{batches}.
    @ivar batches: The events.
    @ivar outcomes: The result of C{done}, if it has fired.
    @ivar ends: The results of C{ended}.
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
        Record how the run ends.
        """
        self.run.done.addBoth(self.outcomes.append)
        self.run.ended.addBoth(self.ends.append)
        return self

    @property
    def text(self) -> str:
        """
        Return the text of all events.
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
        Return the result of a successful run.
        """
        (outcome,) = self.outcomes
        assert isinstance(outcome, RunResult), outcome
        return outcome

    @property
    def error(self) -> BaseException:
        """
        Return the error of a failed run.
        """
        (outcome,) = self.outcomes
        assert isinstance(outcome, Failure), outcome
        return outcome.value


class RunHarness:
    """
    The services of a run.

    @ivar events: The log events.
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
        Return the log lines.
        """
        return [formatEvent(event) for event in self.events]

    @property
    def call(self) -> ScriptedCall:
        """
        Return the latest model call.
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
        Create a run without starting it.
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
        Start a run.
        """
        watched = self.prepare(sessionKey, **more)
        watched.run.start()
        return watched

    def kept(self, sessionKey: str = KEY) -> list[Message]:
        """
        Return the transcript of a session.
        """
        found: list[Sequence[Message]] = []
        self.store.transcript(sessionKey).addCallback(found.append)
        return list(found[0])

    def claim(self, sessionKey: str = KEY) -> bool:
        """
        Try to claim a session as another process would, and release the claim.
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
