"""
The contract of a session store on tool results: each must have a call.
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
    A tool result without a call is the caller's error.
    """

    async def assertStray(
        self,
        named: str,
        opening: Sequence[Message] = (),
        following: Sequence[Message] = (),
    ) -> None:
        """
        Assert that a turn can't begin because of the result of the call C{named}, and
        that nothing has changed.
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
        Results may come in any order, and in several turns.
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
        A failed call stays one, and a text about an error is not a failure.
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
        A result without a call is rejected together with the other messages.
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
        An identical result may be repeated, since callers retry after a failure.
        """
        await self.begin("1")
        await self.end("1", CALLS)
        await self.begin("2", following=[RESULT_A, RESULT_B])
        await self.end("2")
        await self.begin("3", following=[RESULT_A, RESULT_B])
        await self.end("3", ANSWER)

    async def test_lateResult(self) -> None:
        """
        A result after another message is rejected.
        """
        await self.begin("1")
        await self.end("1", CALLS, RESULT_A, ANSWER)
        await self.assertStray("b", following=[RESULT_B])

    async def test_resultFirst(self) -> None:
        """
        A session can't begin with a result, and is not created by one.
        """
        with self.assertRaises(InvalidRequest):
            await self.begin("1", opening=[RESULT_A])
        self.assertEqual(list(await self.store.sessions()), [])
        await self.begin("1", opening=())
        await self.end("1")
        await self.assertStray("b", opening=[HELLO, CALLS, RESULT_A, HELLO, RESULT_B])

    async def test_openingWithResults(self) -> None:
        """
        The opening messages of a caller can have calls and results.
        """
        opening = [HELLO, CALLS, RESULT_B, RESULT_A, ANSWER, AGAIN]
        self.assertEqual(await self.seen("1", opening=opening), opening)

    async def test_whatIsNotTakenIsNotLookedAt(self) -> None:
        """
        Only messages that would be appended are checked: the opening ones for a new
        session, the following ones for an existing one.
        """
        await self.begin("1", following=[RESULT_A])
        await self.end("1")
        self.assertEqual(
            await self.seen("2", opening=[RESULT_A], following=[AGAIN]), [HELLO, AGAIN]
        )

    async def test_strayResultInThePast(self) -> None:
        """
        A stray result that is already stored does not fail later turns.
        """
        await self.begin("1")
        await self.end("1", RESULT_A, CALLS)
        self.assertEqual(
            await self.seen("2", following=[RESULT_A]),
            [HELLO, RESULT_A, CALLS, RESULT_A],
        )

    async def test_summarisedCall(self) -> None:
        """
        A result is rejected if its call was replaced by a summary, since the model
        would not get the call.
        """
        await self.begin("1")
        await self.end("1", CALLS, summary=Summary("A greeting.", 2))
        await self.assertStray("a", following=[RESULT_A])

    async def test_heldSession(self) -> None:
        """
        While a run holds the session its calls are not known yet, so the next run
        waits, whatever its messages are.
        """
        await self.begin("1")
        self.assertIsNone(await self.begin("2", following=[RESULT_A]))
        await self.end("1", CALLS)
        self.assertEqual(
            await self.seen("2", following=[RESULT_A]), [HELLO, CALLS, RESULT_A]
        )

    async def test_longID(self) -> None:
        """
        The error's length does not depend on the id.
        """
        stray = ToolMessage(tool_call_id="\n" * 5_000, content="")
        with self.assertRaises(InvalidRequest) as caught:
            await self.begin("1", opening=[stray])
        self.assertLess(len(caught.exception.message), 300)
        self.assertNotIn("\n", caught.exception.message)


__all__ = ["StoreRefusesStrayResults"]
