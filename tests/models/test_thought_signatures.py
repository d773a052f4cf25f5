"""
Tests of L{openclaw.models.thought_signatures}.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ModelReply, ModelRequest
from openclaw.messages import (
    NO_USAGE,
    AssistantMessage,
    Message,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.thought_signatures import bindThoughts, selectThoughts
from tests.models.provider_case import ProviderTestCase

CALL = ToolCall("c", "ls", "{}", "call's seal")
PLAIN = ToolCall("c", "ls", "{}")
REPLY = ModelReply("I look.", "tool_calls", NO_USAGE, (CALL,), (Thought("Hm", "seal"),))

RESULT = ToolMessage("c", "a.txt")


def kept(owner: str) -> AssistantMessage:
    """
    Return a model's message as a session stores it.
    """
    reply = bindThoughts(REPLY, owner)
    return AssistantMessage(reply.text, tuple(reply.toolCalls), tuple(reply.thoughts))


class OwnerTests(SynchronousTestCase):
    """
    A model's reasoning is sent back only to this model.
    """

    def seen(self, owner: str, *messages: Message) -> AssistantMessage:
        """
        Return the second message as a model gets it.
        """
        return selectThoughts(messages, owner)[1]

    def test_same(self) -> None:
        """
        The same model gets everything unchanged during the turn.
        """
        message = kept("a/m")
        for more in ((RESULT,), (RESULT, message, RESULT)):
            seen = self.seen("a/m", UserMessage("Hi"), message, *more)
            self.assertEqual(seen, AssistantMessage("I look.", (CALL,), REPLY.thoughts))

    def test_others(self) -> None:
        """
        Another model, or the same of another provider, gets only texts and calls.
        """
        for other in ("a/n", "b/m", "a/m2", "a/", ""):
            seen = self.seen(other, UserMessage("Hi"), kept("a/m"), RESULT)
            self.assertEqual(seen, AssistantMessage("I look.", (PLAIN,)))

    def test_earlierTurns(self) -> None:
        """
        Reasoning of earlier turns is dropped; signatures of calls are kept.
        """
        seen = self.seen(
            "a/m", UserMessage("Hi"), kept("a/m"), RESULT, UserMessage("?")
        )
        self.assertEqual(seen, AssistantMessage("I look.", (CALL,)))

    def test_withoutUser(self) -> None:
        """
        A conversation without its beginning is one turn.
        """
        seen = self.seen("a/m", AssistantMessage("…"), kept("a/m"), RESULT)
        self.assertEqual(seen.thoughts, REPLY.thoughts)

    def test_nothingToSeal(self) -> None:
        """
        A message without signatures is the same object.
        """
        reply = ModelReply("Hi", "stop", NO_USAGE, (PLAIN,))
        self.assertIs(bindThoughts(reply, "a/m"), reply)
        said = AssistantMessage("I look.", (PLAIN,))
        self.assertIs(self.seen("a/m", UserMessage("Hi"), said), said)

    def test_unmarked(self) -> None:
        """
        A signature without an owner, such as a client's, is dropped.
        """
        stray = AssistantMessage("", (CALL,), REPLY.thoughts)
        seen = self.seen("a/m", UserMessage("Hi"), stray)
        self.assertEqual(seen, AssistantMessage("", (PLAIN,)))


class ProviderTests(ProviderTestCase):
    """
    Any provider over HTTP does this.
    """

    def sent(self, model: str, *messages: Message) -> bytes:
        """
        Return the request for a conversation.
        """
        self.call = self.provider.ask(
            ModelRequest(model, "", [UserMessage("Hi"), *messages]), self.events.extend
        )
        self.network.flush()
        return msgspec.json.encode(self.served.body)

    def test_roundTrip(self) -> None:
        """
        Reasoning before a call is sent back with the result, and to no other model.
        """
        self.sent("deep")
        self.served.delta(reasoning_content="Which file?")
        function = {"name": "ls", "arguments": "{}"}
        self.served.delta(tool_calls=[{"index": 0, "id": "c", "function": function}])
        self.served.finish("tool_calls")
        self.network.flush()
        reply = self.successResultOf(self.call.done)
        said = AssistantMessage("", tuple(reply.toolCalls), tuple(reply.thoughts))
        kept = msgspec.json.decode(msgspec.json.encode(said), type=AssistantMessage)
        self.assertIn(b"Which file?", self.sent("deep", kept, RESULT))
        self.assertNotIn(b"Which file?", self.sent("shallow", kept, RESULT))
