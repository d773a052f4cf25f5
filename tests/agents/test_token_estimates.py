"""
Tests of L{openclaw.agents.token_estimates}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.token_estimates import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    estimateMessage,
    estimateMessages,
    estimateText,
    estimateTools,
)
from openclaw.interfaces import ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)


class TokenTests(SynchronousTestCase):
    """
    The estimate grows with the text.
    """

    def test_english(self):
        """
        Four letters are one token.
        """
        self.assertEqual(estimateText("The house is on the hill."), 6)

    def test_otherScripts(self):
        """
        In scripts in which a character is most of a token, it counts as such.
        """
        self.assertEqual(estimateText("山の上に家があります"), 7)

    @given(st.text(), st.text())
    def test_grows(self, text, more):
        """
        More text is never fewer tokens, for any characters.
        """
        self.assertLessEqual(estimateText(text), estimateText(text + more))

    def test_everythingCounts(self):
        """
        Texts, images, calls, arguments and results count.
        """
        said = UserMessage((TextPart("abcdefgh"), ImagePart("image/png", "AAAA")))
        call = AssistantMessage("abcd", (ToolCall("1", "read", '{"path":"abcd"}'),))
        result = ToolMessage("1", "abcdefghijkl")
        self.assertEqual(estimateMessage(said), 2 + IMAGE_TOKENS + MESSAGE_TOKENS)
        self.assertEqual(estimateMessage(call), 1 + 1 + 3 + MESSAGE_TOKENS)
        self.assertEqual(estimateMessage(result), 3 + MESSAGE_TOKENS)
        self.assertEqual(
            estimateMessages([said, call, result]),
            estimateMessage(said) + estimateMessage(call) + estimateMessage(result),
        )

    def test_tools(self):
        """
        The descriptions of tools count.
        """
        tool = ToolSpec("read", "Read a file.", {"type": "object"})
        self.assertEqual(estimateTools([tool, tool]), 2 * (4 + 4))
