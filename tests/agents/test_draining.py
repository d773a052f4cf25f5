"""
Tests of L{openclaw.agents.runtime}: draining and stopping.
"""

from twisted.internet.defer import Deferred

from openclaw.agents.runtime import DRAIN_RETRY_SECONDS
from openclaw.errors import ShuttingDown
from tests.agents.runtime_case import ANSWER, RuntimeTestCase


class DrainingTests(RuntimeTestCase):
    """
    The runtime drains.
    """

    def drain(self, seconds: float = 25.0) -> Deferred[None]:
        """
        Begin to drain.
        """
        self.assertFalse(self.runtime.draining)
        draining = self.runtime.drain(seconds)
        self.assertTrue(self.runtime.draining)
        return draining

    def test_nothingRuns(self) -> None:
        """
        Without runs it is done immediately, and leaves no delayed call.
        """
        self.successResultOf(self.drain())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_finish(self) -> None:
        """
        Runs in progress and queued runs can end.
        """
        runs = [self.begin(), self.begin()]
        draining = self.drain()
        self.clock.advance(24)
        self.answer()
        self.assertNoResult(draining)
        self.answer()
        self.successResultOf(draining)
        for run in runs:
            self.assertEqual(run.result.text, ANSWER)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_newOnes(self) -> None:
        """
        New runs are rejected, with a time for a retry.
        """
        self.begin()
        self.drain()
        error = self.assertRaises(ShuttingDown, self.begin)
        self.assertEqual(error.status, 503)
        self.assertEqual(error.retryAfter, DRAIN_RETRY_SECONDS)
        self.assertEqual(len(self.runtime.runs), 1)

    def test_budget(self) -> None:
        """
        When the time is over, runs in progress and queued runs end with an error that
        says so.
        """
        runs = [self.begin(), self.begin(), self.begin(kept=False)]
        draining = self.drain()
        self.clock.advance(25)
        self.successResultOf(draining)
        for run in runs:
            self.assertIs(type(run.error), ShuttingDown)
            self.assertEqual(run.error.retryAfter, DRAIN_RETRY_SECONDS)
        self.assertTrue(self.provider.calls)
        self.assertTrue(all(call.cancelled for call in self.provider.calls))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noBudget(self) -> None:
        """
        A time of 0 ends them in the next iteration of the reactor.
        """
        run = self.begin()
        draining = self.drain(0)
        self.clock.advance(0)
        self.successResultOf(draining)
        self.assertIs(type(run.error), ShuttingDown)

    def test_hurry(self) -> None:
        """
        A second call ends them immediately.
        """
        run = self.begin()
        draining = self.drain()
        self.runtime.cancelAll()
        self.successResultOf(draining)
        self.assertIs(type(run.error), ShuttingDown)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_transactions(self) -> None:
        """
        Even after the time limit, draining waits for the store's transactions.
        """
        run = self.begin()
        self.store.held.add("endTurn")
        draining = self.drain()
        self.answer()
        self.clock.advance(25)
        self.assertNoResult(draining)
        self.store.release()
        self.successResultOf(draining)
        self.assertEqual(run.result.text, ANSWER)

    def test_twice(self) -> None:
        """
        Draining can be called twice: the shorter time applies, and both Deferreds fire
        at the end.
        """
        self.begin()
        waiting = [self.runtime.drain(25), self.runtime.drain(5)]
        self.clock.advance(5)
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StoppingTests(RuntimeTestCase):
    """
    The runtime stops.
    """

    def test_stop(self) -> None:
        """
        All runs end with their claims released, and no delayed call is left.
        """
        self.runtime.start()
        runs = [self.begin(), self.begin(), self.begin("agent:main:b")]
        self.store.held.add("endTurn")
        stopping = self.runtime.stop()
        self.assertNoResult(stopping)
        self.assertEqual(self.store.waiting, ["endTurn", "endTurn"])
        self.store.release()
        self.successResultOf(stopping)
        for run in runs:
            self.assertIs(type(run.error), ShuttingDown)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertRaises(ShuttingDown, self.begin)

    def test_notStarted(self) -> None:
        """
        A runtime that was not started can be stopped, also twice.
        """
        self.successResultOf(self.runtime.stop())
        self.successResultOf(self.runtime.stop())
