"""
Tests of L{openclaw.auth.throttle}.
"""

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.client_address import ClientAddress
from openclaw.auth.throttle import CAPACITY, Throttle
from openclaw.config import RateLimit
from openclaw.errors import TooManyAttempts

HERE = ClientAddress(name="203.0.113.5")
THERE = ClientAddress(name="203.0.113.6")
LOCAL = ClientAddress(name="127.0.0.1", local=True)
KIND = "password"


class ThrottleTestCase(SynchronousTestCase):
    """
    A throttle with the usual limits: 10 attempts in a minute, then 5 minutes.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.events: list[dict] = []
        self.throttle = self.make()

    def make(self, capacity: int = CAPACITY, **limits: object) -> Throttle:
        """
        A throttle.
        """
        log = Logger(observer=self.events.append)
        return Throttle(RateLimit(**limits), self.clock, log, capacity)

    def failAttempts(
        self, count: int = 1, origin: ClientAddress = HERE, kind: str = KIND
    ) -> None:
        """
        Fail so many times.
        """
        for _ in range(count):
            self.throttle.check(origin, kind)
            self.throttle.recordFailure(origin, kind)

    def assertLocked(
        self, origin: ClientAddress = HERE, kind: str = KIND
    ) -> TooManyAttempts:
        """
        Assert that they may not try.
        """
        return self.assertRaises(TooManyAttempts, self.throttle.check, origin, kind)

    def assertFree(self, origin: ClientAddress = HERE, kind: str = KIND) -> None:
        """
        Assert that they may.
        """
        self.throttle.check(origin, kind)


class LockTests(ThrottleTestCase):
    """
    An address with too many failures is locked out.
    """

    def test_tenth(self) -> None:
        """
        After ten failures in a minute, for five minutes, and they are told for how
        long.
        """
        self.failAttempts(9)
        self.assertFree()
        self.failAttempts()
        error = self.assertLocked()
        self.assertEqual((error.status, error.code), (429, "too_many_failed_attempts"))
        self.assertEqual(error.retryAfter, 300)
        # Or the SDKs would send the same again, twice.
        self.assertIs(error.shouldRetry, False)
        self.clock.advance(299)
        self.assertEqual(self.assertLocked().retryAfter, 1)
        self.clock.advance(1)
        self.assertFree()

    def test_again(self) -> None:
        """
        Behind a lock the count begins anew.
        """
        self.failAttempts(10)
        self.clock.advance(300)
        self.failAttempts(9)
        self.assertFree()
        self.failAttempts()
        self.assertLocked()

    def test_window(self) -> None:
        """
        Failures of more than a minute ago are forgotten.
        """
        self.failAttempts(9)
        self.clock.advance(59)
        self.assertFree()
        self.clock.advance(1)
        self.failAttempts(9)
        self.assertFree()

    def test_apart(self) -> None:
        """
        Addresses count apart, and so do the kinds of credentials.
        """
        self.failAttempts(10)
        self.assertFree(THERE)
        self.assertFree(kind="token")
        self.assertLocked()

    def test_notLonger(self) -> None:
        """
        Failures that were under way when the lock came do not prolong it.
        """
        self.failAttempts(10)
        self.clock.advance(200)
        for _ in range(20):
            self.throttle.recordFailure(HERE, KIND)
        self.assertEqual(self.assertLocked().retryAfter, 100)

    def test_limits(self) -> None:
        """
        The configuration says how many, how long and for how long; a new one holds
        from then on.
        """
        self.throttle = self.make(maxAttempts=2, windowMs=500, lockoutMs=1500)
        self.failAttempts(1)
        self.clock.advance(0.5)
        self.failAttempts(2)
        self.assertEqual(self.assertLocked().retryAfter, 1.5)
        self.throttle.setLimits(RateLimit(maxAttempts=1))
        self.assertLocked()
        self.failAttempts(1, THERE)
        self.assertEqual(self.assertLocked(THERE).retryAfter, 300)


class ExemptTests(ThrottleTestCase):
    """
    This machine itself.
    """

    def test_usual(self) -> None:
        """
        It is never locked out.
        """
        self.failAttempts(100, LOCAL)
        self.assertFree(LOCAL)
        self.assertEqual(self.events, [])

    def test_wanted(self) -> None:
        """
        But it is if the configuration wants that.
        """
        self.throttle = self.make(exemptLoopback=False)
        self.failAttempts(10, LOCAL)
        self.assertLocked(LOCAL)


class LogTests(ThrottleTestCase):
    """
    The log tells of it.
    """

    def test_once(self) -> None:
        """
        There is one line when an address is locked out, however long it goes on.
        """
        self.failAttempts(10)
        for _ in range(100):
            self.assertLocked()
            self.throttle.recordFailure(HERE, KIND)
        (event,) = self.events
        self.assertEqual(event["log_level"], LogLevel.warn)
        self.assertEqual(
            formatEvent(event),
            "203.0.113.5 is locked out for 300 s after 10 attempts with an invalid"
            " password",
        )


class MemoryTests(ThrottleTestCase):
    """
    Attackers have many addresses.
    """

    def test_bound(self) -> None:
        """
        So many addresses are remembered, and no more: those that failed most lately.
        """
        self.throttle = self.make(capacity=3)
        first, *others = [ClientAddress(name=str(number)) for number in range(4)]
        self.failAttempts(10, first)
        for other in others[:2]:
            self.failAttempts(1, other)
        self.assertLocked(first)
        self.failAttempts(9, others[0])
        self.failAttempts(1, others[2])
        self.assertFree(first)
        self.assertLocked(others[0])

    def test_lately(self) -> None:
        """
        An address that goes on trying is not forgotten for those that tried once.
        """
        self.throttle = self.make(capacity=3)
        for number in range(10):
            self.failAttempts()
            self.throttle.recordFailure(ClientAddress(name=str(number)), KIND)
        self.assertLocked()

    def test_many(self) -> None:
        """
        A million addresses take no more room than ten thousand.
        """
        self.throttle = self.make(capacity=100)
        for number in range(10_000):
            self.throttle.recordFailure(ClientAddress(name=str(number)), KIND)
        self.assertEqual(len(self.throttle._attempts), 100)
