"""
Tests of L{openclaw.agents.token_estimates}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.token_estimates import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    tokensOf,
    tokensOfAll,
    tokensOfText,
    tokensOfTools,
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
    The guess grows with what a model has to read.
    """

    def test_english(self):
        """
        Four letters are a token.
        """
        self.assertEqual(tokensOfText("The house is on the hill."), 6)

    def test_otherScripts(self):
        """
        In scripts in which a character is most of a token, it counts as most of one.
        """
        self.assertEqual(tokensOfText("山の上に家があります"), 7)

    @given(st.text(), st.text())
    def test_grows(self, text, more):
        """
        More text is never fewer tokens, whatever characters it has.
        """
        self.assertLessEqual(tokensOfText(text), tokensOfText(text + more))

    def test_everythingCounts(self):
        """
        Words, images, calls, arguments and results count.
        """
        said = UserMessage((TextPart("abcdefgh"), ImagePart("image/png", "AAAA")))
        call = AssistantMessage("abcd", (ToolCall("1", "read", '{"path":"abcd"}'),))
        result = ToolMessage("1", "abcdefghijkl")
        self.assertEqual(tokensOf(said), 2 + IMAGE_TOKENS + MESSAGE_TOKENS)
        self.assertEqual(tokensOf(call), 1 + 1 + 3 + MESSAGE_TOKENS)
        self.assertEqual(tokensOf(result), 3 + MESSAGE_TOKENS)
        self.assertEqual(
            tokensOfAll([said, call, result]),
            tokensOf(said) + tokensOf(call) + tokensOf(result),
        )

    def test_tools(self):
        """
        So does what a model is told of its tools.
        """
        tool = ToolSpec("read", "Read a file.", {"type": "object"})
        self.assertEqual(tokensOfTools([tool, tool]), 2 * (4 + 4))
