"""
The contract of a session store on summaries.
"""

from openclaw.errors import StoreError
from openclaw.interfaces import Summary
from openclaw.messages import Message
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore


class StoreKeepsSummaries(OpenStore):
    """
    A run gets the newest summary in place of the messages that it replaces, which
    remain stored.
    """

    async def assertSees(
        self, run: str, summary: Summary | None, *messages: Message, **given
    ) -> None:
        """
        Begin a turn like C{begin}, and assert that the run gets this summary and these
        messages.
        """
        conversation = await self.begin(run, **given)
        self.assertEqual(conversation.summary, summary)
        self.assertEqual(list(conversation.messages), list(messages))

    async def test_none(self) -> None:
        """
        A session has no summary at first.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        await self.assertSees("2", None, HELLO, ANSWER, AGAIN)

    async def test_inPlaceOfMessages(self) -> None:
        """
        The next run gets the summary and the messages after it; the transcript has
        everything.
        """
        summary = Summary("They said hello.", 1)
        await self.begin("1")
        await self.end("1", ANSWER, summary=summary)
        await self.assertSees("2", summary, ANSWER, AGAIN)
        await self.assertKept(HELLO, ANSWER, AGAIN)
        [info] = await self.store.sessions()
        self.assertEqual(info.messageCount, 3)

    async def test_stays(self) -> None:
        """
        A summary is used until there is a newer one.
        """
        summary = Summary("They said hello.", 2)
        await self.begin("1")
        await self.end("1", ANSWER, summary=summary)
        await self.begin("2")
        await self.end("2", ANSWER)
        await self.assertSees("3", summary, AGAIN, ANSWER, following=())

    async def test_newest(self) -> None:
        """
        The last summary is used.  It counts from the first message on, and may replace
        as many messages as the one before.
        """
        summaries = [Summary("one", 1), Summary("two", 3), Summary("three", 3)]
        for number, summary in enumerate(summaries):
            await self.begin(str(number))
            await self.end(str(number), ANSWER, summary=summary)
        await self.assertSees("next", summaries[-1], ANSWER, AGAIN, ANSWER, AGAIN)
        await self.assertKept(HELLO, ANSWER, AGAIN, ANSWER, AGAIN, ANSWER, AGAIN)

    async def test_ofWhatIsAppendedNow(self) -> None:
        """
        A summary may include the messages that are appended with it.
        """
        summary = Summary("All of it.", 3)
        await self.begin("1")
        await self.end("1", ANSWER, ANSWER, summary=summary)
        await self.assertSees("2", summary, following=())
        await self.end("2")
        await self.assertSees("3", summary, AGAIN)

    async def test_alone(self) -> None:
        """
        A run without messages can add a summary.  This does not count as use of the
        session.
        """
        await self.begin("1")
        before = await self.store.sessions()
        self.clock.advance(1)
        await self.end("1", summary=Summary("They said hello.", 1))
        self.assertEqual(await self.store.sessions(), before)
        await self.assertKept(HELLO)
        await self.assertSees("2", Summary("They said hello.", 1), AGAIN)

    async def test_ofNothing(self) -> None:
        """
        A summary may replace no message.
        """
        summary = Summary("", 0)
        await self.begin("1", opening=())
        await self.end("1", summary=summary)
        await self.assertSees("2", summary, HELLO)

    async def test_otherSession(self) -> None:
        """
        A summary belongs to one session.
        """
        for key in ("a", "b"):
            await self.begin("1", key)
        await self.end("1", key="a", summary=Summary("of a", 1))
        await self.end("1", key="b")
        await self.assertSees("2", Summary("of a", 1), AGAIN, key="a")
        await self.assertSees("2", None, HELLO, AGAIN, key="b")

    async def test_oddText(self) -> None:
        """
        A summary's text comes back unchanged.
        """
        for text in ("nul \0, '\"`, \r\n, 🦞 e\u0301", "x" * 300_000):
            await self.begin("1")
            await self.end("1", summary=Summary(text, 1))
            self.assertEqual((await self.begin("2")).summary, Summary(text, 1))
            await self.end("2")

    async def assertMisfit(self, summary: Summary) -> None:
        """
        Assert that a turn can't end with this summary, that nothing is written, and
        that the run still holds its session.
        """
        kept = await self.store.transcript("agent:main:a")
        with self.assertRaises(StoreError):
            await self.end("held", ANSWER, summary=summary)
        await self.assertKept(*kept)
        self.assertIsNone(await self.begin("other"))

    async def test_tooMuch(self) -> None:
        """
        A summary can't replace more messages than there are.
        """
        await self.begin("held")
        await self.assertMisfit(Summary("", 3))
        await self.assertMisfit(Summary("", -1))
        await self.end("held", ANSWER)
        await self.assertSees("next", None, HELLO, ANSWER, AGAIN)

    async def test_tooLittle(self) -> None:
        """
        A summary can't replace fewer messages than the one before.
        """
        await self.begin("1")
        await self.end("1", ANSWER, summary=Summary("first", 2))
        await self.begin("held")
        await self.assertMisfit(Summary("second", 1))
        await self.end("held", ANSWER)
        await self.assertSees("next", Summary("first", 2), AGAIN, ANSWER, AGAIN)

    async def test_lostClaim(self) -> None:
        """
        A run that lost its session can't add a summary.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        await self.begin("2")
        with self.assertRaises(StoreError):
            await self.end("1", summary=Summary("late", 1))
        await self.end("2", ANSWER)
        await self.assertSees("3", None, HELLO, AGAIN, ANSWER, AGAIN)

    async def test_reopened(self) -> None:
        """
        A summary is still there after the store was reopened.
        """
        await self.begin("1")
        await self.end("1", ANSWER, summary=Summary("kept", 2))
        await self.store.close()
        await self.store.open()
        await self.assertSees("2", Summary("kept", 2), AGAIN)


__all__ = ["StoreKeepsSummaries"]
