"""
Tests of L{openclaw.agents.run}: what is forgotten.
"""

import gc
import weakref
from collections.abc import Callable

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run import AgentRun
from openclaw.errors import EmptyReply, StoreError, UpstreamAuthFailed
from openclaw.messages import UserMessage
from openclaw.testing import ScriptedCall
from tests.agents.run_harness import FailingStore, RunHarness

SECRET_WORDS = "my PIN is 4711"


class Words(list):
    """
    A conversation of which one can see whether it is still in memory.
    """


class ForgettingTests(SynchronousTestCase):
    """
    A failure that somebody keeps does not keep the conversation in memory.
    """

    def failed(
        self, end: Callable[[RunHarness, AgentRun], None], kept: bool = False
    ) -> tuple[Failure, "weakref.ref[Words]"]:
        """
        Let a run fail, and keep its failure only.

        @param end: Makes it fail, unless it did so at once.
        """
        harness = RunHarness(makeStore=FailingStore)
        words = Words([UserMessage(SECRET_WORDS)])
        run = harness.prepare(opening=words, following=words, kept=kept)
        end(harness, run.run)
        (outcome,) = run.outcomes
        assert isinstance(outcome, Failure)
        return outcome, weakref.ref(words)

    def assertForgets(self, kept: tuple[Failure, "weakref.ref[Words]"]) -> None:
        """
        Assert that a failure holds nothing of the run.
        """
        failure, words = kept
        gc.collect()
        self.assertIsNone(words())
        self.assertEqual(failure.frames, [])
        self.assertIsNone(failure.getTracebackObject())
        self.assertIsNone(failure.value.__traceback__)
        self.assertIsNone(failure.value.__cause__)
        self.assertIsNone(failure.value.__context__)
        shown = failure.getTraceback(detail="verbose") + repr(failure)
        self.assertNotIn(SECRET_WORDS, shown)

    def test_model(self) -> None:
        """
        When the model fails, with a whole chain of reasons.
        """

        def speak(call: ScriptedCall) -> None:
            # What a provider's own frames hold.
            conversation = call.request.messages
            try:
                try:
                    raise ValueError(str(conversation))
                except ValueError as error:
                    raise UpstreamAuthFailed("No.") from error
            except UpstreamAuthFailed as error:
                call.fail(error)

        def end(harness: RunHarness, run: AgentRun) -> None:
            harness.provider.answer = speak
            run.start()

        self.assertForgets(self.failed(end))

    def test_empty(self) -> None:
        """
        When the model has nothing to say.
        """

        def end(harness: RunHarness, run: AgentRun) -> None:
            run.start()
            harness.call.finish()
            harness.call.finish()

        kept = self.failed(end)
        self.assertIs(kept[0].type, EmptyReply)
        self.assertForgets(kept)

    def test_cancelled(self) -> None:
        """
        When the run is cancelled.
        """

        def end(harness: RunHarness, run: AgentRun) -> None:
            run.start()
            run.done.cancel()

        self.assertForgets(self.failed(end))

    def test_bug(self) -> None:
        """
        When the fault is ours.
        """

        def end(harness: RunHarness, run: AgentRun) -> None:
            def fault(call: ScriptedCall) -> None:
                raise ZeroDivisionError(SECRET_WORDS)

            harness.provider.answer = fault
            run.start()
            harness.events.clear()

        self.assertForgets(self.failed(end))

    def test_store(self) -> None:
        """
        When the store fails while the run fails.
        """

        def end(harness: RunHarness, run: AgentRun) -> None:
            harness.store.failing = frozenset({"endTurn"})
            run.start()
            harness.call.fail(UpstreamAuthFailed("No."))

        kept = self.failed(end, kept=True)
        self.assertIs(kept[0].type, StoreError)
        self.assertForgets(kept)

    def test_shown(self) -> None:
        """
        The representation of a run, as in a log, has its name and nothing else, be it
        over or not.
        """
        harness = RunHarness()
        run = harness.begin(opening=[UserMessage(SECRET_WORDS)]).run
        name = f"<AgentRun {run.runID}>"
        self.assertEqual(repr(run), name)
        harness.call.finish()
        self.assertEqual(repr(run), name)

    def test_theRunItself(self) -> None:
        """
        A run that is over is in nobody's memory.
        """
        harness = RunHarness()
        trace = weakref.ref(harness.begin().run)
        harness.call.say("Hi.")
        harness.call.finish()
        harness.provider.calls.clear()
        gc.collect()
        self.assertIsNone(trace())
