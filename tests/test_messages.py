"""
Tests of L{openclaw.messages}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.context import NO_RESULT, pairToolResults
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
    strayResult,
)
from tests.sessions.strategies import conversations, transcripts

HELLO = UserMessage("Hello.")
CALLS = AssistantMessage("", (ToolCall("a", "look", ""), ToolCall("b", "look", "")))
RESULT_A = ToolMessage("a", "nothing")
RESULT_B = ToolMessage("b", "a cat")

few = st.lists(
    st.sampled_from([HELLO, CALLS, RESULT_A, RESULT_B, ToolMessage("c", "")]),
    max_size=8,
)
"""
Conversations with few different ids, so that results often match calls.
"""


class StrayResultTests(SynchronousTestCase):
    """
    Tool results without a call.
    """

    def test_answers(self) -> None:
        """
        Results match the calls of the message directly before, in any order.
        """
        for results in ([], [RESULT_A], [RESULT_B], [RESULT_B, RESULT_A, HELLO]):
            self.assertIsNone(strayResult([HELLO, CALLS, *results]))

    def test_first(self) -> None:
        """
        Of several stray results the first is found.
        """
        second = ToolMessage("a", "something")
        said = [CALLS, RESULT_A, second, RESULT_B, ToolMessage("b", "a dog")]
        self.assertIs(strayResult(said), second)

    def test_interrupted(self) -> None:
        """
        After another message a call can't get its result.
        """
        for between in (HELLO, AssistantMessage("Well.")):
            self.assertIs(strayResult([CALLS, between, RESULT_A]), RESULT_A)

    def test_start(self) -> None:
        """
        Results before the start are not checked, but its calls and results count.
        """
        said = [RESULT_A, CALLS, RESULT_A, RESULT_B]
        self.assertIs(strayResult(said), RESULT_A)
        for start in (1, 2, 3, 4):
            self.assertIsNone(strayResult(said, start))

    def test_repeated(self) -> None:
        """
        An identical result that is repeated is not stray, since callers retry after a
        failure.
        """
        done = [CALLS, RESULT_A, RESULT_B, AssistantMessage("Well."), RESULT_A]
        self.assertIsNone(strayResult(done, 4))
        other = ToolMessage("a", "something")
        self.assertIs(strayResult([*done[:4], other], 4), other)

    @given(conversations())
    def test_wholeConversation(self, said: list[Message]) -> None:
        """
        A conversation in which every result has its call has none.
        """
        self.assertIsNone(strayResult(said))

    @given(st.one_of(few, transcripts))
    def test_asModelsWantIt(self, said: list[Message]) -> None:
        """
        There is one exactly if the repaired conversation would lack a result.
        """
        results = [one for one in said if isinstance(one, ToolMessage)]
        shown = [
            one
            for one in pairToolResults(said)
            if isinstance(one, ToolMessage) and one.content != NO_RESULT
        ]
        if strayResult(said) is None:
            self.assertLessEqual(set(results), set(shown))
        else:
            self.assertNotEqual(shown, results)
