"""
Tests of L{openclaw.metrics.reactor_lag}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.metrics.reactor_lag import REMEMBERED_TICKS, WATCHED_SECONDS, ReactorLag


class LagTests(SynchronousTestCase):
    """
    The lag of the reactor is measured as long as it is asked for.
    """

    def setUp(self):
        """
        Nobody has asked yet.
        """
        self.clock = Clock()
        self.lag = ReactorLag(self.clock)

    def test_unwatched(self):
        """
        While nobody asks, the daemon sleeps.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.lag.last(), self.lag.longest()), (0.0, 0.0))

    def test_punctual(self):
        """
        A reactor that is in time has no lag.
        """
        self.lag.watch()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.lag.longest(), 0.0)

    def test_late(self):
        """
        A reactor that was busy is late by as much; the worst of it is remembered for
        a minute.
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
        Some minutes after the last question it sleeps again.
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
        However many ask, it wakes up once a second.
        """
        for _ in range(5):
            self.lag.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_stop(self):
        """
        When the daemon stops nothing is left on the clock, also the second time.
        """
        self.lag.watch()
        self.lag.stop()
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
