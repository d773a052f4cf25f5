"""
The contract of a session store on conversations.
"""

from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore


class StoreKeepsConversations(OpenStore):
    """
    Messages are stored in order.
    """

    async def test_unknownSession(self) -> None:
        """
        An unknown session has no messages.
        """
        await self.assertKept()
        self.assertEqual(list(await self.store.sessions()), [])

    async def test_newSessionTakesOpening(self) -> None:
        """
        A new session gets the opening messages, which the run gets back.
        """
        conversation = await self.seen("1", opening=(HELLO, ANSWER, AGAIN))
        self.assertEqual(conversation, [HELLO, ANSWER, AGAIN])
        await self.assertKept(HELLO, ANSWER, AGAIN)

    async def test_answerIsAppended(self) -> None:
        """
        The run's reply comes after its request.
        """
        await self.begin("1")
        await self.end("1", ANSWER, ANSWER)
        await self.assertKept(HELLO, ANSWER, ANSWER)

    async def test_knownSessionTakesFollowing(self) -> None:
        """
        An existing session gets only the new messages, and the run gets all of them.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        conversation = await self.seen("2")
        self.assertEqual(conversation, [HELLO, ANSWER, AGAIN])
        await self.end("2", ANSWER)
        await self.assertKept(HELLO, ANSWER, AGAIN, ANSWER)

    async def test_emptySessionTakesOpening(self) -> None:
        """
        A session without messages gets the opening messages.
        """
        self.assertEqual(await self.seen("1", opening=()), [])
        await self.end("1")
        self.assertEqual(await self.seen("2"), [HELLO])
        await self.end("2")
        await self.assertKept(HELLO)

    async def test_nothingFollows(self) -> None:
        """
        A turn can add no message.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        self.assertEqual(await self.seen("2", following=()), [HELLO, ANSWER])
        await self.end("2")
        await self.assertKept(HELLO, ANSWER)

    async def test_failedRun(self) -> None:
        """
        After a failed run the user's message remains, and the session is free.
        """
        await self.begin("1")
        await self.end("1")
        await self.assertKept(HELLO)
        self.assertEqual(await self.seen("2"), [HELLO, AGAIN])

    async def test_everyKindOfMessage(self) -> None:
        """
        All kinds of messages come back unchanged, with unusual characters and tool
        calls.
        """
        said = [
            UserMessage(content=""),
            UserMessage(content="nul \0, quotes '\"`, \\, \r\n\t\x1b, \u2028, \x7f"),
            AssistantMessage(
                content="日本語 🦞 e\u0301 \ufeff \U0010ffff",
                tool_calls=(
                    ToolCall(id="call_1", name="look", arguments='{"where": "не'),
                    ToolCall(id="", name="", arguments=""),
                ),
            ),
            ToolMessage(tool_call_id="call_1", content="],[ -- '; DROP TABLE x;"),
            AssistantMessage(content="x" * 300_000),
            AssistantMessage(content="", refused=2),
        ]
        self.assertEqual(await self.seen("1", opening=said), said)
        await self.end("1", *said)
        await self.assertKept(*said, *said)

    async def test_longConversation(self) -> None:
        """
        A conversation of many turns comes back in order.
        """
        said = []
        for number in range(60):
            question = UserMessage(content=f"question {number}")
            answer = AssistantMessage(content=f"answer {number}")
            await self.begin(str(number), opening=[question], following=[question])
            await self.end(str(number), answer)
            said += [question, answer]
        await self.assertKept(*said)

    async def test_anyKey(self) -> None:
        """
        Keys are distinguished by each character, whatever they contain.
        """
        keys = ["a", "A", "", " a", "a\0", "a\0b", "é", "e\u0301", "🦞", "%", "'", "_"]
        for key in keys:
            await self.begin("1", key, opening=[UserMessage(content=key)])
        for key in keys:
            await self.assertKept(UserMessage(content=key), key=key)


__all__ = ["StoreKeepsConversations"]
