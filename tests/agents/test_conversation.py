"""
Tests of L{openclaw.agents.conversation}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.conversation import NO_RESULT, repaired
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage

IDS = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def assistants(draw):
    """
    Something a model said, with calls or without.
    """
    ids = draw(st.lists(IDS, unique=True, max_size=3))
    return AssistantMessage(
        draw(st.text(max_size=20)), tuple(ToolCall(each, "f", "{}") for each in ids)
    )


USERS = st.builds(UserMessage, st.text(max_size=20))
RESULTS = st.builds(ToolMessage, IDS, st.text(max_size=20))
ANYTHING = st.lists(st.one_of(USERS, assistants(), RESULTS), max_size=12)


@st.composite
def whole(draw):
    """
    A conversation in which all calls have their results.
    """
    messages = []
    for message in draw(st.lists(st.one_of(USERS, assistants()), max_size=8)):
        messages.append(message)
        if isinstance(message, AssistantMessage):
            calls = draw(st.permutations(message.tool_calls))
            messages += [ToolMessage(call.id, draw(st.text())) for call in calls]
    return messages


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
        for message, results in turns(repaired(messages)):
            calls = getattr(message, "tool_calls", ())
            self.assertEqual(sorted(results), sorted(call.id for call in calls))

    @given(ANYTHING)
    def test_nothingSaidIsLost(self, messages):
        """
        What the person and the model said stays, in its order.
        """
        self.assertEqual(
            [m for m in repaired(messages) if not isinstance(m, ToolMessage)],
            [m for m in messages if not isinstance(m, ToolMessage)],
        )

    @given(whole())
    def test_untouched(self, messages):
        """
        A conversation that is whole stays as it is.
        """
        self.assertEqual(list(repaired(messages)), messages)

    @given(ANYTHING)
    def test_once(self, messages):
        """
        What was repaired needs no repair.
        """
        once = repaired(messages)
        self.assertEqual(list(repaired(once)), list(once))

    def test_unanswered(self):
        """
        The model is told of a call that has no result that it has none.
        """
        asked = AssistantMessage("", (ToolCall("a", "f", "{}"),))
        question = UserMessage("And now?")
        self.assertEqual(
            repaired([asked, question]),
            [asked, ToolMessage("a", NO_RESULT), question],
        )
