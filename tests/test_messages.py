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
Conversations of few words, so that results often answer something.
"""


class StrayResultTests(SynchronousTestCase):
    """
    A result of a tool is the answer to a call, or nothing at all.
    """

    def test_answers(self) -> None:
        """
        Results answer the calls of the message right before them, in any order.
        """
        for results in ([], [RESULT_A], [RESULT_B], [RESULT_B, RESULT_A, HELLO]):
            self.assertIsNone(strayResult([HELLO, CALLS, *results]))

    def test_first(self) -> None:
        """
        Of several results that answer nothing the first is found.
        """
        second = ToolMessage("a", "something")
        said = [CALLS, RESULT_A, second, RESULT_B, ToolMessage("b", "a dog")]
        self.assertIs(strayResult(said), second)

    def test_interrupted(self) -> None:
        """
        A message after a call ends the wait for its result.
        """
        for between in (HELLO, AssistantMessage("Well.")):
            self.assertIs(strayResult([CALLS, between, RESULT_A]), RESULT_A)

    def test_start(self) -> None:
        """
        Results before the start are not looked for, but its calls and results count.
        """
        said = [RESULT_A, CALLS, RESULT_A, RESULT_B]
        self.assertIs(strayResult(said), RESULT_A)
        for start in (1, 2, 3, 4):
            self.assertIsNone(strayResult(said, start))

    def test_repeated(self) -> None:
        """
        A result that was sent again, to the letter, is none: whoever tries again
        after a failure sends it again, whatever the agent did in between.
        """
        done = [CALLS, RESULT_A, RESULT_B, AssistantMessage("Well."), RESULT_A]
        self.assertIsNone(strayResult(done, 4))
        other = ToolMessage("a", "something")
        self.assertIs(strayResult([*done[:4], other], 4), other)

    @given(conversations())
    def test_wholeConversation(self, said: list[Message]) -> None:
        """
        In a conversation in which every result has its call none is found.
        """
        self.assertIsNone(strayResult(said))

    @given(st.one_of(few, transcripts))
    def test_asModelsWantIt(self, said: list[Message]) -> None:
        """
        It is found where a model would not be shown every result.
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
