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
    Invalid credentials, sent to several workers.
    """

    def setUp(self):
        """
        Create two workers that lock out after three failures.
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
        Send an invalid credential to these workers.
        """
        for number in numbers:
            failing = self.throttles[number].recordFailure(FROM, "password")
            self.successResultOf(failing)

    def test_together(self):
        """
        The failures of all count, and all lock out.
        """
        self.fail_(0, 1)
        self.assertTrue(self.throttles)
        for throttle in self.throttles:
            throttle.check(FROM, "password")
        self.fail_(0)
        for throttle in self.throttles:
            with self.assertRaises(TooManyAttempts):
                throttle.check(FROM, "password")

    def test_loggedOnce(self):
        """
        The lockout is logged once.
        """
        self.fail_(0, 1, 0)
        [said] = [formatEvent(event) for event in self.events]
        self.assertIn("192.0.2.7 is locked out", said)

    def test_knownBeforeTheAnswer(self):
        """
        The response is sent when all workers have counted the failure.
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
    Callers with quotas.
    """

    def test_counted(self):
        """
        One worker counts the requests of such a caller; the others do not.
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
        Callers without quotas have no such worker.
        """
        self.assertIsNone(findCallerWorker(Operator("operator"), 2))
        self.assertIsNone(findCallerWorker(NamespacedCaller(label="token:ci"), 2))
