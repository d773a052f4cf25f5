"""
Tests of L{openclaw.agents.run}: stopping one at an awkward moment.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import RunCancelled
from openclaw.events import RunStarted
from tests.agents.run_harness import TIMEOUT_SECONDS, RunHarness, Watched


class TransactionTests(SynchronousTestCase):
    """
    A transaction that has begun is not cancelled.
    """

    def test_claimDoesNotOutliveRun(self) -> None:
        """
        A run that is given up while the store takes its claim holds its place until
        the claim has been given back.
        """
        harness = RunHarness()
        harness.store.held |= {"beginTurn", "endTurn"}
        run = harness.begin()
        run.run.done.cancel()
        self.assertEqual(run.ends, [])
        harness.store.letOneGo()
        self.assertEqual(harness.store.waiting, ["endTurn"])
        next_ = harness.begin()
        harness.store.held.clear()
        self.assertEqual(harness.provider.calls, [])
        harness.store.letOneGo()
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(next_.batches, [[RunStarted()]])

    def test_timeoutInTransaction(self) -> None:
        """
        A run whose time is over while the store takes its time ends right behind it
        and never asks the model.
        """
        harness = RunHarness()
        harness.store.held.add("beginTurn")
        run = harness.begin()
        harness.clock.advance(TIMEOUT_SECONDS)
        self.assertEqual(run.outcomes, [])
        harness.store.letGo()
        self.assertEqual(run.error.code, "run_timeout")
        self.assertEqual(harness.provider.calls, [])
        self.assertEqual(run.batches, [])
        self.assertTrue(harness.claim())
        self.assertEqual(harness.clock.getDelayedCalls(), [])

    def test_lateTimeout(self) -> None:
        """
        An answer that is whole is not lost to the clock.
        """
        harness = RunHarness()
        harness.store.held.add("endTurn")
        run = harness.begin()
        harness.call.say("Hi.")
        harness.call.finish()
        harness.clock.advance(TIMEOUT_SECONDS)
        harness.store.letGo()
        self.assertEqual(run.result.text, "Hi.")


class FromListenerTests(SynchronousTestCase):
    """
    A listener can stop its run from within what it is told.
    """

    def check(self, harness: RunHarness, run: Watched) -> None:
        """
        Assert that the run was stopped.
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
        When it hears that the run started: then the model is not asked.
        """
        for kept in (False, True):
            harness = RunHarness()
            run = harness.prepare(kept=kept)
            run.listener = lambda events, run=run: run.run.done.cancel()
            self.check(harness, run)
            self.assertEqual(harness.provider.calls, [])

    def test_whileSpoken(self) -> None:
        """
        When it hears a word.
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
        When it hears a word of a provider that speaks before it has handed over the
        call.
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
    A run can be given up before it begins.
    """

    def test_cancelled(self) -> None:
        """
        Then it does nothing at all.
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
