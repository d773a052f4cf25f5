"""
Tests of L{openclaw.net.fair_semaphore}.
"""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.fair_semaphore import SHARE_RATIO, FairSemaphore, SemaphoreLimits


class Refused(Exception):
    """
    The semaphore's refusal.
    """


class AnyOrderTests(SynchronousTestCase):
    """
    The guarantees hold in any order of events.
    """

    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["ask", "ask", "ask", "release", "cancel", "advance"]),
                st.sampled_from("abc"),
            ),
            max_size=80,
        ),
        capacity=st.integers(1, 9),
        waiting=st.one_of(st.none(), st.integers(0, 4)),
    )
    def test_anyOrder(self, steps, capacity, waiting) -> None:
        """
        The limits of holders and waiters are never exceeded; no caller is granted more
        than their share; a caller's own requests are served in order; and a caller
        without a slot waits only while none is free.
        """
        clock = Clock()
        bounds = SemaphoreLimits(capacity=capacity, waiting=waiting, waitSeconds=10.0)
        semaphore = FairSemaphore(clock, bounds, Refused)
        held: Counter[str] = Counter()
        asked: dict[str, list[Deferred[None]]] = {each: [] for each in "abc"}
        problems: list[str] = []

        def granted(_: None, caller: str, mine: Deferred[None]) -> None:
            held[caller] += 1
            free = capacity - held.total()
            if held[caller] > 1 and held[caller] > SHARE_RATIO * free:
                problems.append("beyond the share")
            if asked[caller] and asked[caller][0] is not mine:
                problems.append("out of order")
            if mine in asked[caller]:
                asked[caller].remove(mine)

        def refused(failure, caller: str, mine: Deferred[None]) -> None:
            failure.trap(Refused, CancelledError)
            if mine in asked[caller]:
                asked[caller].remove(mine)

        for step, caller in steps:
            if step == "ask":
                mine = semaphore.acquire(caller)
                if not mine.called:
                    asked[caller].append(mine)
                mine.addCallbacks(
                    granted,
                    refused,
                    callbackArgs=(caller, mine),
                    errbackArgs=(caller, mine),
                )
            elif step == "release" and held[caller]:
                held[caller] -= 1
                semaphore.release(caller)
            elif step == "cancel" and asked[caller]:
                asked[caller][-1].cancel()
            elif step == "advance":
                clock.advance(4)
            self.assertEqual(problems, [])
            self.assertEqual(semaphore.held, held.total())
            self.assertLessEqual(semaphore.held, capacity)
            self.assertEqual(semaphore.waiting, sum(map(len, asked.values())))
            if waiting is not None:
                self.assertLessEqual(semaphore.waiting, waiting)
            for each, mine in asked.items():
                if mine and not held[each]:
                    self.assertEqual(semaphore.held, capacity)
        for each in "abc":
            while held[each]:
                held[each] -= 1
                semaphore.release(each)
            while asked[each]:
                asked[each][-1].cancel()
        # Those who waited were served while others released.
        while held.total():
            for each in "abc":
                if held[each]:
                    held[each] -= 1
                    semaphore.release(each)
        self.assertEqual((semaphore.held, semaphore.waiting), (0, 0))
        self.assertEqual(clock.getDelayedCalls(), [])


class FairSemaphoreTests(SynchronousTestCase):
    """
    Greedy callers leave a share for others.
    """

    def test_alone(self) -> None:
        """
        A single caller gets three quarters, also of a small resource.
        """
        for capacity, share in ((1, 1), (2, 1), (4, 3), (16, 12), (256, 192)):
            semaphore = FairSemaphore(Clock(), SemaphoreLimits(capacity=capacity))
            for _ in range(capacity):
                semaphore.acquire("greedy")
            self.assertEqual(semaphore.countHeld("greedy"), share)

    def test_manyGreedy(self) -> None:
        """
        Several greedy callers get equal shares, and leave some for others.
        """
        semaphore = FairSemaphore(Clock(), SemaphoreLimits(capacity=64))
        for _ in range(100):
            for number in range(5):
                semaphore.acquire(f"greedy {number}")
        self.assertEqual({semaphore.countHeld(f"greedy {n}") for n in range(5)}, {12})
        for number in range(4):
            self.assertTrue(semaphore.tryAcquire(f"polite {number}"))

    def test_long(self) -> None:
        """
        A queue can be longer than the stack is deep.
        """
        semaphore = FairSemaphore(Clock(), SemaphoreLimits(capacity=1))
        semaphore.acquire("a")
        done = []

        def use(_: None, number: int) -> None:
            done.append(number)
            semaphore.release("b")

        for number in range(5000):
            semaphore.acquire("b").addCallback(use, number)
        semaphore.release("a")
        self.assertEqual(done, list(range(5000)))

    def test_run(self) -> None:
        """
        A slot is released when the work is done, however it ends.
        """
        semaphore = FairSemaphore(Clock(), SemaphoreLimits(capacity=1))

        async def fail() -> None:
            raise ValueError

        broken = Deferred.fromCoroutine(semaphore.run("a", fail))
        self.failureResultOf(broken, ValueError)
        going: Deferred[int] = Deferred()
        first = Deferred.fromCoroutine(semaphore.run("a", lambda: going))
        second = Deferred.fromCoroutine(semaphore.run("b", lambda: succeed(2)))
        self.assertNoResult(second)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.successResultOf(second), 2)
        self.assertEqual(semaphore.held, 0)
