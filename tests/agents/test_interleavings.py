"""
Tests of L{openclaw.agents}: invariants in any order of events.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run_request import RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.agents.turns import RunResult
from openclaw.config import AgentDefaults, Agents, Config, Session
from openclaw.errors import OpenClawError, UpstreamTruncated
from openclaw.events import RunStarted
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, UserMessage
from openclaw.metrics.run_log_lines import RunLogEntry
from openclaw.testing import ScriptedCall, ScriptedProvider
from tests.agents.run_harness import AGENT, HeldStore, Watched

KEYS = ["agent:main:a", "agent:main:b"]
RUNNING, QUEUED, WAITING = 3, 2, 3
STEP_SECONDS = 4.0

CHOICE = st.integers(0, 30)


class Life(RuleBasedStateMachine):
    """
    Runs begin, models reply, end and fail, clients disconnect, the store is slow,
    another process uses the sessions, and time passes.

    @ivar started: The numbers of the started runs, in order.
    @ivar foreign: The sessions that the other process holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = HeldStore(self.clock)
        self.provider = ScriptedProvider()
        self.faults: list[dict] = []
        self.ends: dict[str, str] = {}
        defaults = AgentDefaults(maxConcurrent=RUNNING, maxQueued=QUEUED)
        self.runtime = Runtime(
            config=Config(
                agents=Agents(defaults=defaults),
                session=Session(maxWaiting=WAITING, waitSeconds=20),
            ),
            providers={"scripted": self.provider}.get,
            store=self.store,
            reactor=self.clock,
            log=Logger(observer=self.notice),
        )
        self.runtime.start()
        self.runs: list[Watched] = []
        self.started: list[int] = []
        self.foreign: set[str] = set()

    def notice(self, event: dict) -> None:
        """
        Record internal errors in the log, and how runs end.
        """
        if isinstance(event.get("run"), RunLogEntry):
            self.ends[event["run"].run] = event["run"].outcome
        if "log_failure" in event:
            self.faults.append(event)

    def unanswered(self) -> list[ScriptedCall]:
        """
        Return the open model calls.
        """
        return [call for call in self.provider.calls if not call.done.called]

    def current(self) -> list[int]:
        """
        Return the numbers of the runs in progress.
        """
        return [
            number
            for number in self.started
            if self.runs[number].run.runID in self.runtime.runs
        ]

    @rule(key=st.sampled_from(KEYS), kept=st.booleans())
    def begin(self, key: str, kept: bool) -> None:
        """
        Start a run whose message is its number.
        """
        number = len(self.runs)
        said = [UserMessage(f"{number}")]
        batches: list = []

        def listener(events) -> None:
            batches.append(list(events))
            if RunStarted() in events:
                self.started.append(number)

        run = self.runtime.startRun(
            RunRequest(
                agent=AGENT,
                system="",
                sessionKey=key,
                stateful=kept,
                opening=said,
                following=said,
            ),
            listener,
        )
        self.runs.append(Watched(run, batches))
        run.done.addBoth(self.runs[number].outcomes.append)

    @precondition(lambda self: self.unanswered())
    @rule(
        choice=CHOICE, end=st.sampled_from(["go on", "finish", "say nothing", "fail"])
    )
    def speak(self, choice: int, end: str) -> None:
        """
        Let a model send some text.
        """
        calls = self.unanswered()
        call = calls[choice % len(calls)]
        if end == "fail":
            call.fail(UpstreamTruncated("Cut."))
        elif end == "say nothing":
            call.finish()
        else:
            call.say("so", f"{len(self.provider.calls)}")
            if end == "finish":
                call.finish()

    @precondition(lambda self: self.runs)
    @rule(choice=CHOICE, byHolder=st.booleans())
    def cancel(self, choice: int, byHolder: bool) -> None:
        """
        Let a client disconnect.
        """
        run = self.runs[choice % len(self.runs)].run
        if byHolder:
            run.done.cancel()
        else:
            run.stopProducing()

    @rule(names=st.sets(st.sampled_from(["beginTurn", "endTurn"])))
    def hold(self, names: set[str]) -> None:
        """
        Make the store slow, or fast again.
        """
        self.store.held = names

    @precondition(lambda self: self.store.waiting)
    @rule()
    def work(self) -> None:
        """
        Let the store finish a transaction.
        """
        self.store.releaseOne()

    @rule(key=st.sampled_from(KEYS))
    def otherProcess(self, key: str) -> None:
        """
        Let the other process claim or release a session.
        """
        claim = Claim(key, "of another process")
        if key in self.foreign:
            self.foreign.discard(key)
            self.store.inner.endTurn(claim, [])
        else:
            found: list = []
            self.store.inner.beginTurn(claim, "main", [], []).addCallback(found.append)
            if found[0] is not None:
                self.foreign.add(key)

    @rule()
    def wait(self) -> None:
        """
        Let time pass.  Both processes renew their claims.
        """
        claims = [Claim(key, "of another process") for key in self.foreign]
        self.store.inner.renew(claims)
        ours = [run.claim for run in self.runtime.runs.values() if run.claim]
        self.store.inner.renew(ours)
        self.clock.advance(STEP_SECONDS)

    @invariant()
    def onePerSession(self) -> None:
        """
        No two runs of a session are in progress, in both processes.
        """
        busy = [
            self.runs[number].run.request.sessionKey
            for number in self.current()
            if self.runs[number].run.request.stateful
        ]
        assert len(busy) == len(set(busy)), busy

    @invariant()
    def inOrder(self) -> None:
        """
        Runs of a session start in order.
        """
        for key in KEYS:
            numbers = [
                number
                for number in self.started
                if self.runs[number].run.request.sessionKey == key
                and self.runs[number].run.request.stateful
            ]
            assert numbers == sorted(numbers), numbers

    @invariant()
    def notTooMany(self) -> None:
        """
        The limit of concurrent runs is respected.
        """
        assert len(self.current()) <= RUNNING
        assert len(self.unanswered()) <= RUNNING

    @invariant()
    def oneOutcome(self) -> None:
        """
        A finished run has one outcome, which is not an internal error.
        """
        for watched in self.runs:
            over = watched.run.runID not in self.runtime.runs
            assert len(watched.outcomes) == 1 or not over
            for outcome in watched.outcomes:
                if isinstance(outcome, RunResult):
                    assert outcome.text == watched.text
                else:
                    assert isinstance(outcome.value, OpenClawError)
        assert self.faults == []

    def teardown(self) -> None:
        """
        Stop.  Nothing is left, and all messages are stored.
        """
        stopped: list = []
        self.runtime.stop().addCallback(stopped.append)
        self.store.release()
        assert stopped == [None]
        self.oneOutcome()
        assert self.runtime.runs == {}
        assert self.unanswered() == []
        assert self.clock.getDelayedCalls() == []
        for key in KEYS:
            if key in self.foreign:
                self.otherProcess(key)
            self.otherProcess(key)
            assert key in self.foreign
            self.checkTranscript(key)

    def checkTranscript(self, key: str) -> None:
        """
        Each run that began its turn has stored its message, in order; each that
        succeeded its reply, directly after it.
        """
        kept: list = []
        self.store.transcript(key).addCallback(kept.extend)
        expected: list = []
        for number, watched in enumerate(self.runs):
            run, said = watched.run, UserMessage(f"{number}")
            if not run.request.stateful or run.request.sessionKey != key:
                continue
            assert said in kept or number not in self.started
            if said in kept:
                expected.append(said)
            if self.ends[run.runID] == "stop":
                expected.append(AssistantMessage(watched.text))
        assert kept == expected, (kept, expected)


class AnyOrderTests(SynchronousTestCase):
    """
    The invariants hold in any order of events.
    """

    def test_anyOrder(self) -> None:
        """
        No two runs of a session overlap, all start in order, each has one outcome, and
        nothing is left in the end.
        """
        run_state_machine_as_test(
            Life,
            settings=settings(max_examples=60, stateful_step_count=40),
        )


__all__ = ["AnyOrderTests"]
