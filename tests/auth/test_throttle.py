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
    A throttle with the default limits: 10 attempts in a minute, then a lockout of 5
    minutes.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.events: list[dict] = []
        self.throttle = self.make()

    def make(self, capacity: int = CAPACITY, **limits: object) -> Throttle:
        """
        Return a throttle.
        """
        log = Logger(observer=self.events.append)
        return Throttle(RateLimit(**limits), self.clock, log, capacity)

    def failAttempts(
        self, count: int = 1, origin: ClientAddress = HERE, kind: str = KIND
    ) -> None:
        """
        Fail this many times.
        """
        for _ in range(count):
            self.throttle.check(origin, kind)
            self.throttle.recordFailure(origin, kind)

    def assertLocked(
        self, origin: ClientAddress = HERE, kind: str = KIND
    ) -> TooManyAttempts:
        """
        Assert that the address is locked out.
        """
        return self.assertRaises(TooManyAttempts, self.throttle.check, origin, kind)

    def assertFree(self, origin: ClientAddress = HERE, kind: str = KIND) -> None:
        """
        Assert that the address is not locked out.
        """
        self.throttle.check(origin, kind)


class LockTests(ThrottleTestCase):
    """
    An address with too many failures is locked out.
    """

    def test_tenth(self) -> None:
        """
        After ten failures in a minute the lockout takes five minutes, and the error has
        the remaining time.
        """
        self.failAttempts(9)
        self.assertFree()
        self.failAttempts()
        error = self.assertLocked()
        self.assertEqual((error.status, error.code), (429, "too_many_failed_attempts"))
        self.assertEqual(error.retryAfter, 300)
        # Otherwise the SDKs would retry twice.
        self.assertIs(error.shouldRetry, False)
        self.clock.advance(299)
        self.assertEqual(self.assertLocked().retryAfter, 1)
        self.clock.advance(1)
        self.assertFree()

    def test_again(self) -> None:
        """
        After a lockout the count starts over.
        """
        self.failAttempts(10)
        self.clock.advance(300)
        self.failAttempts(9)
        self.assertFree()
        self.failAttempts()
        self.assertLocked()

    def test_window(self) -> None:
        """
        Failures more than a minute ago do not count.
        """
        self.failAttempts(9)
        self.clock.advance(59)
        self.assertFree()
        self.clock.advance(1)
        self.failAttempts(9)
        self.assertFree()

    def test_apart(self) -> None:
        """
        Addresses count separately, and so do the kinds of credentials.
        """
        self.failAttempts(10)
        self.assertFree(THERE)
        self.assertFree(kind="token")
        self.assertLocked()

    def test_notLonger(self) -> None:
        """
        Failures of checks that were pending at the lockout do not prolong it.
        """
        self.failAttempts(10)
        self.clock.advance(200)
        for _ in range(20):
            self.throttle.recordFailure(HERE, KIND)
        self.assertEqual(self.assertLocked().retryAfter, 100)

    def test_limits(self) -> None:
        """
        The limits are configurable, and a change applies immediately.
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
        It is never locked out by default.
        """
        self.failAttempts(100, LOCAL)
        self.assertFree(LOCAL)
        self.assertEqual(self.events, [])

    def test_wanted(self) -> None:
        """
        It is locked out if that is configured.
        """
        self.throttle = self.make(exemptLoopback=False)
        self.failAttempts(10, LOCAL)
        self.assertLocked(LOCAL)


class LogTests(ThrottleTestCase):
    """
    The log of lockouts.
    """

    def test_once(self) -> None:
        """
        A lockout has one line, however long it lasts.
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
        The number of addresses is limited to those that failed most recently.
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
        An address that continues to fail is not replaced by those that failed once.
        """
        self.throttle = self.make(capacity=3)
        for number in range(10):
            self.failAttempts()
            self.throttle.recordFailure(ClientAddress(name=str(number)), KIND)
        self.assertLocked()

    def test_many(self) -> None:
        """
        A million addresses take no more memory than ten thousand.
        """
        self.throttle = self.make(capacity=100)
        for number in range(10_000):
            self.throttle.recordFailure(ClientAddress(name=str(number)), KIND)
        self.assertEqual(len(self.throttle._attempts), 100)
