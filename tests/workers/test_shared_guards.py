"""
Tests of L{openclaw.workers.shared_guards}.
"""

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.client_address import ClientAddress
from openclaw.auth.realm import NamespacedCaller, Operator
from openclaw.config import RateLimit
from openclaw.errors import QuotaExceeded, TooManyAttempts
from openclaw.interfaces import Quota
from openclaw.workers.shared_guards import (
    SharedQuotas,
    SharedThrottle,
    findCallerWorker,
)
from tests.workers.memory_workers import MemoryWorkers

FROM = ClientAddress(name="192.0.2.7", local=False, trusted=False)


class ThrottleTests(SynchronousTestCase):
    """
    Wrong credentials, shown to several workers.
    """

    def setUp(self):
        """
        Two workers that lock out after three.
        """
        self.two = MemoryWorkers()
        self.events = []
        log = Logger(namespace="openclaw", observer=self.events.append)
        self.throttles = [
            SharedThrottle(worker, RateLimit(maxAttempts=3), self.two.clock, log)
            for worker in self.two.workers
        ]

    def fail_(self, *numbers):
        """
        Show something wrong to these workers.
        """
        for number in numbers:
            failing = self.throttles[number].recordFailure(FROM, "password")
            self.successResultOf(failing)

    def test_together(self):
        """
        It is all their failures that count, and all of them lock out.
        """
        self.fail_(0, 1)
        self.assertTrue(self.throttles)
        for throttle in self.throttles:
            throttle.check(FROM, "password")
        self.fail_(0)
        for throttle in self.throttles:
            with self.assertRaises(TooManyAttempts):
                throttle.check(FROM, "password")

    def test_saidOnce(self):
        """
        The log says it once.
        """
        self.fail_(0, 1, 0)
        [said] = [formatEvent(event) for event in self.events]
        self.assertIn("192.0.2.7 is locked out", said)

    def test_knownBeforeTheAnswer(self):
        """
        A caller hears of a failure when all know of it.
        """
        self.two.silent.add(1)
        failing = self.throttles[0].recordFailure(FROM, "password")
        self.assertNoResult(failing)
        self.two.clock.advance(1)
        self.successResultOf(failing)

    def test_exempt(self):
        """
        An address that one worker exempts is exempt for the others.
        """
        here = ClientAddress(name="127.0.0.1", local=True, trusted=False)
        for _ in range(9):
            self.successResultOf(self.throttles[0].recordFailure(here, "password"))
        self.throttles[1].check(here, "password")


class QuotaTests(SynchronousTestCase):
    """
    Callers with bounds.
    """

    def test_counted(self):
        """
        One worker counts a bounded caller's requests; the others leave it to that.
        """
        two = MemoryWorkers()
        caller = NamespacedCaller(label="token:ci", quota=Quota(requestsPerMinute=1))
        owner = findCallerWorker(caller, 2)
        own, other = (
            SharedQuotas(two.workers[number], two.clock)
            for number in (owner, 1 - owner)
        )
        own.countRequest(caller)
        self.assertRaises(QuotaExceeded, own.countRequest, caller)
        for _ in range(3):
            other.countRequest(caller)

    def test_unbounded(self):
        """
        Callers without bounds belong to nobody.
        """
        self.assertIsNone(findCallerWorker(Operator("operator"), 2))
        self.assertIsNone(findCallerWorker(NamespacedCaller(label="token:ci"), 2))
