"""
Tests of L{openclaw.agents.run}: stopping one at an awkward moment.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import RunCancelled
from openclaw.events import RunStarted
from tests.agents.run_harness import TIMEOUT_SECONDS, Stage, Watched


class TransactionTests(SynchronousTestCase):
    """
    A transaction that has begun is not cancelled.
    """

    def test_claimDoesNotOutliveRun(self) -> None:
        """
        A run that is given up while the store takes its claim holds its place until
        the claim has been given back.
        """
        stage = Stage()
        stage.store.held |= {"beginTurn", "endTurn"}
        run = stage.begin()
        run.run.done.cancel()
        self.assertEqual(run.ends, [])
        stage.store.letOneGo()
        self.assertEqual(stage.store.waiting, ["endTurn"])
        next_ = stage.begin()
        stage.store.held.clear()
        self.assertEqual(stage.provider.calls, [])
        stage.store.letOneGo()
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(next_.batches, [[RunStarted()]])

    def test_timeoutInTransaction(self) -> None:
        """
        A run whose time is over while the store takes its time ends right behind it
        and never asks the model.
        """
        stage = Stage()
        stage.store.held.add("beginTurn")
        run = stage.begin()
        stage.clock.advance(TIMEOUT_SECONDS)
        self.assertEqual(run.outcomes, [])
        stage.store.letGo()
        self.assertEqual(run.error.code, "run_timeout")
        self.assertEqual(stage.provider.calls, [])
        self.assertEqual(run.batches, [])
        self.assertTrue(stage.claim())
        self.assertEqual(stage.clock.getDelayedCalls(), [])

    def test_lateTimeout(self) -> None:
        """
        An answer that is whole is not lost to the clock.
        """
        stage = Stage()
        stage.store.held.add("endTurn")
        run = stage.begin()
        stage.call.say("Hi.")
        stage.call.finish()
        stage.clock.advance(TIMEOUT_SECONDS)
        stage.store.letGo()
        self.assertEqual(run.result.text, "Hi.")


class FromListenerTests(SynchronousTestCase):
    """
    A listener can stop its run from within what it is told.
    """

    def check(self, stage: Stage, run: Watched) -> None:
        """
        Assert that the run was stopped.
        """
        run.run.start()
        if stage.provider.calls and not run.outcomes:
            stage.call.say("Hi.")
        self.assertIs(type(run.error), RunCancelled)
        for call in stage.provider.calls:
            self.assertTrue(call.cancelled)
        self.assertEqual(stage.clock.getDelayedCalls(), [])
        self.assertTrue(stage.claim())

    def test_atStart(self) -> None:
        """
        When it hears that the run started: then the model is not asked.
        """
        for kept in (False, True):
            stage = Stage()
            run = stage.prepare(kept=kept)
            run.listener = lambda events, run=run: run.run.done.cancel()
            self.check(stage, run)
            self.assertEqual(stage.provider.calls, [])

    def test_whileSpoken(self) -> None:
        """
        When it hears a word.
        """
        for kept in (False, True):
            stage = Stage()
            run = stage.prepare(kept=kept)
            run.listener = lambda events, run=run: (
                None if RunStarted() in events else run.run.stopProducing()
            )
            self.check(stage, run)
            self.assertEqual(len(stage.provider.calls), 1)

    def test_beforeTheCall(self) -> None:
        """
        When it hears a word of a provider that speaks before it has handed over the
        call.
        """
        for kept in (False, True):
            stage = Stage()
            stage.provider.answer = lambda call: call.say("Hi.")
            run = stage.prepare(kept=kept)
            run.listener = lambda events, run=run: (
                None if RunStarted() in events else run.run.stopProducing()
            )
            self.check(stage, run)
            self.assertEqual(len(stage.provider.calls), 1)


class NeverStartedTests(SynchronousTestCase):
    """
    A run can be given up before it begins.
    """

    def test_cancelled(self) -> None:
        """
        Then it does nothing at all.
        """
        for kept in (False, True):
            stage = Stage()
            run = stage.prepare(kept=kept)
            run.run.done.cancel()
            self.assertIs(type(run.error), RunCancelled)
            stage.store.asked.clear()
            run.run.start()
            self.assertEqual(len(run.ends), 1)
            self.assertEqual(run.batches, [])
            self.assertEqual(stage.store.asked, [])
            self.assertEqual(stage.provider.calls, [])
            self.assertEqual(stage.clock.getDelayedCalls(), [])
