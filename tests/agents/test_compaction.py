"""
Tests of L{openclaw.agents.compaction} and L{openclaw.agents.model_calls}: what a run
does about a conversation that is longer than its model can read.
"""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.compaction import INSTRUCTIONS
from openclaw.agents.context import LEFT_OUT
from openclaw.agents.model_calls import DEFAULT_CONTEXT_WINDOW
from openclaw.config import Model
from openclaw.errors import ContextTooLong, UpstreamError, UpstreamUnreachable
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, Usage, UserMessage
from openclaw.sessions.store.validation import MAX_LOADED_BYTES
from tests.agents.run_harness import AGAIN, KEY, RunHarness

LONG = "All work and no play makes Jack a dull boy. " * 20
TURNS = 6
SUMMARY = "Jack wrote a lot."


def tooLong():
    """
    Return a provider's error for a conversation that is too long.
    """
    return ContextTooLong("This model can read at most 500 tokens.")


class CompactionTestCase(SynchronousTestCase):
    """
    A session in which much was said, and a model that reads little.

    @ivar window: How much the model is known to read, in tokens.
    """

    window = 1000

    def setUp(self):
        """
        Keep a long conversation.
        """
        self.harness = RunHarness()
        self.harness.services = replace(
            self.harness.services,
            findModel=lambda model: Model(id="m1", contextWindow=self.window),
        )
        self.said = []
        for number in range(TURNS):
            asked = UserMessage(f"Question {number}. {LONG}")
            answered = AssistantMessage(f"Answer {number}. {LONG}")
            claim = Claim(KEY, f"earlier {number}")
            self.harness.store.beginTurn(claim, "main", [asked], [asked])
            self.harness.store.endTurn(claim, [answered])
            self.said += [asked, answered]

    def summarise(self, text=SUMMARY):
        """
        Play the model that is asked for a summary.
        """
        call = self.harness.call
        self.assertEqual(call.request.system, INSTRUCTIONS)
        call.say(text)
        call.finish(usage=Usage(100, 10))

    def answer(self):
        """
        Play the model that is asked for an answer.
        """
        call = self.harness.call
        self.assertEqual(call.request.system, "Be kind.")
        call.say("Yes.")
        call.finish(usage=Usage(50, 5))

    def shown(self):
        """
        Return the messages of the conversation that the model is shown.
        """
        return list(self.harness.call.request.messages)


class KnownWindowTests(CompactionTestCase):
    """
    A model is not asked what it is known not to be able to read.
    """

    def test_summarised(self):
        """
        The oldest is summarised first; then the model gets the summary and the
        newest, to the letter.
        """
        run = self.harness.begin()
        self.summarise()
        first, *rest = self.shown()
        self.assertIn(SUMMARY, first.text)
        self.assertEqual(rest, [*self.said, AGAIN][-len(rest) :])
        self.assertLess(len(rest), TURNS)
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_callerHearsTheAnswerAlone(self):
        """
        The summary is none of what the caller is told, but its tokens are counted.
        """
        run = self.harness.begin()
        self.summarise()
        self.answer()
        self.assertEqual(run.text, "Yes.")
        self.assertEqual(run.result.usage, Usage(150, 15))

    def test_askedForTheOldest(self):
        """
        The question for a summary holds what is left out, and no more; it is the same
        caller's.
        """
        self.harness.begin(shareKey="token:ci")
        self.assertEqual(self.harness.call.request.caller, "token:ci")
        (question,) = self.shown()
        self.assertIn("Question 0.", question.text)
        self.assertNotIn(AGAIN.text, question.text)

    def test_transcriptStays(self):
        """
        Compaction leaves the transcript as it was.
        """
        self.harness.begin()
        self.summarise()
        self.answer()
        self.assertEqual(
            self.harness.kept(), [*self.said, AGAIN, AssistantMessage("Yes.")]
        )

    def test_keptForTheNextTurn(self):
        """
        The next turn begins with the summary, and asks for none.
        """
        self.harness.begin()
        self.summarise()
        self.answer()
        asked = len(self.harness.provider.calls)
        self.harness.begin()
        self.assertEqual(len(self.harness.provider.calls), asked + 1)
        self.assertIn(SUMMARY, self.shown()[0].text)
        self.answer()

    def test_summaryOfSummary(self):
        """
        An earlier summary goes into the next one.
        """
        self.harness.begin()
        self.summarise()
        self.answer()
        self.harness.begin(following=[UserMessage(LONG * 3)])
        (question,) = self.shown()
        self.assertIn(SUMMARY, question.text)

    def test_failedSummary(self):
        """
        Without a summary the oldest is left out, and the model is told so.  Nothing
        is stored: the next turn tries again.
        """
        run = self.harness.begin()
        self.harness.call.fail(UpstreamError("The provider broke."))
        self.assertIn(LEFT_OUT, self.shown()[0].text)
        self.answer()
        self.assertEqual(run.result.text, "Yes.")
        self.harness.begin()
        self.summarise()

    def test_emptySummary(self):
        """
        A summary that says nothing is none.
        """
        self.harness.begin()
        self.summarise(" ")
        self.assertIn(LEFT_OUT, self.shown()[0].text)

    def test_cancelled(self):
        """
        A run can be cancelled during the summary.
        """
        run = self.harness.begin()
        run.run.cancel()
        self.assertTrue(self.harness.call.cancelled)
        self.assertEqual(run.error.code, "run_cancelled")
        self.assertEqual(len(self.harness.provider.calls), 1)

    def test_paused(self):
        """
        The summary waits too while the reader is slow.
        """
        run = self.harness.begin()
        run.run.pauseProducing()
        self.assertTrue(self.harness.call.paused)

    def test_fitting(self):
        """
        A conversation that fits is left alone.
        """
        self.window = 100_000
        self.harness.begin()
        self.assertEqual(self.shown(), [*self.said, AGAIN])
        self.answer()

    def test_logged(self):
        """
        One line in the log says what was done, without what was said.
        """
        self.harness.begin()
        self.summarise()
        (line,) = [line for line in self.harness.logged if "summarised" in line]
        self.assertNotIn("Jack", line)


class RefusedTests(CompactionTestCase):
    """
    A provider finds the conversation too long, of which nobody knew.
    """

    window = None

    def test_onceMore(self):
        """
        The conversation is summarised, and the model is asked once more.
        """
        run = self.harness.begin()
        self.assertEqual(self.shown(), [*self.said, AGAIN])
        self.harness.call.fail(tooLong())
        self.summarise()
        self.assertIn(SUMMARY, self.shown()[0].text)
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_stillTooLong(self):
        """
        If that is too long, too, the caller is told so.
        """
        run = self.harness.begin()
        self.harness.call.fail(tooLong())
        self.summarise()
        self.harness.call.fail(tooLong())
        self.assertEqual(run.error.code, "context_length_exceeded")
        self.assertEqual(run.error.status, 400)
        self.assertEqual(len(self.harness.provider.calls), 3)

    def test_nothingToLeaveOut(self):
        """
        Of a single message nothing can be left out.
        """
        run = self.harness.begin(kept=False, opening=[UserMessage(LONG)])
        self.harness.call.fail(tooLong())
        self.assertEqual(run.error.code, "context_length_exceeded")
        self.assertEqual(len(self.harness.provider.calls), 1)

    def test_stateless(self):
        """
        A conversation that the caller brought along is cut like a kept one.
        """
        run = self.harness.begin(kept=False, opening=[*self.said, AGAIN])
        self.harness.call.fail(tooLong())
        self.summarise()
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_afterTheFirstWord(self):
        """
        After the first word has been sent there is no second try.
        """
        run = self.harness.begin()
        self.harness.call.say("Well,")
        self.harness.call.fail(tooLong())
        self.assertEqual(run.error.code, "context_length_exceeded")

    def test_summaryFails(self):
        """
        If the provider can't make a summary either, the oldest is left out.
        """
        run = self.harness.begin()
        self.harness.call.fail(tooLong())
        self.harness.call.fail(UpstreamUnreachable("Nobody is there."))
        self.assertIn(LEFT_OUT, self.shown()[0].text)
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_failedRunKeepsTheSummary(self):
        """
        A summary that was made is kept, also when the answer fails then.
        """
        self.harness.begin()
        self.harness.call.fail(tooLong())
        self.summarise()
        self.harness.call.fail(tooLong())
        self.harness.begin()
        self.assertIn(SUMMARY, self.shown()[0].text)


class NoWindowTests(SynchronousTestCase):
    """
    A model of which nobody says how much it can read.
    """

    def setUp(self):
        """
        Keep nothing yet.
        """
        self.harness = RunHarness()
        self.harness.services = replace(
            self.harness.services, findModel=lambda model: None
        )

    def keep(self, characters):
        """
        Keep a turn of a session in which so much was asked.
        """
        asked = UserMessage("x" * characters)
        claim = Claim(KEY, f"earlier {characters}")
        self.harness.store.beginTurn(claim, "main", [asked], [asked])
        self.harness.store.endTurn(claim, [AssistantMessage("Yes.")])

    def finish(self, text):
        """
        Play the model.
        """
        self.harness.call.say(text)
        self.harness.call.finish()

    def test_session(self):
        """
        Of a session it is shown as much as most models can read.
        """
        self.keep(DEFAULT_CONTEXT_WINDOW)
        run = self.harness.begin()
        self.finish("Yes.")
        self.assertEqual(run.result.text, "Yes.")
        self.keep(4 * DEFAULT_CONTEXT_WINDOW)
        run = self.harness.begin()
        self.assertEqual(self.harness.call.request.system, INSTRUCTIONS)
        self.finish(SUMMARY)
        [first, *_, last] = self.harness.call.request.messages
        self.assertIn(SUMMARY, first.text)
        self.assertEqual(last, AGAIN)

    def test_stateless(self):
        """
        A stateless conversation is shown whole.
        """
        asked = [
            UserMessage("x" * 4 * DEFAULT_CONTEXT_WINDOW),
            AssistantMessage("Yes."),
            AGAIN,
        ]
        self.harness.begin(kept=False, opening=asked)
        self.assertEqual(list(self.harness.call.request.messages), asked)

    def test_notLoaded(self):
        """
        That something was not even loaded is told, and a summary stands for it, too.
        """
        self.keep(MAX_LOADED_BYTES)
        self.keep(4 * DEFAULT_CONTEXT_WINDOW)
        run = self.harness.begin()
        self.assertEqual(self.harness.call.request.system, INSTRUCTIONS)
        self.assertIn(LEFT_OUT, self.harness.call.request.messages[0].text)
        self.finish(SUMMARY)
        shown = self.harness.call.request.messages
        self.assertIn(SUMMARY, shown[0].text)
        self.assertNotIn(LEFT_OUT, shown[0].text)
        self.finish("Yes.")
        self.assertEqual(run.result.text, "Yes.")
        claim = Claim(KEY, "later")
        kept = self.successResultOf(
            self.harness.store.beginTurn(claim, "main", [AGAIN], [AGAIN])
        )
        # Four messages are older than what was asked; three at least are summed up.
        self.assertGreaterEqual(kept.summary.messageCount, 3)
        self.assertEqual(kept.skipped, 0)
        self.assertEqual(kept.messages[-1], AGAIN)
        self.assertEqual(kept.summary.messageCount + len(kept.messages), 7)
