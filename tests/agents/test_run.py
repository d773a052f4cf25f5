"""
Tests of L{openclaw.agents.run}: successful runs.
"""

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.agents.turns import RunResult
from openclaw.config import ModelRef
from openclaw.events import ReasoningDelta, RunStarted, TextDelta
from openclaw.interfaces import Sampling
from openclaw.messages import AssistantMessage, Usage, UserMessage
from tests.agents.run_harness import AGAIN, AGENT, HELLO, KEY, RunHarness


class UntouchableStore:
    """
    A store that fails all calls.
    """

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the store was asked for {name}")


class RunTestCase(SynchronousTestCase):
    """
    A test case with a run harness.
    """

    def setUp(self) -> None:
        self.harness = RunHarness()

    def assertTidy(self) -> None:
        """
        Assert that no delayed call is left.
        """
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])


class AnsweringTests(RunTestCase):
    """
    A run calls the model and passes its events on.
    """

    def test_asks(self) -> None:
        """
        The model gets the system prompt, the conversation and the sampling of the
        request, and is the agent's.
        """
        sampling = Sampling(temperature=0.5)
        opening = [HELLO, AssistantMessage("Yes?"), AGAIN]
        self.harness.begin(
            kept=False, opening=opening, sampling=sampling, shareKey="token:ci"
        )
        request = self.harness.call.request
        self.assertEqual(request.caller, "token:ci")
        self.assertEqual(request.model, "m1")
        self.assertEqual(request.system, "Be kind.")
        self.assertEqual(list(request.messages), opening)
        self.assertEqual(request.sampling, sampling)

    def test_otherModel(self) -> None:
        """
        A caller can request another model than the agent's.
        """
        self.harness.begin(kept=False, model=ModelRef("scripted", "m2"))
        self.assertEqual(self.harness.call.request.model, "m2")

    def test_startedFirst(self) -> None:
        """
        The listener gets C{RunStarted} once, before all other events and before the
        model call.
        """
        for kept in (False, True):
            harness = RunHarness()
            run = harness.prepare(kept=kept)
            before: list[list] = []
            harness.provider.answer = lambda call, run=run, before=before: (
                before.extend(run.batches)
            )
            run.run.start()
            self.assertEqual(before, [[RunStarted()]])
            harness.call.say("Hi.")
            harness.call.finish()
            self.assertEqual(run.batches, [[RunStarted()], [TextDelta("Hi.")]])

    def test_notStartedInTheQueue(self) -> None:
        """
        A queued run has not started.
        """
        first, second = self.harness.begin(), self.harness.begin()
        self.assertEqual(second.batches, [])
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(second.batches, [[RunStarted()]])
        self.assertEqual(first.result.text, "Hi.")

    def test_atOnceAndInBatches(self) -> None:
        """
        The model's events are passed on synchronously, each batch as one.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.say("Hi", " there")
        self.assertEqual(run.batches[1:], [[TextDelta("Hi"), TextDelta(" there")]])
        self.harness.call.think("hm")
        self.assertEqual(run.batches[2:], [[ReasoningDelta("hm")]])
        self.assertEqual(run.outcomes, [])

    def test_result(self) -> None:
        """
        The result has the complete reply, the finish reason, and the tokens.  Reasoning
        is not part of the reply.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.think("hm")
        self.harness.call.say("Hi", " there")
        usage = Usage(7, 2, 1, 1)
        self.harness.call.finish("length", usage)
        expected = RunResult(text="Hi there", finishReason="length", usage=usage)
        self.assertEqual(run.outcomes, [expected])
        self.assertEqual(run.ends, [expected])
        self.assertTidy()

    def test_names(self) -> None:
        """
        Each run has its own id.
        """
        names = {self.harness.prepare().run.runID for _ in range(100)}
        self.assertEqual(len(names), 100)
        for name in names:
            self.assertRegex(name, r"\Arun_[0-9a-f]{24}\Z")


class StatelessTests(RunTestCase):
    """
    A run without a session stores nothing.
    """

    def setUp(self) -> None:
        """
        Use a store that fails.
        """
        self.harness = RunHarness(makeStore=lambda clock: UntouchableStore())

    def test_success(self) -> None:
        """
        Such a run needs no store.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")

    def test_failure(self) -> None:
        """
        The same applies if it fails or is cancelled.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.finish()
        self.harness.call.finish()
        self.assertEqual(run.error.code, "empty_reply")
        run = self.harness.begin(kept=False)
        run.run.cancel()
        self.assertEqual(run.error.code, "run_cancelled")

    def test_together(self) -> None:
        """
        Such runs never wait for each other, whatever their keys.
        """
        self.harness.begin(kept=False)
        self.harness.begin(kept=False)
        self.assertEqual(len(self.harness.provider.calls), 2)

    def test_storeWouldTell(self) -> None:
        """
        A run with a session does use the store, so these tests can fail.
        """
        run = self.harness.begin()
        self.assertEqual(run.error.code, "internal_error")


class KeptTests(RunTestCase):
    """
    Runs with a session.
    """

    def test_wordsFirst(self) -> None:
        """
        The caller's message is stored before the model call.
        """
        kept: list = []
        self.harness.provider.answer = lambda call: kept.append(self.harness.kept())
        self.harness.begin()
        self.assertEqual(kept, [[HELLO]])

    def test_answerBeforeDone(self) -> None:
        """
        The reply is stored before C{done} fires.
        """
        run = self.harness.begin()
        self.harness.store.held.add("endTurn")
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.outcomes, [])
        self.assertEqual(self.harness.kept(), [HELLO])
        atDone: list = []
        run.run.done.addCallback(lambda _: atDone.extend(self.harness.kept()))
        self.harness.store.release()
        self.assertEqual(atDone, [HELLO, AssistantMessage("Hi.")])
        self.assertEqual(run.result.text, "Hi.")
        self.assertTidy()

    def test_history(self) -> None:
        """
        The next run of the session sends all messages to the model, and adds the new
        ones.
        """
        self.harness.begin()
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.harness.begin()
        said = [HELLO, AssistantMessage("Hi."), AGAIN]
        self.assertEqual(list(self.harness.call.request.messages), said)
        self.assertEqual(self.harness.kept(), said)

    def test_letGo(self) -> None:
        """
        When it is done the session is free.
        """
        run = self.harness.begin()
        self.assertFalse(self.harness.claim())
        self.assertEqual(run.run.claim.runID, run.run.runID)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertIsNone(run.run.claim)
        self.assertTrue(self.harness.claim())

    def test_owner(self) -> None:
        """
        A new session belongs to the agent.
        """
        self.harness.begin()
        (info,) = self.successResultOf(self.harness.store.sessions(AGENT.id))
        self.assertEqual(info.sessionKey, KEY)

    def test_thoughtsAreNotKept(self) -> None:
        """
        Reasoning is not stored.
        """
        self.harness.begin()
        self.harness.call.think("hm")
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(self.harness.kept(), [HELLO, AssistantMessage("Hi.")])

    def test_sessionsAreIndependent(self) -> None:
        """
        Runs of different sessions are concurrent.
        """
        first, second = (
            self.harness.begin("agent:main:a"),
            self.harness.begin("agent:b:a"),
        )
        one, two = self.harness.provider.calls
        two.say("Two.")
        two.finish()
        self.assertEqual(second.result.text, "Two.")
        self.assertEqual(first.outcomes, [])
        one.say("One.")
        one.finish()
        self.assertEqual(first.result.text, "One.")

    def test_runAfterRun(self) -> None:
        """
        Runs of a session are serialised in order.
        """
        runs = [
            self.harness.begin(following=[UserMessage(name)])
            for name in ["a", "b", "c"]
        ]
        for index in range(3):
            self.assertEqual(len(self.harness.provider.calls), index + 1)
            self.harness.call.say(f"{index}")
            self.harness.call.finish()
            self.assertEqual(runs[index].result.text, f"{index}")
        self.assertEqual(
            [message.content for message in self.harness.kept()],
            ["Hello.", "0", "b", "1", "c", "2"],
        )
        self.assertTidy()


class BackPressureTests(RunTestCase):
    """
    A slow client pauses the model.
    """

    def test_interface(self) -> None:
        """
        A run can be registered as a producer.
        """
        verifyObject(IPushProducer, self.harness.prepare().run)

    def test_current(self) -> None:
        """
        Pausing and resuming reach the model call immediately.
        """
        run = self.harness.begin()
        self.assertFalse(self.harness.call.paused)
        run.run.pauseProducing()
        self.assertTrue(self.harness.call.paused)
        run.run.resumeProducing()
        self.assertFalse(self.harness.call.paused)

    def test_beforeTheCall(self) -> None:
        """
        If a queued run is paused, its model call begins paused.
        """
        first, second = self.harness.begin(), self.harness.begin()
        second.run.pauseProducing()
        self.assertFalse(self.harness.call.paused)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(first.result.text, "Hi.")
        self.assertTrue(self.harness.call.paused)

    def test_laterCall(self) -> None:
        """
        A pause before the second call still applies; a resumed run is not paused.
        """
        for resumed in (False, True):
            run = self.harness.begin(kept=False)
            run.run.pauseProducing()
            if resumed:
                run.run.resumeProducing()
            self.harness.call.finish()
            self.assertEqual(self.harness.call.paused, not resumed)
            run.run.resumeProducing()
            self.assertFalse(self.harness.call.paused)

    def test_afterTheEnd(self) -> None:
        """
        Pausing and resuming after the end have no effect.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        run.run.pauseProducing()
        run.run.resumeProducing()
        run.run.stopProducing()
        run.run.done.cancel()
        self.assertEqual(run.result.text, "Hi.")
        self.assertFalse(self.harness.call.paused)
        self.assertFalse(self.harness.call.cancelled)
