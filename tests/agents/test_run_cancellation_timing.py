"""
Tests of L{openclaw.agents.run}: cancellation during callbacks and transactions.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import RunCancelled
from openclaw.events import RunStarted
from tests.agents.run_harness import TIMEOUT_SECONDS, RunHarness, Watched


class TransactionTests(SynchronousTestCase):
    """
    A transaction in progress is not cancelled.
    """

    def test_claimDoesNotOutliveRun(self) -> None:
        """
        A run that is cancelled during its claim keeps its slot until the claim has been
        released.
        """
        harness = RunHarness()
        harness.store.held |= {"beginTurn", "endTurn"}
        run = harness.begin()
        run.run.done.cancel()
        self.assertEqual(run.ends, [])
        harness.store.releaseOne()
        self.assertEqual(harness.store.waiting, ["endTurn"])
        next_ = harness.begin()
        harness.store.held.clear()
        self.assertEqual(harness.provider.calls, [])
        harness.store.releaseOne()
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(next_.batches, [[RunStarted()]])

    def test_timeoutInTransaction(self) -> None:
        """
        A run that times out during a transaction ends directly after it, and never
        calls the model.
        """
        harness = RunHarness()
        harness.store.held.add("beginTurn")
        run = harness.begin()
        harness.clock.advance(TIMEOUT_SECONDS)
        self.assertEqual(run.outcomes, [])
        harness.store.release()
        self.assertEqual(run.error.code, "run_timeout")
        self.assertEqual(harness.provider.calls, [])
        self.assertEqual(run.batches, [])
        self.assertTrue(harness.claim())
        self.assertEqual(harness.clock.getDelayedCalls(), [])

    def test_lateTimeout(self) -> None:
        """
        A complete reply is not lost to a time-out.
        """
        harness = RunHarness()
        harness.store.held.add("endTurn")
        run = harness.begin()
        harness.call.say("Hi.")
        harness.call.finish()
        harness.clock.advance(TIMEOUT_SECONDS)
        harness.store.release()
        self.assertEqual(run.result.text, "Hi.")


class FromListenerTests(SynchronousTestCase):
    """
    A listener cancels its run during a callback.
    """

    def check(self, harness: RunHarness, run: Watched) -> None:
        """
        Assert that the run was cancelled.
        """
        run.run.start()
        if harness.provider.calls and not run.outcomes:
            harness.call.say("Hi.")
        self.assertIs(type(run.error), RunCancelled)
        for call in harness.provider.calls:
            self.assertTrue(call.cancelled)
        self.assertEqual(harness.clock.getDelayedCalls(), [])
        self.assertTrue(harness.claim())

    def test_atStart(self) -> None:
        """
        During C{RunStarted}: the model is not called.
        """
        for kept in (False, True):
            harness = RunHarness()
            run = harness.prepare(kept=kept)
            run.listener = lambda events, run=run: run.run.done.cancel()
            self.check(harness, run)
            self.assertEqual(harness.provider.calls, [])

    def test_whileSpoken(self) -> None:
        """
        During a text event.
        """
        for kept in (False, True):
            harness = RunHarness()
            run = harness.prepare(kept=kept)
            run.listener = lambda events, run=run: (
                None if RunStarted() in events else run.run.stopProducing()
            )
            self.check(harness, run)
            self.assertEqual(len(harness.provider.calls), 1)

    def test_beforeTheCall(self) -> None:
        """
        During a text event that a provider sends before it returns the call.
        """
        for kept in (False, True):
            harness = RunHarness()
            harness.provider.answer = lambda call: call.say("Hi.")
            run = harness.prepare(kept=kept)
            run.listener = lambda events, run=run: (
                None if RunStarted() in events else run.run.stopProducing()
            )
            self.check(harness, run)
            self.assertEqual(len(harness.provider.calls), 1)


class NeverStartedTests(SynchronousTestCase):
    """
    A run can be cancelled before its start.
    """

    def test_cancelled(self) -> None:
        """
        It then does nothing.
        """
        for kept in (False, True):
            harness = RunHarness()
            run = harness.prepare(kept=kept)
            run.run.done.cancel()
            self.assertIs(type(run.error), RunCancelled)
            harness.store.asked.clear()
            run.run.start()
            self.assertEqual(len(run.ends), 1)
            self.assertEqual(run.batches, [])
            self.assertEqual(harness.store.asked, [])
            self.assertEqual(harness.provider.calls, [])
            self.assertEqual(harness.clock.getDelayedCalls(), [])
