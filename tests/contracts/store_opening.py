"""
The fixtures of all contracts of session stores.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from openclaw.interfaces import Claim, Conversation, ISessionStore, Summary
from openclaw.messages import AssistantMessage, Message, UserMessage

HELLO = UserMessage(content="Hello.")
AGAIN = UserMessage(content="Me again.")
ANSWER = AssistantMessage(content="What can I do for you?")


class OpenStore:
    """
    An open session store.

    @ivar clock: The store's clock, which only tests advance.
    @ivar store: An open store without sessions.
    """

    def makeStore(self, clock: Clock) -> ISessionStore:
        """
        Return a store without sessions that is not open yet.
        """
        raise NotImplementedError

    def setUp(self) -> Deferred[None]:
        """
        Open a store, at a time other than the epoch.
        """
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = self.makeStore(self.clock)
        self.addCleanup(lambda: self.store.close())
        return self.store.open()

    def begin(
        self,
        run: str,
        key: str = "agent:main:a",
        opening: Sequence[Message] = (HELLO,),
        following: Sequence[Message] = (AGAIN,),
        agentID: str = "main",
    ) -> Deferred[Conversation | None]:
        """
        Begin a turn.
        """
        return self.store.beginTurn(Claim(key, run), agentID, opening, following)

    async def seen(self, run: str, *given, **more) -> list[Message]:
        """
        Begin a turn like C{begin}.

        @return: The messages that the run gets.
        """
        return list((await self.begin(run, *given, **more)).messages)

    def end(
        self,
        run: str,
        *messages: Message,
        key: str = "agent:main:a",
        summary: Summary | None = None,
    ) -> Deferred[None]:
        """
        End a turn.
        """
        return self.store.endTurn(Claim(key, run), messages, summary)

    async def assertKept(self, *messages: Message, key: str = "agent:main:a") -> None:
        """
        Assert that a session's transcript has exactly these messages.
        """
        kept = await self.store.transcript(key)
        self.assertEqual(list(kept), list(messages))


__all__ = ["AGAIN", "ANSWER", "HELLO", "OpenStore"]
