"""
The contract of a session store on the results of tools: it takes only those that answer
a call.
"""

from collections.abc import Sequence

from openclaw.errors import InvalidRequest
from openclaw.interfaces import Summary
from openclaw.messages import AssistantMessage, Message, ToolCall, ToolMessage
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore

CALLS = AssistantMessage(
    content="", tool_calls=(ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}"))
)
RESULT_A = ToolMessage(tool_call_id="a", content="nothing")
RESULT_B = ToolMessage(tool_call_id="b", content="a cat")


class StoreRefusesStrayResults(OpenStore):
    """
    A result of a tool that answers no call is the caller's mistake.
    """

    async def assertStray(
        self,
        named: str,
        opening: Sequence[Message] = (),
        following: Sequence[Message] = (),
    ) -> None:
        """
        Assert that a turn can't begin, because of the result of the call C{named};
        and that nothing has happened.
        """
        before = await self.store.sessions()
        kept = await self.store.transcript("agent:main:a")
        with self.assertRaises(InvalidRequest) as caught:
            await self.begin("refused", opening=opening, following=following)
        self.assertEqual(caught.exception.param, "messages")
        self.assertIn(repr(named), caught.exception.message)
        self.assertEqual(await self.store.sessions(), before)
        await self.assertKept(*kept)
        self.assertIsNotNone(await self.begin("next", opening=(), following=()))
        await self.end("next")

    async def test_results(self) -> None:
        """
        Results may come in any order, some now and some in the next turn.
        """
        await self.begin("1")
        await self.end("1", CALLS)
        self.assertEqual(
            await self.seen("2", following=[RESULT_B]), [HELLO, CALLS, RESULT_B]
        )
        await self.end("2")
        self.assertEqual(
            await self.seen("3", following=[RESULT_A, AGAIN]),
            [HELLO, CALLS, RESULT_B, RESULT_A, AGAIN],
        )

    async def test_failure(self) -> None:
        """
        A call that failed is kept as one, and a text that speaks of an error is none.
        """
        failed = ToolMessage(tool_call_id="a", content="no such file", isError=True)
        read = ToolMessage(tool_call_id="b", content="Error: disk full")
        await self.begin("1")
        await self.end("1", CALLS, failed, read, ANSWER)
        await self.assertKept(HELLO, CALLS, failed, read, ANSWER)
        self.assertEqual(
            await self.seen("2", following=[AGAIN]),
            [HELLO, CALLS, failed, read, ANSWER, AGAIN],
        )

    async def test_noSuchCall(self) -> None:
        """
        A result of a call that nobody made is refused, and so are those with it.
        """
        await self.begin("1")
        await self.end("1", CALLS)
        stray = ToolMessage(tool_call_id="c", content="")
        await self.assertStray("c", following=[RESULT_A, RESULT_B, stray, AGAIN])

    async def test_secondResult(self) -> None:
        """
        A call has one result.
        """
        await self.begin("1")
        await self.end("1", CALLS, RESULT_A)
        other = ToolMessage(tool_call_id="a", content="something else")
        await self.assertStray("a", following=[other])
        await self.assertStray("a", following=[RESULT_B, other])

    async def test_repeatedResult(self) -> None:
        """
        Whoever tries again after a failure sends the same result again, and may.
        """
        await self.begin("1")
        await self.end("1", CALLS)
        await self.begin("2", following=[RESULT_A, RESULT_B])
        await self.end("2")
        await self.begin("3", following=[RESULT_A, RESULT_B])
        await self.end("3", ANSWER)

    async def test_lateResult(self) -> None:
        """
        Once something else was said it is too late for a result.
        """
        await self.begin("1")
        await self.end("1", CALLS, RESULT_A, ANSWER)
        await self.assertStray("b", following=[RESULT_B])

    async def test_resultFirst(self) -> None:
        """
        No session begins with a result; the refused one does not come into being.
        """
        with self.assertRaises(InvalidRequest):
            await self.begin("1", opening=[RESULT_A])
        self.assertEqual(list(await self.store.sessions()), [])
        await self.begin("1", opening=())
        await self.end("1")
        await self.assertStray("b", opening=[HELLO, CALLS, RESULT_A, HELLO, RESULT_B])

    async def test_openingWithResults(self) -> None:
        """
        A conversation that the caller brings along can have calls and results.
        """
        opening = [HELLO, CALLS, RESULT_B, RESULT_A, ANSWER, AGAIN]
        self.assertEqual(await self.seen("1", opening=opening), opening)

    async def test_whatIsNotTakenIsNotLookedAt(self) -> None:
        """
        Only what would be appended counts: the opening of a new session, and what
        follows in an old one.
        """
        await self.begin("1", following=[RESULT_A])
        await self.end("1")
        self.assertEqual(
            await self.seen("2", opening=[RESULT_A], following=[AGAIN]), [HELLO, AGAIN]
        )

    async def test_strayResultInThePast(self) -> None:
        """
        A stray result that is already in a transcript is not blamed on today's caller.
        """
        await self.begin("1")
        await self.end("1", RESULT_A, CALLS)
        self.assertEqual(
            await self.seen("2", following=[RESULT_A]),
            [HELLO, RESULT_A, CALLS, RESULT_A],
        )

    async def test_summarisedCall(self) -> None:
        """
        A result of a call that only a summary stands for is refused: the model
        would not see what it answers.
        """
        await self.begin("1")
        await self.end("1", CALLS, summary=Summary("A greeting.", 2))
        await self.assertStray("a", following=[RESULT_A])

    async def test_heldSession(self) -> None:
        """
        While a run holds the session nothing is known of what it will call, so the
        next one waits, whatever it brings.
        """
        await self.begin("1")
        self.assertIsNone(await self.begin("2", following=[RESULT_A]))
        await self.end("1", CALLS)
        self.assertEqual(
            await self.seen("2", following=[RESULT_A]), [HELLO, CALLS, RESULT_A]
        )

    async def test_longID(self) -> None:
        """
        The error does not grow with the id that it names.
        """
        stray = ToolMessage(tool_call_id="\n" * 5_000, content="")
        with self.assertRaises(InvalidRequest) as caught:
            await self.begin("1", opening=[stray])
        self.assertLess(len(caught.exception.message), 300)
        self.assertNotIn("\n", caught.exception.message)


__all__ = ["StoreRefusesStrayResults"]
