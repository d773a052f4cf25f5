"""
The contract of a session store on the outlines that tell one session from another.
"""

from openclaw.interfaces import Outline
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from openclaw.sessions.store.outlines import (
    FIRST_CHARACTERS,
    OUTLINE_CHARACTERS,
    READ_CHARACTERS,
)
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore

USER = UserMessage("")
KEY = "agent:main:a"


class StoreOutlinesSessions(OpenStore):
    """
    An outline has what the assistant said lately.
    """

    async def test_noOutline(self) -> None:
        """
        Of no session there is an empty one.
        """
        self.assertEqual(await self.store.outline(KEY), Outline())

    async def test_outline(self) -> None:
        """
        All the assistant's words are there, and of the user's only the first.
        """
        call = AssistantMessage("I look.", (ToolCall("c", "look", "{}"),))
        await self.begin("1")
        await self.end("1", call, ToolMessage("c", "The sky."), ANSWER)
        await self.begin("2", following=[AGAIN])
        await self.end("2", ANSWER)
        outline = await self.store.outline(KEY)
        self.assertEqual(list(outline.messages), [USER, call, ANSWER, USER, ANSWER])
        self.assertEqual((outline.first, outline.complete), (HELLO, True))

    async def test_long(self) -> None:
        """
        Of much only the newest is there: whole answers, and the longest whole, too.
        """
        long = AssistantMessage("x" * OUTLINE_CHARACTERS)
        for number, answer in enumerate((ANSWER, ANSWER, long, ANSWER)):
            await self.begin(str(number))
            await self.end(str(number), ANSWER, answer)
        outline = await self.store.outline(KEY)
        shown = [ANSWER, long, USER, ANSWER, ANSWER]
        self.assertEqual(list(outline.messages), shown)
        self.assertEqual((outline.first, outline.complete), (HELLO, False))

    async def test_longWords(self) -> None:
        """
        Words of users are looked through, up to a bound, and a long first message is
        none of it.
        """
        words = UserMessage("x" * (READ_CHARACTERS // 3))
        self.assertGreater(len(words.content), FIRST_CHARACTERS)
        for number in range(5):
            await self.begin(str(number), opening=[words], following=[words])
            await self.end(str(number), ANSWER)
        outline = await self.store.outline(KEY)
        self.assertIs(outline.first, None)
        self.assertFalse(outline.complete)
        self.assertEqual(list(outline.messages), [USER, ANSWER] * 3)
        self.assertLess(outline.size, 2 * READ_CHARACTERS)


__all__ = ["StoreOutlinesSessions"]
