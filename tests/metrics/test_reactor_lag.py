"""
Tests of L{openclaw.metrics.reactor_lag}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.metrics.reactor_lag import REMEMBERED_TICKS, WATCHED_SECONDS, ReactorLag


class LagTests(SynchronousTestCase):
    """
    The reactor's lag is measured while it is read.
    """

    def setUp(self):
        self.clock = Clock()
        self.lag = ReactorLag(self.clock)

    def test_unwatched(self):
        """
        Without readers there is no timer.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.lag.last(), self.lag.longest()), (0.0, 0.0))

    def test_punctual(self):
        """
        A punctual reactor has no lag.
        """
        self.lag.watch()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.lag.longest(), 0.0)

    def test_late(self):
        """
        A busy reactor's lag is measured; the longest is remembered for a minute.
        """
        self.lag.watch()
        self.clock.advance(3.5)
        self.assertEqual((self.lag.last(), self.lag.longest()), (2.5, 2.5))
        self.clock.advance(1)
        self.assertEqual((self.lag.last(), self.lag.longest()), (0.0, 2.5))
        self.clock.pump([1.0] * REMEMBERED_TICKS)
        self.assertEqual(self.lag.longest(), 0.0)

    def test_forgotten(self):
        """
        The timer stops some minutes after the last read.
        """
        self.lag.watch()
        self.clock.pump([1.0] * 100)
        self.lag.watch()
        self.clock.pump([1.0] * int(WATCHED_SECONDS - 1))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([1.0] * 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_askedOften(self):
        """
        With many readers, the timer fires once a second.
        """
        for _ in range(5):
            self.lag.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_stop(self):
        """
        Stopping leaves no delayed call, also the second time.
        """
        self.lag.watch()
        self.lag.stop()
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
