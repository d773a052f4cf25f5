"""
Tests of L{openclaw.agents.run}: what a run does, when nothing goes wrong.
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
    A store that nobody may use.
    """

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the store was asked for {name}")


class RunTestCase(SynchronousTestCase):
    """
    A test case with a run harness.
    """

    def setUp(self) -> None:
        """
        Make a harness.
        """
        self.harness = RunHarness()

    def assertTidy(self) -> None:
        """
        Assert that nothing waits for the clock.
        """
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])


class AnsweringTests(RunTestCase):
    """
    A run asks the model and passes on what it says.
    """

    def test_asks(self) -> None:
        """
        The model gets the system prompt, the conversation and the sampling of the
        request, and is the agent's own.
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
        A caller can ask for another model than the agent's.
        """
        self.harness.begin(kept=False, model=ModelRef("scripted", "m2"))
        self.assertEqual(self.harness.call.request.model, "m2")

    def test_startedFirst(self) -> None:
        """
        The listener is told that the run started: once, before anything else, and
        before the model is asked.
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
        A run that waits has not started.
        """
        first, second = self.harness.begin(), self.harness.begin()
        self.assertEqual(second.batches, [])
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(second.batches, [[RunStarted()]])
        self.assertEqual(first.result.text, "Hi.")

    def test_atOnceAndInBatches(self) -> None:
        """
        The model's events are passed on within the same call, each batch as one.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.say("Hi", " there")
        self.assertEqual(run.batches[1:], [[TextDelta("Hi"), TextDelta(" there")]])
        self.harness.call.think("hm")
        self.assertEqual(run.batches[2:], [[ReasoningDelta("hm")]])
        self.assertEqual(run.outcomes, [])

    def test_result(self) -> None:
        """
        The run ends with the whole answer, why the model stopped, and the tokens.
        Thoughts are no part of the answer.
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
        Each run has a name of its own.
        """
        names = {self.harness.prepare().run.runID for _ in range(100)}
        self.assertEqual(len(names), 100)
        for name in names:
            self.assertRegex(name, r"\Arun_[0-9a-f]{24}\Z")


class StatelessTests(RunTestCase):
    """
    A run that is not to be kept leaves nothing behind.
    """

    def setUp(self) -> None:
        """
        Take the store away.
        """
        self.harness = RunHarness(makeStore=lambda clock: UntouchableStore())

    def test_success(self) -> None:
        """
        A stateless run needs no store.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")

    def test_failure(self) -> None:
        """
        Nor does one that fails or is cancelled.
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
        Stateless runs never wait for each other, whatever their keys.
        """
        self.harness.begin(kept=False)
        self.harness.begin(kept=False)
        self.assertEqual(len(self.harness.provider.calls), 2)

    def test_storeWouldTell(self) -> None:
        """
        A kept run does use the store: these tests can fail.
        """
        run = self.harness.begin()
        self.assertEqual(run.error.code, "internal_error")


class KeptTests(RunTestCase):
    """
    A conversation is kept.
    """

    def test_wordsFirst(self) -> None:
        """
        The caller's message is kept before the model is asked.
        """
        kept: list = []
        self.harness.provider.answer = lambda call: kept.append(self.harness.kept())
        self.harness.begin()
        self.assertEqual(kept, [[HELLO]])

    def test_answerBeforeDone(self) -> None:
        """
        The answer is kept before the run says that it is done.
        """
        run = self.harness.begin()
        self.harness.store.held.add("endTurn")
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.outcomes, [])
        self.assertEqual(self.harness.kept(), [HELLO])
        atDone: list = []
        run.run.done.addCallback(lambda _: atDone.extend(self.harness.kept()))
        self.harness.store.letGo()
        self.assertEqual(atDone, [HELLO, AssistantMessage("Hi.")])
        self.assertEqual(run.result.text, "Hi.")
        self.assertTidy()

    def test_history(self) -> None:
        """
        The next run of the session tells the model all that was said, and adds what
        is new.
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
        When it is done others can have the session.
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
        The model's thoughts are not part of the conversation.
        """
        self.harness.begin()
        self.harness.call.think("hm")
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(self.harness.kept(), [HELLO, AssistantMessage("Hi.")])

    def test_sessionsAreIndependent(self) -> None:
        """
        Runs of different sessions run at the same time.
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
        Runs of one session come one by one, in the order of their beginning.
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
    A slow reader makes the model wait.
    """

    def test_interface(self) -> None:
        """
        A run can be registered as the producer of a response.
        """
        verifyObject(IPushProducer, self.harness.prepare().run)

    def test_current(self) -> None:
        """
        Pausing and resuming reach the model at once.
        """
        run = self.harness.begin()
        self.assertFalse(self.harness.call.paused)
        run.run.pauseProducing()
        self.assertTrue(self.harness.call.paused)
        run.run.resumeProducing()
        self.assertFalse(self.harness.call.paused)

    def test_beforeTheCall(self) -> None:
        """
        A run that is paused while it waits asks a model that waits.
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
        A reader that was slow before the second call still is; one that caught up
        is not.
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
        Whatever a reader does after the end is harmless.
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
