"""
The contract of a session store on bounds: it loads no more of a long session than can
be shown.
"""

from openclaw.interfaces import Summary
from openclaw.messages import AssistantMessage, UserMessage
from openclaw.sessions.store.validation import MAX_LOADED_BYTES, MAX_LOADED_MESSAGES
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore

LARGE = UserMessage("x" * (MAX_LOADED_BYTES * 2 // 3))
TOO_LARGE = UserMessage("x" * MAX_LOADED_BYTES)


class StoreBoundsWhatIsLoaded(OpenStore):
    """
    Of what was said before a turn, the newest part is loaded, up to a bound.
    """

    async def assertLoaded(self, run, skipped, *messages, **given) -> None:
        """
        Begin a turn, and assert what is loaded and how much is not.
        """
        conversation = await self.begin(run, **given)
        self.assertEqual(conversation.skipped, skipped)
        self.assertEqual(list(conversation.messages), list(messages))

    async def test_bytes(self) -> None:
        """
        Messages that do not fit are not loaded, and neither are older ones.  They are
        kept, and the turn's own messages are always there.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        await self.begin("2", following=[LARGE])
        await self.end("2", ANSWER)
        await self.assertLoaded("3", 0, HELLO, ANSWER, LARGE, ANSWER, AGAIN)
        await self.end("3", ANSWER)
        said = (HELLO, ANSWER, LARGE, ANSWER, AGAIN, ANSWER, LARGE)
        await self.assertLoaded("4", 0, *said, following=[LARGE])
        await self.end("4", ANSWER)
        await self.assertLoaded("5", 3, ANSWER, AGAIN, ANSWER, LARGE, ANSWER, AGAIN)
        await self.end("5")
        await self.assertKept(*said, ANSWER, AGAIN)

    async def test_newestIsTooLarge(self) -> None:
        """
        Nothing is loaded where even the newest message does not fit.
        """
        await self.assertLoaded("1", 0, TOO_LARGE, opening=[TOO_LARGE])
        await self.end("1")
        await self.assertLoaded("2", 1, AGAIN)

    async def test_messages(self) -> None:
        """
        The number of messages is bounded, too.
        """
        words = [UserMessage(str(number)) for number in range(MAX_LOADED_MESSAGES)]
        await self.assertLoaded("1", 0, *words, opening=words)
        await self.end("1", ANSWER)
        await self.assertLoaded("2", 1, *words[1:], ANSWER, AGAIN)
        await self.end("2", ANSWER)
        await self.assertLoaded("3", 3, *words[3:], ANSWER, AGAIN, ANSWER, AGAIN)

    async def test_summary(self) -> None:
        """
        Messages that a summary stands for do not count, and are not skipped.
        """
        await self.begin("1", opening=[LARGE])
        await self.end("1", AssistantMessage("Yes."))
        await self.begin("2", following=[LARGE])
        await self.end("2", ANSWER, summary=Summary("They said much.", 2))
        await self.assertLoaded("3", 0, LARGE, ANSWER, LARGE, following=[LARGE])
        await self.end("3", ANSWER)
        await self.assertLoaded("4", 1, ANSWER, LARGE, ANSWER, AGAIN)


__all__ = ["StoreBoundsWhatIsLoaded"]
