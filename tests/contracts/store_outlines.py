"""
The contract of a session store on outlines.
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
    An outline has the assistant's latest messages.
    """

    async def test_noOutline(self) -> None:
        """
        The outline of an unknown session is empty.
        """
        self.assertEqual(await self.store.outline(KEY), Outline())

    async def test_outline(self) -> None:
        """
        It has all of the assistant's texts, and only the first of the user's.
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
        Of a long session it has only the newest answers, complete, even a long one.
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
        Users' texts are read up to a limit, and a long first message is left out.
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
