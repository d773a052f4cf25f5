"""
Tests of the clock of leases in L{openclaw.sessions.store.sqlite}.
"""

from openclaw.interfaces import Claim, Conversation
from openclaw.sessions.store.sqlite import SQLiteSessionStore
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO
from tests.sessions.store_case import SQLiteTestCase

HOUR = 3600.0
ELSEWHERE = "UPDATE claims SET owner = 'elsewhere/1:1:1:1'"
"""
An owner on another machine or in another container, of which nothing is known.
"""


class LeaseClockTests(SQLiteTestCase):
    """
    The system time is set while runs hold sessions.
    """

    async def begin(self, store: SQLiteSessionStore, run: str) -> Conversation | None:
        """
        Try to begin a turn.
        """
        return await store.beginTurn(Claim("a", run), "main", [HELLO], [AGAIN])

    async def test_setForward(self) -> None:
        """
        A process with another system time does not take over the session of a run in
        progress, and that run can end.
        """
        ours = await self.openStore()
        theirs = await self.openStore(now=lambda: self.clock.seconds() + HOUR)
        await self.begin(ours, "1")
        self.assertIsNone(await self.begin(theirs, "2"))
        await ours.endTurn(Claim("a", "1"), [ANSWER])
        self.assertIsNotNone(await self.begin(theirs, "2"))

    async def test_setBack(self) -> None:
        """
        The claim of a dead process lasts for its lease, and no longer.
        """
        await self.begin(await self.openStore(), "1")
        self.change(ELSEWHERE)
        later = await self.openStore(now=lambda: self.clock.seconds() - HOUR)
        self.clock.advance(later.leaseSeconds)
        self.assertIsNone(await self.begin(later, "2"))
        self.clock.advance(0.25)
        self.assertIsNotNone(await self.begin(later, "2"))

    async def test_reboot(self) -> None:
        """
        A claim from before the machine's last boot, when its clock was far ahead, is
        free.
        """
        self.clock.advance(HOUR)
        await self.begin(await self.openStore(), "1")
        self.change(ELSEWHERE)
        store = await self.openStore(uptime=lambda: 60.0)
        self.assertIsNotNone(await self.begin(store, "2"))

    async def test_renewedByUptime(self) -> None:
        """
        A renewal lasts for another lease of that clock.
        """
        ours = await self.openStore(now=lambda: 0.0)
        theirs = await self.openStore(now=lambda: HOUR)
        await self.begin(ours, "1")
        self.clock.advance(10.0)
        await ours.renew([Claim("a", "1")])
        self.clock.advance(10.0)
        self.assertIsNone(await self.begin(theirs, "2"))
