"""
The contract of a session store on the ends of sessions.
"""

from openclaw.interfaces import Tail
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.sessions.store.outlines import READ_CHARACTERS
from openclaw.sessions.store.tails import LONG_CHARACTERS
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore

KEY = "agent:main:a"


def textOf(message: Message) -> str:
    """
    Return the text of a message of any kind.
    """
    return message.text if isinstance(message, UserMessage) else message.content


class StoreReadsTails(OpenStore):
    """
    The end of a session is read without the rest.
    """

    async def test_noTail(self) -> None:
        """
        An unknown session has an empty tail without an agent.
        """
        self.assertEqual(await self.store.tail(KEY, 10), Tail())

    async def test_tail(self) -> None:
        """
        It has the newest messages, oldest first, the agent, and the number of all
        messages.
        """
        call = AssistantMessage("I look.", (ToolCall("c", "look", "{}"),))
        told = ToolMessage("c", "The sky.")
        await self.begin("1", agentID="other")
        await self.end("1", call, told, ANSWER)
        await self.begin("2", following=[AGAIN])
        await self.end("2", ANSWER)
        said = [HELLO, call, told, ANSWER, AGAIN, ANSWER]
        for most in (1, 4, 6, 100):
            tail = await self.store.tail(KEY, most)
            self.assertEqual((tail.agentID, tail.messageCount), ("other", 6))
            self.assertEqual(list(tail.messages), said[-most:])

    async def test_longMessages(self) -> None:
        """
        A long message is shortened, wherever escapes and multi-byte characters are, and
        has its role.
        """
        number = 0
        for text in (
            "x" * 3 * LONG_CHARACTERS,
            '"\\\n' * LONG_CHARACTERS,
            "\U0001f600\u00e9\0\u2028" * LONG_CHARACTERS,
        ):
            for shift in range(7):
                long = "abcdefg"[:shift] + text
                number += 1
                key = f"{KEY}{number}"
                await self.begin("1", key, opening=[UserMessage(long)])
                call = AssistantMessage(long, (ToolCall("c", "look", "{}"),))
                await self.end("1", call, ToolMessage("c", long), key=key)
                tail = await self.store.tail(key, 3)
                kinds = [type(message) for message in tail.messages]
                self.assertEqual(kinds, [UserMessage, AssistantMessage, ToolMessage])
                for message in tail.messages:
                    shown = textOf(message)
                    self.assertGreater(len(shown), LONG_CHARACTERS // 7)
                    self.assertTrue(long.startswith(shown))

    async def test_longCall(self) -> None:
        """
        The same applies if another part of it is long.
        """
        long = "x" * 2 * LONG_CHARACTERS
        call = AssistantMessage("I look.", (ToolCall(long, "look", long),))
        await self.begin("1")
        await self.end("1", call, ToolMessage(long, "The sky."))
        tail = await self.store.tail(KEY, 2)
        self.assertEqual(tail.messages[0].content, "I look.")
        self.assertIsInstance(tail.messages[1], ToolMessage)

    async def test_images(self) -> None:
        """
        Messages with large images have their text and the number of images.
        """
        image = ImagePart("image/png", "QUJD" * LONG_CHARACTERS)
        said = UserMessage((TextPart("Look:"), image, image, TextPart("Well?")))
        await self.begin("1", opening=[said])
        await self.end("1", ANSWER)
        (first, _) = (await self.store.tail(KEY, 2)).messages
        self.assertEqual((first.text, len(first.images)), ("Look:\nWell?", 2))

    async def test_much(self) -> None:
        """
        Of many long messages only the newest are read, and always the last one.
        """
        half = UserMessage("x" * (READ_CHARACTERS // 2 + 1000))
        for number in range(4):
            await self.begin(str(number), opening=[half], following=[half])
            await self.end(str(number), ANSWER)
        tail = await self.store.tail(KEY, 100)
        self.assertEqual((len(tail.messages), tail.messageCount), (4, 8))
        huge = UserMessage("x" * (READ_CHARACTERS + 1000))
        await self.begin("5", following=[huge])
        tail = await self.store.tail(KEY, 100)
        self.assertEqual((len(tail.messages), tail.messageCount), (1, 9))


__all__ = ["StoreReadsTails"]
