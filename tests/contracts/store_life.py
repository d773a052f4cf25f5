"""
The contract of a session store on opening and closing.
"""

from zope.interface.verify import verifyObject

from openclaw.errors import StoreError
from openclaw.interfaces import Claim, ISessionStore
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore


class StoreOpensAndCloses(OpenStore):
    """
    A session store is opened and closed.
    """

    def test_interface(self) -> None:
        """
        The store provides the interface.
        """
        verifyObject(ISessionStore, self.store)
        self.assertGreater(self.store.leaseSeconds, 0)

    async def assertRefuses(self, store: ISessionStore) -> None:
        """
        Assert that a closed store rejects calls.
        """
        claim = Claim("agent:main:a", "1")
        for work in [
            lambda: store.beginTurn(claim, "main", [HELLO], [AGAIN]),
            lambda: store.endTurn(claim, [ANSWER]),
            lambda: store.renew([claim]),
            lambda: store.transcript(claim.sessionKey),
            lambda: store.sessions(),
        ]:
            with self.assertRaises(StoreError):
                await work()

    async def test_notOpened(self) -> None:
        """
        A store must be opened first; closing it before does nothing.
        """
        store = self.makeStore(self.clock)
        await self.assertRefuses(store)
        await store.close()

    async def test_openTwice(self) -> None:
        """
        Opening an open store is an error without an effect.
        """
        with self.assertRaises(StoreError):
            await self.store.open()
        await self.begin("1")
        await self.assertKept(HELLO)

    async def test_closed(self) -> None:
        """
        A closed store rejects calls, and can be closed again.
        """
        await self.begin("1")
        await self.store.close()
        await self.assertRefuses(self.store)
        await self.store.close()

    async def test_reopened(self) -> None:
        """
        A closed store can be opened again: the messages are still there, and claims are
        not, since no run could end them.
        """
        await self.begin("1")
        await self.store.close()
        await self.store.open()
        await self.assertKept(HELLO)
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.assertEqual(await self.seen("2"), [HELLO, AGAIN])


__all__ = ["StoreOpensAndCloses"]
