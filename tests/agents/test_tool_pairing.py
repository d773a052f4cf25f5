"""
Tests of L{openclaw.agents.tool_pairing}.
"""

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.tool_pairing import NO_RESULT, pairToolResults
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from tests.agents.conversation_strategies import ANYTHING, whole


def turns(messages):
    """
    Each message that is no result, with the ids of the results right behind it.
    """
    found = [(None, [])]
    for message in messages:
        if isinstance(message, ToolMessage):
            found[-1][1].append(message.tool_call_id)
        else:
            found.append((message, []))
    return found


class RepairedTests(SynchronousTestCase):
    """
    A provider gets a conversation that it does not refuse.
    """

    @given(ANYTHING)
    def test_oneResultForEachCall(self, messages):
        """
        Behind each call stands exactly one result, and no result stands alone.
        """
        for message, results in turns(pairToolResults(messages)):
            calls = getattr(message, "tool_calls", ())
            self.assertEqual(sorted(results), sorted(call.id for call in calls))

    @given(ANYTHING)
    def test_nothingSaidIsLost(self, messages):
        """
        All messages of the user and the model stay, in their order.
        """
        self.assertEqual(
            [m for m in pairToolResults(messages) if not isinstance(m, ToolMessage)],
            [m for m in messages if not isinstance(m, ToolMessage)],
        )

    @given(whole())
    def test_untouched(self, messages):
        """
        A conversation that is whole stays as it is.
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
        The model is told of a call that has no result that it has none.
        """
        asked = AssistantMessage("", (ToolCall("a", "f", "{}"),))
        question = UserMessage("And now?")
        self.assertEqual(
            pairToolResults([asked, question]),
            [asked, ToolMessage("a", NO_RESULT, True), question],
        )
