"""
Tests of L{openclaw.agents.cancellation}.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.cancellation import Cancellation
from openclaw.errors import RunCancelled, ShuttingDown


class StopTests(SynchronousTestCase):
    """
    Cancelling a run cancels the Deferred that it waits for.
    """

    def setUp(self):
        self.stop = Cancellation()

    def wait(self, waiting, *interrupt):
        """
        Wait for a Deferred.
        """
        return Deferred.fromCoroutine(self.stop.wait(waiting, *interrupt))

    def test_goesOn(self):
        """
        Without cancellation the wait ends normally.
        """
        self.stop.check()
        waiting = Deferred()
        result = self.wait(waiting)
        waiting.callback("there")
        self.assertEqual(self.successResultOf(result), "there")

    def test_breaksOff(self):
        """
        The wait is cancelled, and the code after it does not run.
        """
        waiting = Deferred()
        result = self.wait(waiting)
        self.stop.cancel()
        self.assertTrue(waiting.called)
        self.failureResultOf(result, CancelledError)
        self.assertRaises(RunCancelled, self.stop.check)

    def test_otherWay(self):
        """
        A wait with its own cancel function is cancelled by that.
        """
        broken = []
        waiting = Deferred()
        result = self.wait(waiting, lambda: broken.append(True))
        self.stop.cancel()
        self.assertEqual(broken, [True])
        self.assertNoResult(result)

    def test_early(self):
        """
        A wait that begins after the cancellation is cancelled immediately.
        """
        self.stop.cancel()
        self.failureResultOf(self.wait(Deferred()), CancelledError)

    def test_over(self):
        """
        A finished wait is not affected.
        """
        broken = []
        waiting = Deferred()
        self.wait(waiting, lambda: broken.append(True))
        waiting.callback(None)
        self.stop.cancel()
        self.assertEqual(broken, [])

    def test_firstReason(self):
        """
        The first reason is reported.
        """
        first = ShuttingDown("Good night.")
        self.stop.cancel(first)
        self.stop.cancel(ShuttingDown("Once more."))
        self.assertIs(self.assertRaises(ShuttingDown, self.stop.check), first)
