"""
Tests of L{openclaw.agents.runtime}: log lines and counts of ended runs.
"""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from openclaw.agents.run_request import RunRequest
from openclaw.agents.toolbox import OfferedTool
from openclaw.config import ModelChoice, ModelRef
from openclaw.errors import RunCancelled, StoreError, UpstreamError, UpstreamUnreachable
from openclaw.interfaces import ITool
from openclaw.messages import Usage
from openclaw.metrics.run_log_lines import RunLogEntry
from openclaw.tools.arguments import ArgumentReader
from tests.agents.run_harness import AGENT, KEY, FailingStore, HeldStore, Watched
from tests.agents.runtime_case import ANSWER, QUESTION, RuntimeTestCase, configured


@implementer(ITool)
class Look:
    """
    A tool that returns immediately.
    """

    name = "look"
    description = "Looks."
    parameters = {"type": "object"}
    readOnly = True

    def run(self, arguments: Any, context: Any) -> Deferred[str]:
        return succeed("seen")


class AccountTestCase(RuntimeTestCase):
    """
    Runs as the API starts them.
    """

    def ask(self, **more: Any) -> Watched:
        """
        Start a run.
        """
        usual = {"agent": AGENT, "sessionKey": KEY, "stateful": False}
        request = RunRequest(
            **{**usual, **more}, system="", opening=[QUESTION], following=[QUESTION]
        )
        run = self.runtime.startRun(request, lambda events: None)
        watched = Watched(run)
        run.done.addBoth(watched.outcomes.append)
        return watched

    @property
    def account(self) -> RunLogEntry:
        """
        Return the latest log line's account.
        """
        return self.events[-1]["run"]


class WhoTests(AccountTestCase):
    """
    The line has the caller and the agent.
    """

    def test_caller(self) -> None:
        """
        It has the caller's label and the request's id.
        """
        self.ask(caller="ann", requestID="req_7")
        self.answer()
        self.assertEqual((self.account.caller, self.account.request), ("ann", "req_7"))

    def test_model(self) -> None:
        """
        It has the model that replied, not the first one.
        """
        models = ModelChoice(
            primary=ModelRef("scripted", "m1"), fallbacks=(ModelRef("scripted", "m2"),)
        )
        self.ask(agent=msgspec.structs.replace(AGENT, model=models))
        self.provider.calls[0].fail(UpstreamUnreachable("Nobody is there."))
        self.answer()
        self.assertEqual(self.account.model, "scripted/m2")

    def test_noModel(self) -> None:
        """
        A run that never left the queue has no model.
        """
        for _ in range(5):
            self.ask()
        self.assertEqual(self.account.outcome, "gateway_busy")
        self.assertIsNone(self.account.model)


class WhenTests(AccountTestCase):
    """
    The line has the times of the phases.
    """

    def test_phases(self) -> None:
        """
        The times until the session, the first output, and the end are measured from the
        arrival of the request.
        """
        self.ask(stateful=True)
        self.clock.advance(1)
        self.ask(stateful=True, arrivedAt=self.clock.seconds() - 0.5)
        self.clock.advance(2)
        self.answer(0)
        self.clock.advance(3)
        self.provider.calls[1].say("It")
        self.clock.advance(4)
        self.provider.calls[1].say(" is")
        self.answer(1)
        account = self.account
        self.assertEqual(account.queueSeconds, 2.5)
        self.assertEqual(account.firstSeconds, 5.5)
        self.assertEqual(account.totalSeconds, 9.5)

    def test_thinking(self) -> None:
        """
        Reasoning counts as output.
        """
        self.ask()
        self.clock.advance(1)
        self.provider.calls[0].think("Hm.")
        self.clock.advance(1)
        self.answer()
        self.assertEqual(self.account.firstSeconds, 1.0)

    def test_neverAdmitted(self) -> None:
        """
        For a run that ends in the queue, all of the time is waiting.
        """
        self.ask(stateful=True)
        waiting = self.ask(stateful=True)
        self.clock.advance(2)
        waiting.run.cancel()
        account = self.account
        self.assertEqual((account.queueSeconds, account.totalSeconds), (2.0, 2.0))
        self.assertIsNone(account.firstSeconds)

    def test_clockSetBack(self) -> None:
        """
        If the system time is set back, no time is negative.
        """
        self.ask()
        self.clock.rightNow -= 10
        self.answer()
        account = self.account
        self.assertEqual((account.firstSeconds, account.totalSeconds), (0.0, 0.0))

    def test_inProgress(self) -> None:
        """
        Running and queued runs are counted separately.
        """
        runs = [self.ask() for _ in range(4)]
        self.assertEqual(self.runtime.countRuns(), (2, 2))
        self.answer(0)
        self.assertEqual(self.runtime.countRuns(), (2, 1))
        for run in runs:
            run.run.cancel()
        self.assertEqual(self.runtime.countRuns(), (0, 0))


class GoneTests(AccountTestCase):
    """
    The line shows whether the client disconnected.
    """

    def test_ways(self) -> None:
        """
        A disconnect is recognised in several ways.
        """
        for leave in (
            lambda run: run.cancel(),
            lambda run: run.stopProducing(),
            lambda run: run.done.cancel(),
        ):
            leave(self.ask().run)
            self.assertTrue(self.account.callerGone)
            self.assertEqual(self.account.outcome, "run_cancelled")

    def test_otherReasons(self) -> None:
        """
        A run that is cancelled for another reason is not logged as disconnected.
        """
        self.ask().run.cancel(RunCancelled("On request."))
        self.assertEqual(self.account.outcome, "run_cancelled")
        self.assertFalse(self.account.callerGone)
        self.ask()
        self.clock.advance(AGENT.timeoutSeconds)
        self.assertEqual(self.account.outcome, "run_timeout")
        self.assertFalse(self.account.callerGone)

    def test_inTime(self) -> None:
        """
        A client that got the reply is not logged as disconnected.
        """
        self.ask()
        self.answer()
        self.assertFalse(self.account.callerGone)


class CostTests(AccountTestCase):
    """
    The line has the tokens, also of a failed run.
    """

    def test_cancelledBetweenTurns(self) -> None:
        """
        The usage before the cancellation is known.
        """
        look = OfferedTool(Look(), ArgumentReader(Look.parameters))
        run = self.ask(tools={"look": look})
        self.provider.calls[0].callTool("c1", "look", "{}")
        self.provider.calls[0].finish("tool_calls", Usage(11, 4))
        run.run.cancel()
        self.assertEqual(self.account.usage, Usage(11, 4))
        self.assertEqual(self.runtime.tally.toolCalls.sums, {("look", "ok"): 1})

    def test_cancelledWithinATurn(self) -> None:
        """
        The usage that the provider has reported so far is known.
        """
        run = self.ask()
        self.provider.calls[0].usage = Usage(prompt_tokens=9)
        run.run.cancel()
        self.assertEqual(self.account.usage, Usage(prompt_tokens=9))

    def test_failedTries(self) -> None:
        """
        Failed attempts are included.
        """
        self.ask()
        self.provider.calls[0].usage = Usage(prompt_tokens=9)
        self.provider.calls[0].fail(UpstreamError("Broken."))
        self.clock.advance(1)
        self.answer()
        self.assertEqual(self.account.usage, Usage(20, 4))


class CountingTests(AccountTestCase):
    """
    Runs are counted when they end.
    """

    def test_runs(self) -> None:
        """
        Runs are counted by agent and outcome.
        """
        self.ask(caller="ann", model=ModelRef("scripted", "anything"))
        self.answer()
        self.ask(caller="bob").run.cancel()
        tally = self.runtime.tally
        self.assertEqual(
            tally.runs.sums, {("main", "stop"): 1, ("main", "run_cancelled"): 1}
        )
        self.assertEqual(tally.tokens.sums[("main", "prompt")], 11)
        self.assertEqual(sum(tally.durations.counts), 2)

    def test_upstream(self) -> None:
        """
        Each failed model call is counted, also if the caller does not notice; a
        disconnect is not.
        """
        self.ask()
        self.provider.calls[0].fail(UpstreamError("Broken."))
        self.clock.advance(1)
        self.answer()
        self.ask().run.cancel()
        found = self.runtime.tally.upstreamErrors.sums
        self.assertEqual(found, {("scripted", "upstream_error"): 1})

    def test_reconfigured(self) -> None:
        """
        A new configuration does not reset the counts.
        """
        self.ask()
        self.answer()
        self.runtime.reconfigure(configured(maxConcurrent=7))
        self.ask()
        self.answer()
        self.assertEqual(self.runtime.tally.runs.sums, {("main", "stop"): 2})


class StoreTests(AccountTestCase):
    """
    The session store fails.
    """

    def makeStore(self) -> HeldStore:
        """
        Return a store with a full disk.
        """
        store = FailingStore(self.clock)
        store.failing = frozenset({"beginTurn", "renew"})
        return store

    def test_counted(self) -> None:
        """
        A failure of the store is counted.
        """
        self.assertIs(type(self.ask(stateful=True).error), StoreError)
        self.assertEqual(self.runtime.tally.storeErrors, 1)
        self.ask()
        self.answer()
        self.assertEqual(self.runtime.tally.storeErrors, 1)

    def test_answer(self) -> None:
        """
        A run without a session succeeds.
        """
        run = self.ask()
        self.answer()
        self.assertEqual(run.result.text, ANSWER)
