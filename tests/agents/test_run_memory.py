"""
Tests of L{openclaw.agents.run}: memory is freed.
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
    A conversation whose lifetime tests can observe.
    """


class ForgettingTests(SynchronousTestCase):
    """
    A failure that is kept does not keep the conversation in memory.
    """

    def failed(
        self, end: Callable[[RunHarness, AgentRun], None], kept: bool = False
    ) -> tuple[Failure, "weakref.ref[Words]"]:
        """
        Let a run fail, and keep only its failure.

        @param end: Makes it fail, unless it has failed already.
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
        Assert that a failure has no reference to the run.
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
        The model fails, with a chain of exceptions.
        """

        def speak(call: ScriptedCall) -> None:
            # Frames of a provider.
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
        The model's reply is empty.
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
        The run is cancelled.
        """

        def end(harness: RunHarness, run: AgentRun) -> None:
            run.start()
            run.done.cancel()

        self.assertForgets(self.failed(end))

    def test_bug(self) -> None:
        """
        An unexpected exception.
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
        The store fails while the run fails.
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
        The C{repr} of a run, as in a log, has only its id, also after the end.
        """
        harness = RunHarness()
        run = harness.begin(opening=[UserMessage(SECRET_WORDS)]).run
        name = f"<AgentRun {run.runID}>"
        self.assertEqual(repr(run), name)
        harness.call.finish()
        self.assertEqual(repr(run), name)

    def test_theRunItself(self) -> None:
        """
        A finished run is freed.
        """
        harness = RunHarness()
        trace = weakref.ref(harness.begin().run)
        harness.call.say("Hi.")
        harness.call.finish()
        harness.provider.calls.clear()
        gc.collect()
        self.assertIsNone(trace())
