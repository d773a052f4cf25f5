"""
Tests of L{openclaw.agents.compaction} and L{openclaw.agents.model_calls}: conversations
that exceed the model's context window.
"""

from dataclasses import replace

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.compaction import INSTRUCTIONS
from openclaw.agents.context import LEFT_OUT
from openclaw.agents.model_calls import DEFAULT_CONTEXT_WINDOW
from openclaw.config import Model, ModelChoice, ModelRef
from openclaw.errors import ContextTooLong, UpstreamError, UpstreamUnreachable
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, Usage, UserMessage
from openclaw.sessions.store.validation import MAX_LOADED_BYTES
from tests.agents.run_harness import AGAIN, AGENT, KEY, RunHarness

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
    A long session, and a model with a small context window.

    @ivar window: The model's configured context window, in tokens.
    """

    window = 1000

    def setUp(self):
        """
        Store a long conversation.
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
        Reply to the model call for a summary.
        """
        call = self.harness.call
        self.assertEqual(call.request.system, INSTRUCTIONS)
        call.say(text)
        call.finish(usage=Usage(100, 10))

    def answer(self):
        """
        Reply to the model call for an answer.
        """
        call = self.harness.call
        self.assertEqual(call.request.system, "Be kind.")
        call.say("Yes.")
        call.finish(usage=Usage(50, 5))

    def shown(self):
        """
        Return the messages of the conversation that the model gets.
        """
        return list(self.harness.call.request.messages)


class KnownWindowTests(CompactionTestCase):
    """
    The context window is configured.
    """

    def test_summarised(self):
        """
        The oldest part is summarised first; then the model gets the summary and the
        newest messages unchanged.
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
        The summary is not sent to the caller, but its tokens are counted.
        """
        run = self.harness.begin()
        self.summarise()
        self.answer()
        self.assertEqual(run.text, "Yes.")
        self.assertEqual(run.result.usage, Usage(150, 15))

    def test_askedForTheOldest(self):
        """
        The request for a summary contains the part that is left out, and no more; it
        has the same caller.
        """
        self.harness.begin(shareKey="token:ci")
        self.assertEqual(self.harness.call.request.caller, "token:ci")
        (question,) = self.shown()
        self.assertIn("Question 0.", question.text)
        self.assertNotIn(AGAIN.text, question.text)

    def test_transcriptStays(self):
        """
        Compaction does not change the transcript.
        """
        self.harness.begin()
        self.summarise()
        self.answer()
        self.assertEqual(
            self.harness.kept(), [*self.said, AGAIN, AssistantMessage("Yes.")]
        )

    def test_keptForTheNextTurn(self):
        """
        The next turn begins with the summary, and requests none.
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
        An earlier summary is included in the next one.
        """
        self.harness.begin()
        self.summarise()
        self.answer()
        self.harness.begin(following=[UserMessage(LONG * 3)])
        (question,) = self.shown()
        self.assertIn(SUMMARY, question.text)

    def test_failedSummary(self):
        """
        Without a summary the oldest part is left out, and the model is told so.
        Nothing is stored: the next turn tries again.
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
        An empty summary counts as a failure.
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
        The summary pauses, too, while the client is slow.
        """
        run = self.harness.begin()
        run.run.pauseProducing()
        self.assertTrue(self.harness.call.paused)

    def test_fitting(self):
        """
        A conversation that fits is not changed.
        """
        self.window = 100_000
        self.harness.begin()
        self.assertEqual(self.shown(), [*self.said, AGAIN])
        self.answer()

    def test_logged(self):
        """
        One log line reports the compaction, without any text of the conversation.
        """
        self.harness.begin()
        self.summarise()
        (line,) = [line for line in self.harness.logged if "summarised" in line]
        self.assertNotIn("Jack", line)


class RefusedTests(CompactionTestCase):
    """
    The provider rejects the conversation as too long.
    """

    window = None

    def test_onceMore(self):
        """
        The conversation is summarised, and the model is called again.
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
        If that is too long, too, the caller gets the error.
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
        A single message can't be shortened.
        """
        run = self.harness.begin(kept=False, opening=[UserMessage(LONG)])
        self.harness.call.fail(tooLong())
        self.assertEqual(run.error.code, "context_length_exceeded")
        self.assertEqual(len(self.harness.provider.calls), 1)

    def test_stateless(self):
        """
        A conversation in the request is shortened like a stored one.
        """
        run = self.harness.begin(kept=False, opening=[*self.said, AGAIN])
        self.harness.call.fail(tooLong())
        self.summarise()
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_afterTheFirstWord(self):
        """
        After the first output there is no retry.
        """
        run = self.harness.begin()
        self.harness.call.say("Well,")
        self.harness.call.fail(tooLong())
        self.assertEqual(run.error.code, "context_length_exceeded")

    def test_summaryFails(self):
        """
        If the provider can't make a summary either, the oldest part is left out.
        """
        run = self.harness.begin()
        self.harness.call.fail(tooLong())
        self.harness.call.fail(UpstreamUnreachable("Nobody is there."))
        self.assertIn(LEFT_OUT, self.shown()[0].text)
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_failedRunKeepsTheSummary(self):
        """
        A summary is stored even if the run fails afterwards.
        """
        self.harness.begin()
        self.harness.call.fail(tooLong())
        self.summarise()
        self.harness.call.fail(tooLong())
        self.harness.begin()
        self.assertIn(SUMMARY, self.shown()[0].text)


class NewestTests(CompactionTestCase):
    """
    The newest message alone is longer than the model can read.
    """

    def begin(self, tokens):
        return self.harness.begin(
            kept=False, opening=[*self.said, UserMessage("word" * tokens)]
        )

    def test_never(self):
        """
        It is refused at once: neither is a summary made nor the model called.
        """
        run = self.begin(3 * self.window)
        self.assertEqual(run.error.code, "context_length_exceeded")
        self.assertEqual(run.error.status, 400)
        self.assertEqual(self.harness.provider.calls, [])

    def test_perhaps(self):
        """
        The model is called with all messages if the estimate may be wrong.
        """
        run = self.begin(self.window + 100)
        self.assertEqual(len(self.shown()), len(self.said) + 1)
        self.harness.call.fail(tooLong())
        self.summarise()
        self.answer()
        self.assertEqual(run.result.text, "Yes.")

    def test_refused(self):
        """
        A refusal that says how much the model can read is final if the newest message
        is longer.
        """
        self.window = None
        run = self.begin(3000)
        error = tooLong()
        error.readableShare = 0.5
        self.harness.call.fail(error)
        self.assertEqual(run.error.code, "context_length_exceeded")
        self.assertEqual(len(self.harness.provider.calls), 1)

    def test_largerFallback(self):
        """
        A fallback that is known to read more is asked in its place.
        """
        windows = {"m1": self.window, "m2": 20 * self.window}
        self.harness.services = replace(
            self.harness.services,
            findModel=lambda model: Model(
                id=model.model, contextWindow=windows.get(model.model)
            ),
        )
        choice = ModelChoice(
            primary=ModelRef("scripted", "m1"), fallbacks=(ModelRef("scripted", "m2"),)
        )
        run = self.harness.begin(
            kept=False,
            opening=[UserMessage("word" * 3 * self.window)],
            agent=msgspec.structs.replace(AGENT, model=choice),
        )
        self.answer()
        self.assertEqual(run.result.text, "Yes.")
        self.assertEqual(self.harness.provider.calls[0].request.model, "m2")


class NoWindowTests(SynchronousTestCase):
    """
    The context window is unknown.
    """

    def setUp(self):
        """
        Begin without a session.
        """
        self.harness = RunHarness()
        self.harness.services = replace(
            self.harness.services, findModel=lambda model: None
        )

    def keep(self, characters):
        """
        Store a turn with a message of this length.
        """
        asked = UserMessage("x" * characters)
        claim = Claim(KEY, f"earlier {characters}")
        self.harness.store.beginTurn(claim, "main", [asked], [asked])
        self.harness.store.endTurn(claim, [AssistantMessage("Yes.")])

    def finish(self, text):
        """
        Reply to the model call.
        """
        self.harness.call.say(text)
        self.harness.call.finish()

    def test_session(self):
        """
        For a session, a window that most models have is assumed.
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
        A conversation in the request is sent completely.
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
        Messages that were not loaded are mentioned to the model, and included in a
        summary.
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
        # Four messages are older than the request; at least three are summarised.
        self.assertGreaterEqual(kept.summary.messageCount, 3)
        self.assertEqual(kept.skipped, 0)
        self.assertEqual(kept.messages[-1], AGAIN)
        self.assertEqual(kept.summary.messageCount + len(kept.messages), 7)
