"""
Tests of L{openclaw.agents.run_queue}.
"""

import gc
import weakref
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run_queue import RETRY_SECONDS, RunLimits, RunQueue
from openclaw.errors import Busy, SessionBusy

SECONDS = 30.0


_numbers = count()


def enter(queue: RunQueue) -> "Deferred[str]":
    """
    Acquire a slot for a caller without other runs.

    @return: Fires with the caller.
    """
    caller = f"caller {next(_numbers)}"
    return queue.acquire(caller).addCallback(lambda _: caller)


class QueueTestCase(SynchronousTestCase):
    """
    A test case with a run queue.
    """

    def makeRunQueue(
        self, running: int = 2, queued: int = 2, perSession: int = 2
    ) -> RunQueue:
        """
        Return a queue with these limits.
        """
        self.clock = Clock()
        limits = RunLimits(
            running=running, queued=queued, perSession=perSession, waitSeconds=SECONDS
        )
        return RunQueue(self.clock, limits)

    def assertBusy(self, asked: Deferred, kind: type[Busy]) -> None:
        """
        Assert that a request was rejected with a time for a retry.
        """
        error = self.failureResultOf(asked, kind).value
        self.assertIs(type(error), kind)
        self.assertEqual(error.status, 429)
        self.assertEqual(error.retryAfter, RETRY_SECONDS)

    def assertTidy(self) -> None:
        """
        Assert that no delayed call is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SessionTests(QueueTestCase):
    """
    A session has one run at a time.
    """

    def test_inOrder(self) -> None:
        """
        Runs get a session in the order of their requests.
        """
        queue = self.makeRunQueue()
        order: list[str] = []
        for name in "abc":
            queue.acquireSession("s").addCallback(
                lambda _, name=name: order.append(name)
            )
        self.assertEqual(order, ["a"])
        queue.releaseSession("s")
        self.assertEqual(order, ["a", "b"])
        queue.releaseSession("s")
        self.assertEqual(order, ["a", "b", "c"])
        queue.releaseSession("s")
        self.assertTidy()

    def test_othersDoNotWait(self) -> None:
        """
        Other sessions are not affected.
        """
        queue = self.makeRunQueue(perSession=0)
        for key in ("s", "t", "u"):
            self.successResultOf(queue.acquireSession(key))

    def test_tooMany(self) -> None:
        """
        The number of runs that wait for a session is limited; the next is rejected
        immediately, and the others keep their order.
        """
        queue = self.makeRunQueue(perSession=2)
        self.successResultOf(queue.acquireSession("s"))
        waiting = [queue.acquireSession("s") for _ in range(2)]
        self.assertBusy(queue.acquireSession("s"), SessionBusy)
        for each in waiting:
            self.assertNoResult(each)
            queue.releaseSession("s")
            self.successResultOf(each)

    def test_tooLong(self) -> None:
        """
        The wait for a session is limited, and a run that gave up does not get the
        session later.
        """
        queue = self.makeRunQueue()
        self.successResultOf(queue.acquireSession("s"))
        impatient = queue.acquireSession("s")
        self.clock.advance(SECONDS / 2)
        patient = queue.acquireSession("s")
        self.clock.advance(SECONDS / 2)
        self.assertBusy(impatient, SessionBusy)
        self.assertNoResult(patient)
        queue.releaseSession("s")
        self.successResultOf(patient)
        self.assertTidy()

    def test_cancelled(self) -> None:
        """
        A cancelled wait leaves no trace: the next run gets the session, and another one
        can wait.
        """
        queue = self.makeRunQueue(perSession=2)
        self.successResultOf(queue.acquireSession("s"))
        gone, next_ = queue.acquireSession("s"), queue.acquireSession("s")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        last = queue.acquireSession("s")
        queue.releaseSession("s")
        self.successResultOf(next_)
        self.assertNoResult(last)
        queue.releaseSession("s")
        self.successResultOf(last)
        self.assertTidy()

    def test_doneAtOnce(self) -> None:
        """
        A run may release its session in the callback; the session then goes to the next
        one, and only to that.
        """
        queue = self.makeRunQueue(perSession=5)
        order: list[str] = []

        def brief(name: str) -> None:
            order.append(name)
            queue.releaseSession("s")

        self.successResultOf(queue.acquireSession("s"))
        for name in "abc":
            queue.acquireSession("s").addCallback(lambda _, name=name: brief(name))
        holder = queue.acquireSession("s")
        queue.releaseSession("s")
        self.assertEqual(order, ["a", "b", "c"])
        self.successResultOf(holder)
        self.assertNoResult(queue.acquireSession("s"))

    def test_nextComesWhileHandedOver(self) -> None:
        """
        A request during the hand-over of a session waits like the others.
        """
        queue = self.makeRunQueue(perSession=5)
        self.successResultOf(queue.acquireSession("s"))
        late: list[Deferred] = []

        def brief(_: object) -> None:
            queue.releaseSession("s")
            late.append(queue.acquireSession("s"))

        queue.acquireSession("s").addCallback(brief)
        queue.releaseSession("s")
        self.successResultOf(late[0])
        self.assertNoResult(queue.acquireSession("s"))

    def test_forgotten(self) -> None:
        """
        An unused session takes no memory, however it was released.
        """
        queue = self.makeRunQueue()
        traces = []
        for index in range(5):
            held = queue.acquireSession(f"s{index}")
            traces.append(weakref.ref(self.successResultOf(held)))
            gone, tired = (queue.acquireSession(f"s{index}") for _ in range(2))
            gone.cancel()
            self.failureResultOf(gone, CancelledError)
            self.clock.advance(SECONDS)
            self.failureResultOf(tired, SessionBusy)
            queue.releaseSession(f"s{index}")
        del held, gone, tired
        gc.collect()
        self.assertEqual([trace() for trace in traces], [None] * 5)


class RunningTests(QueueTestCase):
    """
    The number of concurrent runs is limited.
    """

    def test_inOrder(self) -> None:
        """
        Free slots are given out in the order of requests.
        """
        queue = self.makeRunQueue(running=1, queued=3)
        order: list[str] = []
        place = self.successResultOf(enter(queue))
        for name in "abc":
            enter(queue).addCallback(lambda _, name=name: order.append(name))
        self.assertEqual(order, [])
        for expected in ["a", "ab", "abc"]:
            queue.release(place)
            self.assertEqual("".join(order), expected)
        self.assertTidy()

    def test_tooMany(self) -> None:
        """
        If the queue is full, the next run is rejected immediately.
        """
        queue = self.makeRunQueue(running=2, queued=1)
        for _ in range(2):
            self.successResultOf(enter(queue))
        self.assertNoResult(enter(queue))
        self.assertBusy(enter(queue), Busy)

    def test_noQueue(self) -> None:
        """
        With a queue of length zero, a free slot can be acquired.
        """
        queue = self.makeRunQueue(running=1, queued=0)
        place = self.successResultOf(enter(queue))
        self.assertBusy(enter(queue), Busy)
        queue.release(place)
        self.successResultOf(enter(queue))

    def test_tooLong(self) -> None:
        """
        The wait for a slot is limited, and a run that gave up does not get one later.
        """
        queue = self.makeRunQueue(running=1)
        place = self.successResultOf(enter(queue))
        waiting = enter(queue)
        self.clock.advance(SECONDS - 1)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertBusy(waiting, Busy)
        queue.release(place)
        self.successResultOf(enter(queue))
        self.assertTidy()

    def test_cancelled(self) -> None:
        """
        A cancelled wait leaves no trace.
        """
        queue = self.makeRunQueue(running=1, queued=2)
        place = self.successResultOf(enter(queue))
        gone, next_ = enter(queue), enter(queue)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        queue.release(place)
        self.successResultOf(next_)
        self.assertTidy()

    def test_longQueueDoneAtOnce(self) -> None:
        """
        A long queue of runs that release their slots in the callback is processed at
        once, and all slots are free afterwards.
        """
        queue = self.makeRunQueue(running=1, queued=2000)
        place = self.successResultOf(enter(queue))
        done: list[int] = []
        for index in range(2000):

            def brief(had, index=index) -> None:
                done.append(index)
                queue.release(had)

            enter(queue).addCallback(brief)
        queue.release(place)
        self.assertEqual(done, list(range(2000)))
        self.successResultOf(enter(queue))


class LimitTests(QueueTestCase):
    """
    The limits can be changed while slots are in use.
    """

    def change(self, queue: RunQueue, **bounds: int) -> None:
        """
        Change the limits.
        """
        old = {"running": 1, "queued": 0, "perSession": 0}
        queue.reconfigure(RunLimits(**{**old, **bounds}, waitSeconds=SECONDS * 2))

    def test_moreQueue(self) -> None:
        """
        More runs may wait immediately, and for longer.
        """
        queue = self.makeRunQueue(running=1, queued=0, perSession=0)
        place = self.successResultOf(enter(queue))
        self.successResultOf(queue.acquireSession("s"))
        self.assertBusy(enter(queue), Busy)
        self.assertBusy(queue.acquireSession("s"), SessionBusy)
        self.change(queue, queued=1, perSession=1)
        waiting = [enter(queue), queue.acquireSession("s")]
        self.clock.advance(SECONDS * 2 - 1)
        for each in waiting:
            self.assertNoResult(each)
        queue.release(place)
        queue.releaseSession("s")
        for each in waiting:
            self.successResultOf(each)

    def test_morePlaces(self) -> None:
        """
        With more slots, more runs start, in the order of the queue.
        """
        queue = self.makeRunQueue(running=1, queued=1)
        old = self.successResultOf(enter(queue))
        waiting = enter(queue)
        self.change(queue, running=3)
        self.successResultOf(waiting)
        self.successResultOf(enter(queue))
        self.assertBusy(enter(queue), Busy)
        queue.release(old)
        self.successResultOf(enter(queue))

    def test_fewerPlaces(self) -> None:
        """
        With fewer slots, no run loses its slot and no queued run its position; no other
        run starts until the limit is respected.
        """
        queue = self.makeRunQueue(running=2, queued=1)
        old = [self.successResultOf(enter(queue)) for _ in range(2)]
        waiting = enter(queue)
        self.change(queue, running=1)
        self.assertBusy(enter(queue), Busy)
        queue.release(old[0])
        self.assertNoResult(waiting)
        queue.release(old[1])
        self.successResultOf(waiting)
        self.assertBusy(enter(queue), Busy)


class ShareTests(QueueTestCase):
    """
    Callers with many runs.
    """

    def test_reserve(self) -> None:
        """
        A caller never gets all slots, even if there is no other: the next caller's run
        starts immediately.
        """
        queue = self.makeRunQueue(running=16, queued=100)
        asked = [queue.acquire("greedy") for _ in range(50)]
        self.assertEqual(sum(each.called for each in asked), 12)
        self.successResultOf(queue.acquire("polite"))

    def test_turns(self) -> None:
        """
        A free slot goes to the caller with the fewest runs, not to the first in the
        queue.
        """
        queue = self.makeRunQueue(running=4, queued=100)
        greedy = [queue.acquire("greedy") for _ in range(20)]
        had = sum(each.called for each in greedy)
        self.successResultOf(queue.acquire("b"))
        waiting = [queue.acquire(name) for name in "cdcd"]
        for _ in range(had):
            queue.release("greedy")
        # Each caller has one run then, and those without any came before the second of
        # each.
        self.assertTrue(waiting[0].called and waiting[1].called)

    def test_fullQueue(self) -> None:
        """
        A caller that fills the queue loses its newest run to others.
        """
        queue = self.makeRunQueue(running=1, queued=4)
        greedy = [queue.acquire("greedy") for _ in range(5)]
        polite = queue.acquire("polite")
        self.assertNoResult(polite)
        self.assertBusy(greedy[-1], Busy)
        queue.release("greedy")
        self.successResultOf(polite)


class AnyOrderTests(SynchronousTestCase):
    """
    The invariants hold in any order of events.
    """

    @given(
        steps=st.lists(
            st.sampled_from(["enter", "enter", "enter", "leave", "cancel", "advance"]),
            max_size=60,
        ),
        running=st.integers(1, 3),
        queued=st.integers(0, 3),
        choice=st.randoms(use_true_random=False),
    )
    def test_anyOrder(self, steps, running, queued, choice) -> None:
        """
        The limits are never exceeded, and no run waits while a slot is free.
        """
        clock = Clock()
        limits = RunLimits(
            running=running, queued=queued, perSession=0, waitSeconds=SECONDS
        )
        queue = RunQueue(clock, limits)
        inside, waiting = [], []

        def entered(place, asked):
            waiting.remove(asked)
            inside.append(place)

        def refused(failure, asked):
            waiting.remove(asked)
            failure.trap(Busy, CancelledError)

        for step in steps:
            if step == "enter":
                asked = enter(queue)
                waiting.append(asked)
                asked.addCallbacks(
                    entered, refused, callbackArgs=(asked,), errbackArgs=(asked,)
                )
            elif step == "leave" and inside:
                queue.release(inside.pop(choice.randrange(len(inside))))
            elif step == "cancel" and waiting:
                choice.choice(waiting).cancel()
            elif step == "advance":
                clock.advance(SECONDS / 3)
            self.assertLessEqual(len(inside), running)
            self.assertLessEqual(len(waiting), queued)
            self.assertTrue(len(inside) == running or not waiting)
        while inside:
            queue.release(inside.pop())
        self.assertEqual(waiting, [])
        self.assertEqual(clock.getDelayedCalls(), [])
