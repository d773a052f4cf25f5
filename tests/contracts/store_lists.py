"""
The contract of a session store on lists of sessions.
"""

from openclaw.interfaces import SessionInfo
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore


class StoreListsSessions(OpenStore):
    """
    The store can list its sessions.
    """

    async def test_sessionInfo(self) -> None:
        """
        An entry has the session's agent, length, creation and last use.
        """
        start = self.clock.seconds()
        await self.begin("1", opening=(HELLO, ANSWER, AGAIN))
        self.clock.advance(2.5)
        await self.end("1", ANSWER)
        self.assertEqual(
            list(await self.store.sessions()),
            [SessionInfo("agent:main:a", "main", 4, start, start + 2.5)],
        )

    async def test_sessionsInOrder(self) -> None:
        """
        Sessions are listed by their last use, newest first, and then alphabetically.
        """
        for key in ("c", "a", "d", "b"):
            await self.begin("1", key)
            await self.end("1", key=key)
        self.clock.advance(1)
        await self.begin("2", "c")
        self.clock.advance(1)
        await self.begin("2", "b")
        found = await self.store.sessions()
        self.assertEqual([info.sessionKey for info in found], ["b", "c", "a", "d"])

    async def test_sessionsOfAgent(self) -> None:
        """
        A list can be limited to an agent; a session never changes its first agent.
        """
        await self.begin("1", "a", agentID="main")
        await self.begin("1", "b", agentID="Main")
        await self.begin("1", "c", agentID="other")
        await self.end("1", key="a")
        await self.begin("2", "a", agentID="other")
        for agentID, keys in [("main", ["a"]), ("other", ["c"]), ("nobody", [])]:
            found = await self.store.sessions(agentID)
            self.assertEqual([info.sessionKey for info in found], keys)
        self.assertEqual(len(await self.store.sessions()), 3)

    async def test_sessionsInPart(self) -> None:
        """
        A list can be limited to a prefix of keys, and to the newest sessions.
        """
        keys = ("a:%:1", "a:_:1", "a:x:1", "a:%:2", "A:%:3")
        for key in keys:
            await self.begin("1", key)
            self.clock.advance(1)
            await self.end("1", key=key)
        for prefix, most, shown in (
            ("a:%:", None, ["a:%:2", "a:%:1"]),
            ("a:%:", 1, ["a:%:2"]),
            ("", 2, ["A:%:3", "a:%:2"]),
            ("a:y", 2, []),
            ("", 0, []),
        ):
            found = await self.store.sessions("main", prefix, most)
            self.assertEqual([info.sessionKey for info in found], shown)


__all__ = ["StoreListsSessions"]
