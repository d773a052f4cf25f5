"""
Tests of L{openclaw.transcript}, and of a transcript's wire form.
"""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.context import pairToolResults, replaceImages
from openclaw.agents.token_estimates import estimateMessages, fits
from openclaw.interfaces import ModelRequest
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.thought_signatures import selectThoughts
from openclaw.transcript import PlainTranscript, isPlain

texts = st.text(st.characters(codec="utf-8"), max_size=40)
plain = st.lists(st.builds(UserMessage, texts) | st.builds(AssistantMessage, texts))


def kept(messages: list[Message]) -> PlainTranscript:
    """
    Return messages as a store returns them.
    """
    encoded = b",".join(map(msgspec.json.encode, messages))
    return PlainTranscript(encoded, len(messages))


class PlainTranscriptTests(SynchronousTestCase):
    """
    A transcript is a sequence of messages, and JSON.
    """

    @given(plain)
    def test_sequence(self, messages: list[Message]) -> None:
        """
        It is a normal sequence.
        """
        transcript = kept(messages)
        self.assertEqual(len(transcript), len(messages))
        self.assertEqual(list(transcript), messages)
        self.assertEqual(list(transcript[1:]), messages[1:])
        self.assertEqual(transcript, tuple(messages))
        self.assertNotEqual(transcript, [*messages, UserMessage("more")])
        self.assertNotEqual(transcript, 7)
        if messages:
            self.assertEqual(transcript[-1], messages[-1])

    @given(plain, texts)
    def test_onTheWire(self, messages: list[Message], system: str) -> None:
        """
        A provider gets the same bytes.
        """
        encode = OpenAICompletions().encode
        self.assertEqual(
            encode(ModelRequest("m", system, kept(messages))),
            encode(ModelRequest("m", system, messages)),
        )

    @given(plain)
    def test_asItIs(self, messages: list[Message]) -> None:
        """
        Nothing on the way changes it.
        """
        transcript = kept(messages)
        for step in (
            pairToolResults,
            replaceImages,
            lambda them: selectThoughts(them, "x/y"),
        ):
            self.assertIs(step(transcript), transcript)
            self.assertEqual(list(step(messages)), messages)

    @given(plain, st.integers(0, 200))
    def test_room(self, messages: list[Message], room: int) -> None:
        """
        Text that is not decoded counts the same as text that is.
        """
        self.assertEqual(fits(kept(messages), room), estimateMessages(messages) <= room)

    def test_isPlain(self) -> None:
        """
        Messages with more than text are not plain.
        """
        texts = [UserMessage("a"), AssistantMessage("b")]
        self.assertTrue(isPlain(texts))
        self.assertTrue(isPlain(kept(texts)))
        for other in (
            UserMessage((ImagePart("image/png", "AA=="),)),
            AssistantMessage("", (ToolCall("c", "t", "{}"),)),
            AssistantMessage("", (), (Thought("hm", "s"),)),
            ToolMessage("c", "r"),
        ):
            self.assertFalse(isPlain([*texts, other]))


__all__ = ["PlainTranscriptTests"]
