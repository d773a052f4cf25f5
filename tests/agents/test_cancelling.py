"""
Tests of L{openclaw.agents.run}: cancellation in each phase.
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
    A run that is cancelled in one phase.

    @ivar kept: Whether it has a session.
    @ivar foreign: Whether another process holds that session.
    @ivar inTransaction: Whether the run must wait for the store before it can end.
    @ivar ending: Whether its result is already determined.
    @ivar tooLate: Whether it has already succeeded.
    @ivar calls: The number of its model calls.
    @ivar batches: The number of its batches of events.
    @ivar transcript: The session's transcript in the end.
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
        Start a run and bring it into the phase.
        """
        raise NotImplementedError

    def begin(self) -> Watched:
        """
        Start the run that is to be cancelled.
        """
        return self.harness.begin(kept=self.kept)

    def occupy(self, sessionKey: str, kept: bool) -> None:
        """
        Start another run, to which the model has not replied yet.
        """
        self.others.append(self.harness.begin(sessionKey, kept=kept))

    def settle(self) -> None:
        """
        Finish pending transactions, and the other runs.
        """
        self.harness.store.release()
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
        Assert that the run has released everything, as if it had never waited.
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
        Assert that the model call was cancelled.
        """
        for call in self.asked[-1:]:
            self.assertTrue(call.done.called)
            self.assertEqual(call.cancelled, not self.tooLate)

    def test_byHolder(self) -> None:
        """
        A listener that cancels the run gets the end immediately, and once.
        """
        self.watched.run.done.cancel()
        self.assertIs(type(self.watched.error), RunCancelled)
        self.assertModelStopped()
        self.settle()
        self.assertIs(type(self.watched.error), RunCancelled)
        self.assertNothingLeft()

    def test_readerGone(self) -> None:
        """
        After the client has disconnected, the run ends as soon as possible, with one
        report.
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

    def test_byRuntime(self) -> None:
        """
        If the runtime ends the run, the listener gets the reason.
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
        Cancelling again changes nothing: the first reason is kept.
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
    Another run of this process holds the session.
    """

    transcript = (HELLO, AssistantMessage("Hi."))

    def reach(self) -> Watched:
        """
        Start a run in the session first.
        """
        self.occupy(KEY, kept=True)
        return self.begin()


class QueuedForSlotTests(_Cancelling, SynchronousTestCase):
    """
    The limit of concurrent runs is reached.
    """

    def reach(self) -> Watched:
        """
        Start as many runs first.
        """
        for _ in range(LIMITS.running):
            self.occupy(OTHER_KEY, kept=False)
        return self.begin()


class StatelessQueuedTests(QueuedForSlotTests):
    """
    The limit of concurrent runs is reached, and the run has no session.
    """

    kept = False


class WaitingForClaimTests(_Cancelling, SynchronousTestCase):
    """
    Another process holds the session.
    """

    foreign = True

    def reach(self) -> Watched:
        """
        Claim the session as another process, and let the run try more than once.
        """
        self.harness.store.beginTurn(FOREIGN, "main", [], [])
        run = self.begin()
        self.harness.clock.advance(CLAIM_RETRY_SECONDS)
        return run


class BeginningTurnTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to store the caller's message.
    """

    inTransaction = True
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Hold the store's transactions.
        """
        self.harness.store.held.add("beginTurn")
        run = self.begin()
        self.assertEqual(self.harness.store.waiting, ["beginTurn"])
        return run


class AskingForClaimTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to report that another process holds the session.
    """

    foreign = True
    inTransaction = True

    def reach(self) -> Watched:
        """
        Claim the session as another process, and hold the store's transactions.
        """
        self.harness.store.beginTurn(FOREIGN, "main", [], [])
        self.harness.store.held.add("beginTurn")
        return self.begin()


class FirstTokenTests(_Cancelling, SynchronousTestCase):
    """
    The model call has no event yet.
    """

    calls = 1
    batches = 1
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Start the run.
        """
        return self.begin()

    def test_tooLong(self) -> None:
        """
        A run over its time limit ends with an error that names the time-out.
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
    The model is replying.
    """

    batches = 2

    def reach(self) -> Watched:
        """
        Send some text.
        """
        run = self.begin()
        self.harness.call.say("Hello")
        return run


class PausedTests(StreamingTests):
    """
    The model replies faster than the client reads.
    """

    def reach(self) -> Watched:
        """
        Pause the run.
        """
        run = super().reach()
        run.run.pauseProducing()
        return run


class SecondCallTests(FirstTokenTests):
    """
    The model's reply was empty, and it is called again.
    """

    calls = 2

    def reach(self) -> Watched:
        """
        Send an empty reply.
        """
        run = self.begin()
        self.harness.call.finish()
        return run


class StatelessFirstTokenTests(FirstTokenTests):
    """
    The model call of a run without a session has no event yet.
    """

    kept = False


class StatelessStreamingTests(StreamingTests):
    """
    The model is replying to a run without a session.
    """

    kept = False


class EndingTurnTests(_Cancelling, SynchronousTestCase):
    """
    The store is about to store the reply.  The run can't be stopped any more;
    cancelling only ends the wait for it.
    """

    inTransaction = True
    ending = True
    tooLate = True
    calls = 1
    batches = 2
    transcript = (HELLO, AssistantMessage("Hello"))

    def reach(self) -> Watched:
        """
        Hold the transaction with the reply.
        """
        self.harness.store.held.add("endTurn")
        run = self.begin()
        self.harness.call.say("Hello")
        self.harness.call.finish()
        self.assertEqual(self.harness.store.waiting, ["endTurn"])
        return run


class EndingFailedTurnTests(_Cancelling, SynchronousTestCase):
    """
    The run has failed, and is about to release its claim.
    """

    inTransaction = True
    ending = True
    calls = 1
    batches = 1
    transcript = (HELLO,)

    def reach(self) -> Watched:
        """
        Let the model fail, and hold the transaction.
        """
        self.harness.store.held.add("endTurn")
        run = self.begin()
        self.harness.call.fail(UpstreamUnreachable("No."))
        return run

    def assertModelStopped(self) -> None:
        """
        Do nothing: the call has ended already.
        """

    def test_readerGone(self) -> None:
        """
        The run failed before the disconnect, and reports that error.
        """
        self.watched.run.stopProducing()
        self.settle()
        self.assertIs(type(self.watched.error), UpstreamUnreachable)
        self.assertNothingLeft()

    def test_byRuntime(self) -> None:
        """
        The run failed before the runtime ended it, and reports that error.
        """
        self.watched.run.cancel(ShuttingDown("Going down."))
        self.settle()
        self.assertIs(type(self.watched.error), UpstreamUnreachable)
        self.assertNothingLeft()
