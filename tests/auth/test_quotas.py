"""
Tests of L{openclaw.auth.quotas}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.quotas import Quotas
from openclaw.auth.realm import NamespacedCaller, Operator
from openclaw.errors import QuotaExceeded
from openclaw.interfaces import Quota


def guest(label: str = "token:ci", **bounds: int) -> NamespacedCaller:
    """
    Return a caller with limits.
    """
    return NamespacedCaller(label=label, quota=Quota(**bounds))


class QuotaTestCase(SynchronousTestCase):
    """
    A test case with quotas.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.quotas = Quotas(self.clock)

    def assertExceeded(self, method, caller) -> QuotaExceeded:
        """
        Assert that the caller's quota is exceeded.
        """
        error = self.assertRaises(QuotaExceeded, method, caller)
        self.assertEqual(error.status, 429)
        return error


class LabelTests(QuotaTestCase):
    """
    A new token with the label of a revoked one.
    """

    def test_sameLabel(self) -> None:
        """
        The usage of the old token does not count for the new one: neither requests nor
        runs.
        """
        quota = Quota(requestsPerMinute=1, concurrentRuns=1)
        old = NamespacedCaller(label="token:ci", quota=quota)
        new = NamespacedCaller(label="token:ci", quota=quota, ownNamespace="token:ci~2")
        for caller in (old, new):
            self.quotas.countRequest(caller)
            self.quotas.acquireRun(caller)
            self.assertExceeded(self.quotas.countRequest, caller)
            self.assertExceeded(self.quotas.acquireRun, caller)
        self.assertNotEqual(old.shareKey, new.shareKey)


class RequestTests(QuotaTestCase):
    """
    Requests per minute.
    """

    def test_bound(self) -> None:
        """
        A request over the limit is rejected until the first is a minute old, with the
        time until then.
        """
        caller = guest(requestsPerMinute=2)
        self.quotas.countRequest(caller)
        self.clock.advance(20)
        self.quotas.countRequest(caller)
        error = self.assertExceeded(self.quotas.countRequest, caller)
        self.assertEqual((error.code, error.retryAfter), ("token_rate", 40))
        self.clock.advance(40)
        self.quotas.countRequest(caller)
        self.assertEqual(
            self.assertExceeded(self.quotas.countRequest, caller).retryAfter, 20
        )

    def test_lowered(self) -> None:
        """
        A lower limit applies immediately.
        """
        for _ in range(5):
            self.quotas.countRequest(guest(requestsPerMinute=5))
            self.clock.advance(1)
        error = self.assertExceeded(
            self.quotas.countRequest, guest(requestsPerMinute=2)
        )
        self.assertEqual(error.retryAfter, 58)
        self.clock.advance(58)
        self.quotas.countRequest(guest(requestsPerMinute=2))

    def test_apart(self) -> None:
        """
        Callers count separately, and those without a limit do not count.
        """
        self.quotas.countRequest(guest(requestsPerMinute=1))
        self.quotas.countRequest(guest("token:other", requestsPerMinute=1))
        for caller in (Operator("operator"), guest("token:free")):
            for _ in range(100):
                self.quotas.countRequest(caller)

    @given(pauses=st.lists(st.floats(0, 30), max_size=40), most=st.integers(1, 5))
    def test_neverMore(self, pauses, most) -> None:
        """
        In no 60 seconds are there more requests; and a request after C{Retry-After} is
        accepted.
        """
        clock = Clock()
        quotas, caller, times = Quotas(clock), guest(requestsPerMinute=most), []
        for pause in pauses:
            clock.advance(pause)
            try:
                quotas.countRequest(caller)
            except QuotaExceeded as error:
                # A tiny bit more, since sums of these numbers are not exact.
                clock.advance(error.retryAfter + 1e-6)
                quotas.countRequest(caller)
            times.append(clock.seconds())
        for index, time in enumerate(times[most:]):
            self.assertGreaterEqual(time, times[index] + 60)


class RunTests(QuotaTestCase):
    """
    Concurrent runs.
    """

    def test_bound(self) -> None:
        """
        A run over the limit is rejected until another has ended.
        """
        caller = guest(concurrentRuns=2)
        first, _ = self.quotas.acquireRun(caller), self.quotas.acquireRun(caller)
        error = self.assertExceeded(self.quotas.acquireRun, caller)
        self.assertEqual(error.code, "token_concurrency")
        self.assertGreater(error.retryAfter, 0)
        first()
        self.quotas.acquireRun(caller)
        self.assertExceeded(self.quotas.acquireRun, caller)

    def test_once(self) -> None:
        """
        The end of a run counts once, even if it is reported twice.
        """
        caller = guest(concurrentRuns=2)
        first, _ = self.quotas.acquireRun(caller), self.quotas.acquireRun(caller)
        first()
        first()
        self.quotas.acquireRun(caller)
        self.assertExceeded(self.quotas.acquireRun, caller)

    def test_apart(self) -> None:
        """
        Callers count separately, and those without a limit do not count.
        """
        self.quotas.acquireRun(guest(concurrentRuns=1))
        self.quotas.acquireRun(guest("token:other", concurrentRuns=1))
        for _ in range(100):
            self.quotas.acquireRun(Operator("operator"))()

    def test_nothingLeft(self) -> None:
        """
        When all runs have ended no entry is left.
        """
        leaving = [self.quotas.acquireRun(guest(concurrentRuns=3)) for _ in range(3)]
        for leave in leaving:
            leave()
        self.assertEqual(self.quotas._running, {})
