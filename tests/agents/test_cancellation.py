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
        """
        Nobody wants to stop yet.
        """
        self.stop = Cancellation()

    def wait(self, waiting, *interrupt):
        """
        Wait for something.
        """
        return Deferred.fromCoroutine(self.stop.wait(waiting, *interrupt))

    def test_goesOn(self):
        """
        Nothing happens to a run that nobody stops.
        """
        self.stop.check()
        waiting = Deferred()
        result = self.wait(waiting)
        waiting.callback("there")
        self.assertEqual(self.successResultOf(result), "there")

    def test_breaksOff(self):
        """
        The wait is cancelled, and so is whatever would come behind it.
        """
        waiting = Deferred()
        result = self.wait(waiting)
        self.stop.cancel()
        self.assertTrue(waiting.called)
        self.failureResultOf(result, CancelledError)
        self.assertRaises(RunCancelled, self.stop.check)

    def test_otherWay(self):
        """
        A wait that brings its own way to be cancelled is cancelled in that way.
        """
        broken = []
        waiting = Deferred()
        result = self.wait(waiting, lambda: broken.append(True))
        self.stop.cancel()
        self.assertEqual(broken, [True])
        self.assertNoResult(result)

    def test_early(self):
        """
        A wait that begins after the wish is broken off at once.
        """
        self.stop.cancel()
        self.failureResultOf(self.wait(Deferred()), CancelledError)

    def test_over(self):
        """
        A wait that is over is left alone.
        """
        broken = []
        waiting = Deferred()
        self.wait(waiting, lambda: broken.append(True))
        waiting.callback(None)
        self.stop.cancel()
        self.assertEqual(broken, [])

    def test_firstReason(self):
        """
        The first reason is the one.
        """
        first = ShuttingDown("Good night.")
        self.stop.cancel(first)
        self.stop.cancel(ShuttingDown("Once more."))
        self.assertIs(self.assertRaises(ShuttingDown, self.stop.check), first)
