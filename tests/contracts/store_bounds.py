"""
The contract of a session store on limits of loading.
"""

from openclaw.interfaces import Summary
from openclaw.messages import AssistantMessage, UserMessage
from openclaw.sessions.store.validation import MAX_LOADED_BYTES, MAX_LOADED_MESSAGES
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore

LARGE = UserMessage("x" * (MAX_LOADED_BYTES * 2 // 3))
TOO_LARGE = UserMessage("x" * MAX_LOADED_BYTES)


class StoreBoundsWhatIsLoaded(OpenStore):
    """
    Of the messages before a turn, the newest are loaded, up to a limit.
    """

    async def assertLoaded(self, run, skipped, *messages, **given) -> None:
        """
        Begin a turn, and assert which messages are loaded and how many are skipped.
        """
        conversation = await self.begin(run, **given)
        self.assertEqual(conversation.skipped, skipped)
        self.assertEqual(list(conversation.messages), list(messages))

    async def test_bytes(self) -> None:
        """
        Messages that do not fit, and older ones, are not loaded.  They remain stored,
        and the turn's own messages are always included.
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
        No message is loaded if the newest does not fit.
        """
        await self.assertLoaded("1", 0, TOO_LARGE, opening=[TOO_LARGE])
        await self.end("1")
        await self.assertLoaded("2", 1, AGAIN)

    async def test_messages(self) -> None:
        """
        The number of messages is limited, too.
        """
        words = [UserMessage(str(number)) for number in range(MAX_LOADED_MESSAGES)]
        await self.assertLoaded("1", 0, *words, opening=words)
        await self.end("1", ANSWER)
        await self.assertLoaded("2", 1, *words[1:], ANSWER, AGAIN)
        await self.end("2", ANSWER)
        await self.assertLoaded("3", 3, *words[3:], ANSWER, AGAIN, ANSWER, AGAIN)

    async def test_summary(self) -> None:
        """
        Messages replaced by a summary do not count, and are not skipped.
        """
        await self.begin("1", opening=[LARGE])
        await self.end("1", AssistantMessage("Yes."))
        await self.begin("2", following=[LARGE])
        await self.end("2", ANSWER, summary=Summary("They said much.", 2))
        await self.assertLoaded("3", 0, LARGE, ANSWER, LARGE, following=[LARGE])
        await self.end("3", ANSWER)
        await self.assertLoaded("4", 1, ANSWER, LARGE, ANSWER, AGAIN)


__all__ = ["StoreBoundsWhatIsLoaded"]
