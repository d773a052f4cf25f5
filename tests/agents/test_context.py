"""
Tests of L{openclaw.agents.context}.
"""

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.context import (
    LEFT_OUT,
    NO_RESULT,
    UNSEEN,
    Context,
    pairToolResults,
    replaceImages,
)
from openclaw.agents.token_estimates import estimateMessages
from openclaw.interfaces import Summary
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from tests.agents.conversation_strategies import ANYTHING, whole

ASK, REPLY, AGAIN = UserMessage("One?"), AssistantMessage("Two."), UserMessage("Three?")
CALL = AssistantMessage("", (ToolCall("a", "f", "{}"),))
RESULT = ToolMessage("a", "done")


def turns(messages):
    """
    Return each message other than a result, with the ids of the results directly after
    it.
    """
    found = [(None, [])]
    for message in messages:
        if isinstance(message, ToolMessage):
            found[-1][1].append(message.tool_call_id)
        else:
            found.append((message, []))
    return found


class CutTests(SynchronousTestCase):
    """
    A long conversation is cut at an allowed position.
    """

    @given(whole(minSize=2), st.integers(0, 100))
    def test_callsAndResultsStayTogether(self, messages, room):
        """
        A view never begins with a tool result.
        """
        cut = Context().findCut(messages, room)
        self.assertIsNotNone(cut)
        self.assertNotIsInstance(messages[cut], ToolMessage)

    @given(whole(minSize=2), st.integers(0, 100))
    def test_fits(self, messages, room):
        """
        A view fits, unless it is the smallest possible.
        """
        cut = Context().findCut(messages, room)
        newest = [m for m in messages[cut:] if not isinstance(m, ToolMessage)]
        if len(newest) > 1:
            self.assertLessEqual(estimateMessages(messages[cut:]), room)

    @given(whole(minSize=2), st.integers(0, 100))
    def test_noMoreThanNeeded(self, messages, room):
        """
        An earlier cut would exceed the window.
        """
        cut = Context().findCut(messages, room)
        earlier = [
            index
            for index in range(1, cut)
            if not isinstance(messages[index], ToolMessage)
        ]
        assume(earlier)
        for index in earlier:
            self.assertGreater(estimateMessages(messages[index:]), room)

    def test_nothingToLeaveOut(self):
        """
        A single message can't be cut, nor can a call with its results.
        """
        self.assertIsNone(Context().findCut([ASK], 0))
        self.assertIsNone(Context().findCut([CALL, RESULT], 0))

    @given(whole(minSize=3))
    def test_goesForward(self, messages):
        """
        Each cut leaves less than the one before, until nothing can be left out.
        """
        context, cuts = Context(), [0]
        while (cut := context.findCut(messages, 10_000)) is not None:
            context.leaveOut(cut)
            cuts.append(cut)
        self.assertEqual(cuts, sorted(set(cuts)))
        self.assertGreater(len(cuts), 1)


class ViewTests(SynchronousTestCase):
    """
    The view of a conversation that the model gets.
    """

    def test_whole(self):
        """
        A conversation that fits is not changed.
        """
        self.assertEqual(list(Context().view([ASK, REPLY])), [ASK, REPLY])

    def test_refused(self):
        """
        Turns that no model accepted are left out: their questions, calls and results,
        and the mark behind them; nothing before or after them.
        """
        bad = UserMessage("bad")
        for turn in ([bad], [bad, bad], [bad, CALL, RESULT], [bad, CALL, RESULT, CALL]):
            mark = AssistantMessage("", refused=len(turn))
            view = Context().view([ASK, REPLY, *turn, mark, AGAIN])
            self.assertEqual(list(view), [ASK, REPLY, AGAIN])
            again = Context().view([ASK, REPLY, *turn, mark, *turn, mark, AGAIN])
            self.assertEqual(list(again), [ASK, REPLY, AGAIN])
        unanswered = Context().view([ASK, bad, AssistantMessage("", refused=1), AGAIN])
        self.assertEqual(list(unanswered), [ASK, AGAIN])

    def test_refusedAtTheCut(self):
        """
        A turn of which only the end is left is left out, too.
        """
        cut = [CALL, RESULT, AssistantMessage("", refused=5), AGAIN]
        self.assertEqual(list(Context().view(cut)), [AGAIN])

    def test_stored(self):
        """
        The summary of earlier messages precedes the rest.
        """
        first, second, third = Context(Summary("They met.", 4)).view(
            [ASK, REPLY, AGAIN]
        )
        self.assertIn("They met.", first.text)
        self.assertTrue(first.text.endswith("One?"))
        self.assertEqual([second, third], [REPLY, AGAIN])

    def test_beginsWithTheAssistant(self):
        """
        The summary is a user's message if the view begins with the model's.
        """
        first, *rest = Context(Summary("They met.", 4)).view([REPLY, AGAIN])
        self.assertIsInstance(first, UserMessage)
        self.assertIn("They met.", first.text)
        self.assertEqual(rest, [REPLY, AGAIN])

    def test_images(self):
        """
        The summary does not replace an image.
        """
        image = ImagePart("image/png", "AAAA")
        (said,) = Context(Summary("They met.", 4)).view([UserMessage((image,))])
        self.assertEqual(said.images, (image,))
        self.assertIn("They met.", said.text)

    def test_summarised(self):
        """
        A new summary includes everything that is left out, and the stored summary.
        """
        context = Context(Summary("They met.", 4))
        context.summarise("They met and talked.", 2)
        (said,) = context.view([ASK, REPLY, AGAIN])
        self.assertIn("They met and talked.", said.text)
        self.assertTrue(said.text.endswith("Three?"))
        self.assertEqual(context.newSummary, Summary("They met and talked.", 6))

    def test_leftOut(self):
        """
        The model is told that messages are missing; nothing is stored.
        """
        context = Context(Summary("They met.", 4))
        context.leaveOut(2)
        (said,) = context.view([ASK, REPLY, AGAIN])
        self.assertIn("They met.", said.text)
        self.assertIn(LEFT_OUT, said.text)
        self.assertIsNone(context.newSummary)

    def test_withinATurn(self):
        """
        During a turn, the model still gets the user's request.
        """
        context = Context()
        context.summarise("Much was done.", 3)
        said, call, result = context.view([ASK, CALL, RESULT, CALL, RESULT])
        self.assertIn("Much was done.", said.text)
        self.assertTrue(said.text.endswith("One?"))
        self.assertEqual([call, result], [CALL, RESULT])

    @given(whole(minSize=2), st.integers(0, 50))
    def test_neverLosesTheNewest(self, messages, room):
        """
        All messages after the cut are unchanged.
        """
        context = Context()
        cut = context.findCut(messages, room)
        context.summarise("All that.", cut)
        shown = context.view(messages)
        self.assertEqual(
            list(shown[len(shown) - len(messages) + cut + 1 :]), messages[cut + 1 :]
        )


class WithoutImagesTests(SynchronousTestCase):
    """
    Conversations with images for a text model.
    """

    def test_told(self):
        """
        A text replaces each image; everything else is unchanged.
        """
        image = ImagePart("image/png", "AAAA")
        said = UserMessage((TextPart("Look:"), image))
        self.assertEqual(
            replaceImages([ASK, said, CALL, RESULT]),
            [ASK, UserMessage(f"Look:\n{UNSEEN}"), CALL, RESULT],
        )


class RepairedTests(SynchronousTestCase):
    """
    Conversations are repaired for providers.
    """

    @given(ANYTHING)
    def test_oneResultForEachCall(self, messages):
        """
        Each call is followed by exactly one result, and no result is without a call.
        """
        for message, results in turns(pairToolResults(messages)):
            calls = getattr(message, "tool_calls", ())
            self.assertEqual(sorted(results), sorted(call.id for call in calls))

    @given(ANYTHING)
    def test_nothingSaidIsLost(self, messages):
        """
        All messages of the user and the model remain, in order.
        """
        self.assertEqual(
            [m for m in pairToolResults(messages) if not isinstance(m, ToolMessage)],
            [m for m in messages if not isinstance(m, ToolMessage)],
        )

    @given(whole())
    def test_untouched(self, messages):
        """
        A valid conversation is not changed.
        """
        self.assertEqual(list(pairToolResults(messages)), messages)

    @given(ANYTHING)
    def test_once(self, messages):
        """
        A repaired conversation needs no repair.
        """
        once = pairToolResults(messages)
        self.assertEqual(list(pairToolResults(once)), list(once))

    def test_unanswered(self):
        """
        A call without a result gets one that says so.
        """
        asked = AssistantMessage("", (ToolCall("a", "f", "{}"),))
        question = UserMessage("And now?")
        self.assertEqual(
            pairToolResults([asked, question]),
            [asked, ToolMessage("a", NO_RESULT, True), question],
        )
