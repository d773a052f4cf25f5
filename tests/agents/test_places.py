"""
Tests of L{openclaw.agents.places}.
"""

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.places import RETRY_SECONDS, Limits, Places
from openclaw.errors import Busy, SessionBusy

SECONDS = 30.0


class PlacesTestCase(SynchronousTestCase):
    """
    What tests of places need.
    """

    def makePlaces(
        self, running: int = 2, queued: int = 2, perSession: int = 2
    ) -> Places:
        """
        Places with these bounds.
        """
        self.clock = Clock()
        limits = Limits(
            running=running, queued=queued, perSession=perSession, waitSeconds=SECONDS
        )
        return Places(self.clock, limits)

    def assertBusy(self, asked: Deferred, kind: type[Busy]) -> None:
        """
        Assert that somebody was sent away, and told when to come back.
        """
        error = self.failureResultOf(asked, kind).value
        self.assertIs(type(error), kind)
        self.assertEqual(error.status, 429)
        self.assertEqual(error.retryAfter, RETRY_SECONDS)

    def assertTidy(self) -> None:
        """
        Assert that nothing waits for the clock.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SessionTests(PlacesTestCase):
    """
    A session has one run at a time.
    """

    def test_inOrder(self) -> None:
        """
        Those who want a session get it one by one, in the order of asking.
        """
        places = self.makePlaces()
        order: list[str] = []
        for name in "abc":
            places.enterSession("s").addCallback(
                lambda _, name=name: order.append(name)
            )
        self.assertEqual(order, ["a"])
        places.leaveSession("s")
        self.assertEqual(order, ["a", "b"])
        places.leaveSession("s")
        self.assertEqual(order, ["a", "b", "c"])
        places.leaveSession("s")
        self.assertTidy()

    def test_othersDoNotWait(self) -> None:
        """
        A session that is taken makes nobody wait for another one.
        """
        places = self.makePlaces(perSession=0)
        for key in ("s", "t", "u"):
            self.successResultOf(places.enterSession(key))

    def test_tooMany(self) -> None:
        """
        No more than the configured number may wait for a session; the next is sent
        away at once, and the others keep their turns.
        """
        places = self.makePlaces(perSession=2)
        self.successResultOf(places.enterSession("s"))
        waiting = [places.enterSession("s") for _ in range(2)]
        self.assertBusy(places.enterSession("s"), SessionBusy)
        for each in waiting:
            self.assertNoResult(each)
            places.leaveSession("s")
            self.successResultOf(each)

    def test_tooLong(self) -> None:
        """
        Nobody waits for a session longer than the configured time, and who gave up
        is not given the session later.
        """
        places = self.makePlaces()
        self.successResultOf(places.enterSession("s"))
        impatient = places.enterSession("s")
        self.clock.advance(SECONDS / 2)
        patient = places.enterSession("s")
        self.clock.advance(SECONDS / 2)
        self.assertBusy(impatient, SessionBusy)
        self.assertNoResult(patient)
        places.leaveSession("s")
        self.successResultOf(patient)
        self.assertTidy()

    def test_cancelled(self) -> None:
        """
        Who stops waiting leaves no trace: the next one has the turn, and there is
        room for one more.
        """
        places = self.makePlaces(perSession=2)
        self.successResultOf(places.enterSession("s"))
        gone, next_ = places.enterSession("s"), places.enterSession("s")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        last = places.enterSession("s")
        places.leaveSession("s")
        self.successResultOf(next_)
        self.assertNoResult(last)
        places.leaveSession("s")
        self.successResultOf(last)
        self.assertTidy()

    def test_doneAtOnce(self) -> None:
        """
        Whoever gets a session may be done with it in the same breath; then it goes
        to the next one, and to no two at once.
        """
        places = self.makePlaces(perSession=5)
        order: list[str] = []

        def brief(name: str) -> None:
            order.append(name)
            places.leaveSession("s")

        self.successResultOf(places.enterSession("s"))
        for name in "abc":
            places.enterSession("s").addCallback(lambda _, name=name: brief(name))
        holder = places.enterSession("s")
        places.leaveSession("s")
        self.assertEqual(order, ["a", "b", "c"])
        self.successResultOf(holder)
        self.assertNoResult(places.enterSession("s"))

    def test_nextComesWhileHandedOver(self) -> None:
        """
        Who asks for a session while it passes through several hands waits like
        everybody else.
        """
        places = self.makePlaces(perSession=5)
        self.successResultOf(places.enterSession("s"))
        late: list[Deferred] = []

        def brief(_: object) -> None:
            places.leaveSession("s")
            late.append(places.enterSession("s"))

        places.enterSession("s").addCallback(brief)
        places.leaveSession("s")
        self.successResultOf(late[0])
        self.assertNoResult(places.enterSession("s"))

    def test_forgotten(self) -> None:
        """
        A session that nobody uses takes up no memory, however its last user left.
        """
        places = self.makePlaces()
        traces = []
        for index in range(5):
            held = places.enterSession(f"s{index}")
            traces.append(weakref.ref(self.successResultOf(held)))
            gone, tired = (places.enterSession(f"s{index}") for _ in range(2))
            gone.cancel()
            self.failureResultOf(gone, CancelledError)
            self.clock.advance(SECONDS)
            self.failureResultOf(tired, SessionBusy)
            places.leaveSession(f"s{index}")
        del held, gone, tired
        gc.collect()
        self.assertEqual([trace() for trace in traces], [None] * 5)


class RunningTests(PlacesTestCase):
    """
    So many run at once, in all.
    """

    def test_inOrder(self) -> None:
        """
        Places that become free are given out in the order of asking.
        """
        places = self.makePlaces(running=1, queued=3)
        order: list[str] = []
        place = self.successResultOf(places.enter())
        for name in "abc":
            places.enter().addCallback(lambda _, name=name: order.append(name))
        self.assertEqual(order, [])
        for expected in ["a", "ab", "abc"]:
            places.leave(place)
            self.assertEqual("".join(order), expected)
        self.assertTidy()

    def test_tooMany(self) -> None:
        """
        When as many wait as may, the next is sent away at once.
        """
        places = self.makePlaces(running=2, queued=1)
        for _ in range(2):
            self.successResultOf(places.enter())
        self.assertNoResult(places.enter())
        self.assertBusy(places.enter(), Busy)

    def test_noQueue(self) -> None:
        """
        Where nobody may wait, a free place can still be had.
        """
        places = self.makePlaces(running=1, queued=0)
        place = self.successResultOf(places.enter())
        self.assertBusy(places.enter(), Busy)
        places.leave(place)
        self.successResultOf(places.enter())

    def test_tooLong(self) -> None:
        """
        Nobody waits for a place longer than the configured time, and who gave up
        does not get one later.
        """
        places = self.makePlaces(running=1)
        place = self.successResultOf(places.enter())
        waiting = places.enter()
        self.clock.advance(SECONDS - 1)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertBusy(waiting, Busy)
        places.leave(place)
        self.successResultOf(places.enter())
        self.assertTidy()

    def test_cancelled(self) -> None:
        """
        Who stops waiting leaves no trace.
        """
        places = self.makePlaces(running=1, queued=2)
        place = self.successResultOf(places.enter())
        gone, next_ = places.enter(), places.enter()
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        places.leave(place)
        self.successResultOf(next_)
        self.assertTidy()

    def test_longQueueDoneAtOnce(self) -> None:
        """
        A long queue of those who are done as soon as they have a place passes in one
        go, and leaves all places free.
        """
        places = self.makePlaces(running=1, queued=2000)
        place = self.successResultOf(places.enter())
        done: list[int] = []
        for index in range(2000):

            def brief(had, index=index) -> None:
                done.append(index)
                places.leave(had)

            places.enter().addCallback(brief)
        places.leave(place)
        self.assertEqual(done, list(range(2000)))
        self.successResultOf(places.enter())


class LimitTests(PlacesTestCase):
    """
    The bounds can be changed while places are taken.
    """

    def change(self, places: Places, **bounds: int) -> None:
        """
        Let other bounds hold.
        """
        old = {"running": 1, "queued": 0, "perSession": 0}
        places.limit(Limits(**{**old, **bounds}, waitSeconds=SECONDS * 2))

    def test_moreQueue(self) -> None:
        """
        More may wait from now on, and for longer.
        """
        places = self.makePlaces(running=1, queued=0, perSession=0)
        place = self.successResultOf(places.enter())
        self.successResultOf(places.enterSession("s"))
        self.assertBusy(places.enter(), Busy)
        self.assertBusy(places.enterSession("s"), SessionBusy)
        self.change(places, queued=1, perSession=1)
        waiting = [places.enter(), places.enterSession("s")]
        self.clock.advance(SECONDS * 2 - 1)
        for each in waiting:
            self.assertNoResult(each)
        places.leave(place)
        places.leaveSession("s")
        for each in waiting:
            self.successResultOf(each)

    def test_morePlaces(self) -> None:
        """
        Raising the number of places lets more run; those who ran before give their
        places back without harm.
        """
        places = self.makePlaces(running=1, queued=0)
        old = self.successResultOf(places.enter())
        self.change(places, running=2)
        new = [self.successResultOf(places.enter()) for _ in range(2)]
        self.assertBusy(places.enter(), Busy)
        places.leave(old)
        self.assertBusy(places.enter(), Busy)
        for place in new:
            places.leave(place)
            self.successResultOf(places.enter())

    def test_fewerPlaces(self) -> None:
        """
        Lowering it takes no place away from those who run, nor a turn from those who
        wait.
        """
        places = self.makePlaces(running=2, queued=1)
        old = [self.successResultOf(places.enter()) for _ in range(2)]
        waiting = places.enter()
        self.change(places, running=1)
        self.successResultOf(places.enter())
        self.assertBusy(places.enter(), Busy)
        for place in old:
            places.leave(place)
        self.successResultOf(waiting)
        self.assertBusy(places.enter(), Busy)


class AnyOrderTests(SynchronousTestCase):
    """
    The promises hold in whatever order things happen.
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
        Never do more run or wait than may; and nobody waits while a place is free.
        """
        clock = Clock()
        limits = Limits(
            running=running, queued=queued, perSession=0, waitSeconds=SECONDS
        )
        places = Places(clock, limits)
        inside, waiting = [], []

        def entered(place, asked):
            waiting.remove(asked)
            inside.append(place)

        def refused(failure, asked):
            waiting.remove(asked)
            failure.trap(Busy, CancelledError)

        for step in steps:
            if step == "enter":
                asked = places.enter()
                waiting.append(asked)
                asked.addCallbacks(
                    entered, refused, callbackArgs=(asked,), errbackArgs=(asked,)
                )
            elif step == "leave" and inside:
                places.leave(inside.pop(choice.randrange(len(inside))))
            elif step == "cancel" and waiting:
                choice.choice(waiting).cancel()
            elif step == "advance":
                clock.advance(SECONDS / 3)
            self.assertLessEqual(len(inside), running)
            self.assertLessEqual(len(waiting), queued)
            self.assertTrue(len(inside) == running or not waiting)
        while inside:
            places.leave(inside.pop())
        self.assertEqual(waiting, [])
        self.assertEqual(clock.getDelayedCalls(), [])
