"""
Tests of L{openclaw.agents.run}: a run can be stopped, whatever it is doing.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run import CLAIM_RETRY_SECONDS
from openclaw.agents.turns import RunResult
from openclaw.errors import (
    RunCancelled,
    ShuttingDown,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, Message
from tests.agents.run_harness import (
    HELLO,
    KEY,
    LIMITS,
    OTHER_KEY,
    TIMEOUT_SECONDS,
    RunHarness,
    Watched,
)

FOREIGN = Claim(KEY, "of another process")


class _Cancelling:
    """
    A run that is stopped in one phase of its life.

    @ivar kept: Is it in a session?
    @ivar foreign: Does another process have that session?
    @ivar inTransaction: Does the run have to wait for the store before it can end?
    @ivar ending: Is it certain by then how it ends?
    @ivar tooLate: Has it succeeded by then?
    @ivar calls: How many questions to the model it has asked.
    @ivar batches: How much its listener was told.
    @ivar transcript: What is in the session in the end.
    """

    kept = True
    foreign = False
    inTransaction = False
    ending = False
    tooLate = False
    calls = 0
    batches = 0
    transcript: tuple[Message, ...] = ()

    def setUp(self) -> None:
        """
        Bring a run into the phase.
        """
        self.harness = RunHarness()
        self.others: list[Watched] = []
        self.watched = self.reach()
        self.asked = self.harness.provider.calls[len(self.others) :]
        self.assertEqual(len(self.asked), self.calls)
        self.assertEqual(len(self.watched.batches), self.batches)
        self.assertEqual(self.watched.outcomes, [])

    def reach(self) -> Watched:
        """
        Begin a run and take it to the phase.
        """
        raise NotImplementedError

    def begin(self) -> Watched:
        """
        Begin the run that is to be stopped.
        """
        return self.harness.begin(kept=self.kept)

    def occupy(self, sessionKey: str, kept: bool) -> None:
        """
        Have another run that the model has not answered yet.
        """
        self.others.append(self.harness.begin(sessionKey, kept=kept))

    def settle(self) -> None:
        """
        Let the store finish what is under way, and the others their runs.
        """
        self.harness.store.letGo()
        for call in self.harness.provider.calls:
            if not call.done.called:
                call.say("Hi.")
                call.finish()
        for other in self.others:
            self.assertIsInstance(other.result, RunResult)
        if self.foreign:
            self.harness.store.endTurn(FOREIGN, [])

    def assertNothingLeft(self) -> None:
        """
        Assert that the run has let go of everything, and that it is as if it had
        never waited.
        """
        self.assertEqual(len(self.watched.ends), 1)
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])
        self.assertIsNone(self.watched.run.claim)
        self.assertTrue(self.harness.claim())
        self.assertEqual(len(self.watched.batches), self.batches)
        if self.kept:
            self.assertEqual(self.harness.kept(), list(self.transcript))
        before = len(self.harness.provider.calls)
        again = [
            self.harness.begin(f"{KEY}{index or ''}") for index in range(LIMITS.running)
        ]
        self.assertEqual(len(self.harness.provider.calls) - before, LIMITS.running)
        for call in self.harness.provider.calls[before:]:
            call.say("Hi.")
            call.finish()
        for run in again:
            self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])
        self.assertEqual(self.harness.logged, [])

    def assertModelStopped(self) -> None:
        """
        Assert that the model no longer works for the run.
        """
        for call in self.asked[-1:]:
            self.assertTrue(call.done.called)
            self.assertEqual(call.cancelled, not self.tooLate)

    def test_byHolder(self) -> None:
        """
        A listener that cancels the run hears so at once, and only once.
        """
        self.watched.run.done.cancel()
        self.assertIs(type(self.watched.error), RunCancelled)
        self.assertModelStopped()
        self.settle()
        self.assertIs(type(self.watched.error), RunCancelled)
        self.assertNothingLeft()

    def test_readerGone(self) -> None:
        """
        When the response's reader is gone, the run ends as soon as it can, and says
        so once.
        """
        self.watched.run.stopProducing()
        self.assertModelStopped()
        self.assertEqual(len(self.watched.outcomes), 0 if self.inTransaction else 1)
        self.settle()
        if self.tooLate:
            self.assertEqual(self.watched.result.text, "Hello")
        else:
            self.assertIs(type(self.watched.error), RunCancelled)
        self.assertNothingLeft()

    def test_byHouse(self) -> None:
        """
        When the runtime ends the run, the listener hears the reason.
        """
        reason = ShuttingDown("Going down.")
        self.watched.run.cancel(reason)
        self.assertModelStopped()
        self.settle()
        if self.tooLate:
            self.assertEqual(self.watched.result.text, "Hello")
        else:
            self.assertIs(self.watched.error, reason)
        self.assertNothingLeft()

    def test_moreThanOnce(self) -> None:
        """
        Stopping a run again changes nothing: the first reason holds.
        """
        reason = ShuttingDown("Going down.")
        self.watched.run.cancel(reason)
        outcomes = list(self.watched.outcomes)
        self.watched.run.cancel()
        self.watched.run.stopProducing()
        self.assertEqual(self.watched.outcomes, outcomes)
        self.watched.run.done.cancel()
        self.settle()
        self.assertEqual(len(self.watched.outcomes), 1)
        self.assertNothingLeft()
        if not self.ending:
            self.assertIs(self.watched.ends[0].value, reason)


class QueuedForSessionTests(_Cancelling, SynchronousTestCase):
    """
    Another run of this process has the session.
    """

    transcript = (HELLO, AssistantMessage("Hi."))

    def reach(self) -> Watched:
        """
        Occupy the session first.
        """
        self.occupy(KEY, kept=True)
        return self.begin()


class QueuedForSlotTests(_Cancelling, SynchronousTestCase):
    """
    As many run as may.
    """

    def reach(self) -> Watched:
        """
        Occupy all places first.
        """
        for _ in range(LIMITS.running):
            self.occupy(OTHER_KEY, kept=False)
        return self.begin()


class StatelessQueuedTests(QueuedForSlotTests):
    """
    As many run as may, and the run is in no session.
    """

    kept = False


class WaitingForClaimTests(_Cancelling, SynchronousTestCase):
    """
    Another process has the session.
    """

    foreign = True

    def reach(self) -> Watched:
        """
        Be the other process, and let the run ask for the session more than once.
        """
        self.harness.store.beginTurn(FOREIGN, "main", [], [])
        run = self.begin()
        self.harness.clock.advance(CLAIM_RETRY_SECONDS)
        return run


class BeginningTurnTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to keep what the caller said.
    """

    inTransaction = True
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Let the store take its time.
        """
        self.harness.store.held.add("beginTurn")
        run = self.begin()
        self.assertEqual(self.harness.store.waiting, ["beginTurn"])
        return run


class AskingForClaimTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to say that another process has the session.
    """

    foreign = True
    inTransaction = True

    def reach(self) -> Watched:
        """
        Be the other process, and let the store take its time.
        """
        self.harness.store.beginTurn(FOREIGN, "main", [], [])
        self.harness.store.held.add("beginTurn")
        return self.begin()


class FirstTokenTests(_Cancelling, SynchronousTestCase):
    """
    The model was asked and has not said anything yet.
    """

    calls = 1
    batches = 1
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Just begin.
        """
        return self.begin()

    def test_tooLong(self) -> None:
        """
        A run that takes too long ends, and names the clock that ran out.
        """
        self.harness.clock.advance(TIMEOUT_SECONDS - 1)
        self.assertEqual(self.watched.outcomes, [])
        self.harness.clock.advance(1)
        self.assertIs(type(self.watched.error), UpstreamTimeout)
        self.assertEqual(self.watched.error.code, "run_timeout")
        self.assertEqual(self.watched.error.status, 504)
        self.assertModelStopped()
        self.settle()
        self.assertNothingLeft()


class StreamingTests(FirstTokenTests):
    """
    The model is speaking.
    """

    batches = 2

    def reach(self) -> Watched:
        """
        Say something.
        """
        run = self.begin()
        self.harness.call.say("Hello")
        return run


class PausedTests(StreamingTests):
    """
    The model is speaking faster than the reader reads.
    """

    def reach(self) -> Watched:
        """
        Pause.
        """
        run = super().reach()
        run.run.pauseProducing()
        return run


class SecondCallTests(FirstTokenTests):
    """
    The model had nothing to say and was asked again.
    """

    calls = 2

    def reach(self) -> Watched:
        """
        Answer nothing.
        """
        run = self.begin()
        self.harness.call.finish()
        return run


class StatelessFirstTokenTests(FirstTokenTests):
    """
    The model was asked by a run in no session.
    """

    kept = False


class StatelessStreamingTests(StreamingTests):
    """
    The model speaks in no session.
    """

    kept = False


class EndingTurnTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to keep the answer.  It can't be stopped any more; only its
    holder can stop to wait.
    """

    inTransaction = True
    ending = True
    tooLate = True
    calls = 1
    batches = 2
    transcript = (HELLO, AssistantMessage("Hello"))

    def reach(self) -> Watched:
        """
        Let the store take its time with the answer.
        """
        self.harness.store.held.add("endTurn")
        run = self.begin()
        self.harness.call.say("Hello")
        self.harness.call.finish()
        self.assertEqual(self.harness.store.waiting, ["endTurn"])
        return run


class EndingFailedTurnTests(_Cancelling, SynchronousTestCase):
    """
    The run failed, and is about to give its claim back.
    """

    inTransaction = True
    ending = True
    calls = 1
    batches = 1
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Let the model fail and the store take its time.
        """
        self.harness.store.held.add("endTurn")
        run = self.begin()
        self.harness.call.fail(UpstreamUnreachable("No."))
        return run

    def assertModelStopped(self) -> None:
        """
        It has stopped already.
        """

    def test_readerGone(self) -> None:
        """
        The run failed before its reader was gone, and says so.
        """
        self.watched.run.stopProducing()
        self.settle()
        self.assertIs(type(self.watched.error), UpstreamUnreachable)
        self.assertNothingLeft()

    def test_byHouse(self) -> None:
        """
        The run failed before the runtime ended it, and says so.
        """
        self.watched.run.cancel(ShuttingDown("Going down."))
        self.settle()
        self.assertIs(type(self.watched.error), UpstreamUnreachable)
        self.assertNothingLeft()
