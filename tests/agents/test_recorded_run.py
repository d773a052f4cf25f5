"""
Tests of L{openclaw.agents.recorded_run}.
"""

from openclaw.agents.recorded_run import PIECE_EVENTS, RecordedRun
from openclaw.agents.run_request import RunRequest
from openclaw.errors import OpenClawError, RunCancelled, UpstreamRefused
from openclaw.events import RunStarted, TextDelta
from tests.agents.run_harness import AGENT, KEY
from tests.agents.runtime_case import ANSWER, QUESTION, RuntimeTestCase


class RecordTestCase(RuntimeTestCase):
    """
    A run with several listeners.
    """

    def record(self, **wishes):
        """
        Create a recorded run without starting it.
        """
        request = RunRequest(
            agent=AGENT,
            system="",
            sessionKey=KEY,
            stateful=False,
            opening=[QUESTION],
            following=[QUESTION],
        )
        return RecordedRun(request, **wishes)

    def listen(self, record):
        """
        Subscribe a listener.

        @return: The subscription, and the received events.
        """
        heard = []
        listening = record.subscribe(heard.extend)
        # Some tests only inspect the run.
        self.addCleanup(listening.done.addErrback, lambda failure: None)
        return listening, heard

    def begin(self, record):
        """
        Start the run.
        """
        record.start(self.runtime.startRun)

    @property
    def call(self):
        """
        Return the model call.
        """
        return self.provider.calls[-1]


class OneListenerTests(RecordTestCase):
    """
    A listener gets the answer.
    """

    def test_hears(self):
        """
        The listener gets all events, and then the result.
        """
        for recorded in (False, True):
            record = self.record(recorded=recorded)
            listening, heard = self.listen(record)
            self.begin(record)
            self.call.say("Hi", "!")
            self.assertEqual(heard, [RunStarted(), TextDelta("Hi"), TextDelta("!")])
            self.assertNoResult(listening.done)
            self.call.finish()
            self.assertEqual(self.successResultOf(listening.done).text, "Hi!")

    def test_fails(self):
        """
        The listener gets the error.
        """
        record = self.record()
        listening, _ = self.listen(record)
        self.begin(record)
        self.call.fail(UpstreamRefused("No."))
        error = self.failureResultOf(listening.done, UpstreamRefused).value
        self.assertEqual(error.message, "No.")

    def test_nothingIsKept(self):
        """
        The events of a run that is not recorded are dropped.
        """
        record = self.record()
        self.listen(record)
        self.begin(record)
        self.call.say(ANSWER)
        self.assertEqual(record.events, [])
        self.call.finish()

    def test_gone(self):
        """
        When the listener goes away the model call is cancelled, in each way of going
        away.
        """
        for leave in ("stopProducing", "cancel"):
            record = self.record()
            listening, _ = self.listen(record)
            self.begin(record)
            going = listening if leave == "stopProducing" else listening.done
            getattr(going, leave)()
            self.assertTrue(self.call.cancelled)
            self.failureResultOf(listening.done, RunCancelled)

    def test_goneAtOnce(self):
        """
        The same applies while the run starts.
        """
        record = self.record()
        listening = record.subscribe(lambda events: listening.stopProducing())
        self.begin(record)
        self.failureResultOf(listening.done, RunCancelled)
        self.assertEqual(self.runtime.runs, {})

    def test_slow(self):
        """
        The model call pauses while the listener is slow.
        """
        for recorded in (False, True):
            record = self.record(recorded=recorded)
            listening, _ = self.listen(record)
            self.begin(record)
            listening.pauseProducing()
            self.assertTrue(self.call.paused)
            listening.resumeProducing()
            self.assertFalse(self.call.paused)
            self.call.finish()

    def test_slowFromTheStart(self):
        """
        It also pauses if the listener was slow before it.
        """
        record = self.record()
        listening, _ = self.listen(record)
        listening.pauseProducing()
        self.begin(record)
        self.assertTrue(self.call.paused)


class MoreListenersTests(RecordTestCase):
    """
    Later listeners get all events, too.
    """

    def test_later(self):
        """
        A later listener gets earlier events first, and then those of the others.
        """
        record = self.record(recorded=True)
        first, _ = self.listen(record)
        self.begin(record)
        self.call.say("One")
        second, heard = self.listen(record)
        self.assertEqual(heard, [RunStarted(), TextDelta("One")])
        self.call.say("Two")
        self.call.finish()
        self.assertEqual(heard[2:], [TextDelta("Two")])
        for listening in (first, second):
            self.assertEqual(self.successResultOf(listening.done).text, "OneTwo")

    def test_afterTheEnd(self):
        """
        A listener after the end gets all events and the end.
        """
        record = self.record(recorded=True)
        self.listen(record)
        self.begin(record)
        self.call.say(ANSWER)
        self.call.finish()
        listening, heard = self.listen(record)
        self.assertEqual(heard, [RunStarted(), TextDelta(ANSWER)])
        self.assertEqual(self.successResultOf(listening.done).text, ANSWER)

    def test_failures(self):
        """
        Each listener gets its own failure, without references to the others.
        """
        record = self.record(recorded=True)
        first, _ = self.listen(record)
        self.begin(record)
        self.call.fail(UpstreamRefused("No.", param="messages"))
        second, _ = self.listen(record)
        errors = [
            self.failureResultOf(each.done, UpstreamRefused).value
            for each in (first, second)
        ]
        self.assertIsNot(*errors)
        self.assertEqual([error.param for error in errors], ["messages"] * 2)
        self.assertIsNone(record.outcome.__traceback__)
        self.assertIsInstance(record.outcome, OpenClawError)

    def test_oneGoes(self):
        """
        The run continues while one listener remains.
        """
        record = self.record(recorded=True)
        first, _ = self.listen(record)
        self.begin(record)
        second, heard = self.listen(record)
        first.stopProducing()
        self.call.say("Hi.")
        self.assertIn(TextDelta("Hi."), heard)
        second.stopProducing()
        self.assertTrue(self.call.cancelled)

    def test_goesOn(self):
        """
        The run continues to its end if that was requested.
        """
        record = self.record(recorded=True, keepsRunning=True)
        listening, _ = self.listen(record)
        self.begin(record)
        listening.pauseProducing()
        listening.stopProducing()
        self.assertFalse(self.call.paused)
        self.call.say("Hi.")
        self.call.finish()
        self.assertEqual(record.outcome.text, "Hi.")

    def test_goneInTheLog(self):
        """
        The run's log line shows whether all listeners went away.
        """
        for leaving, gone in ((1, "no"), (2, "yes")):
            record = self.record(recorded=True, keepsRunning=True)
            listenings = [self.listen(record)[0] for _ in range(2)]
            self.begin(record)
            for listening in listenings[:leaving]:
                listening.stopProducing()
            # A listener that returns does not change that.
            self.listen(record)
            self.call.say("Hi.")
            self.call.finish()
            self.assertIn(f" outcome=stop gone={gone} ", self.logged[-1])

    def test_slowAfterTheEnd(self):
        """
        A listener after the end gets events at its own pace, and then the end.
        """
        record = self.record(recorded=True)
        self.listen(record)
        self.begin(record)
        self.call.say(*"x" * (2 * PIECE_EVENTS))
        self.call.finish()
        heard = []

        def take(events):
            heard.extend(events)
            listening.pauseProducing()

        listening = record.subscribe(take, paused=True)
        self.assertEqual(heard, [])
        for pieces in (1, 2):
            listening.resumeProducing()
            self.assertEqual(len(heard), pieces * PIECE_EVENTS)
            self.assertNoResult(listening.done)
        listening.resumeProducing()
        self.assertEqual(heard, record.events)
        self.successResultOf(listening.done)

    def test_goesAfterTheEnd(self):
        """
        It can go away before it has all events.
        """
        record = self.record(recorded=True)
        self.listen(record)
        self.begin(record)
        self.call.say(ANSWER)
        self.call.finish()
        listening = record.subscribe(lambda events: None, paused=True)
        listening.stopProducing()
        self.failureResultOf(listening.done, RunCancelled)

    def test_oneIsSlow(self):
        """
        A slow listener does not delay the others, and gets all events in order.
        """
        record = self.record(recorded=True)
        slow, late = self.listen(record)
        quick, heard = self.listen(record)
        self.begin(record)
        slow.pauseProducing()
        self.call.say("One", "Two")
        self.assertFalse(self.call.paused)
        self.assertEqual(late, [RunStarted()])
        slow.resumeProducing()
        self.assertEqual(late, heard)
        slow.pauseProducing()
        self.call.say("Three")
        self.call.finish()
        self.successResultOf(quick.done)
        self.assertNoResult(slow.done)
        slow.resumeProducing()
        self.assertEqual(late, heard)
        self.successResultOf(slow.done)
        self.successResultOf(quick.done)

    def test_allAreSlow(self):
        """
        The model call pauses if all listeners are slow.
        """
        record = self.record(recorded=True)
        listenings = [self.listen(record)[0] for _ in range(2)]
        self.begin(record)
        for listening in listenings:
            self.assertFalse(self.call.paused)
            listening.pauseProducing()
        self.assertTrue(self.call.paused)
        listenings[1].stopProducing()
        self.assertTrue(self.call.paused)
        listenings[0].resumeProducing()
        self.assertFalse(self.call.paused)
        self.call.finish()
