"""
The contract of a session store on claims: one run at a time.
"""

from twisted.internet.defer import gatherResults

from openclaw.errors import StoreError
from openclaw.interfaces import Claim
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO, OpenStore


class StoreHasClaims(OpenStore):
    """
    A session belongs to one run at a time.
    """

    async def test_heldSession(self) -> None:
        """
        While a run holds a session no other can begin a turn, and nothing is written.
        """
        await self.begin("1")
        before = await self.store.sessions()
        self.clock.advance(1)
        self.assertIsNone(await self.begin("2"))
        await self.assertKept(HELLO)
        self.assertEqual(await self.store.sessions(), before)

    async def test_holderBeginsAgain(self) -> None:
        """
        A run can begin its turn only once: its own claim prevents the second time.
        """
        await self.begin("1")
        self.assertIsNone(await self.begin("1"))
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_otherSessionIsFree(self) -> None:
        """
        Other sessions are not affected.
        """
        await self.begin("1", "a")
        self.assertEqual(await self.seen("2", "b"), [HELLO])

    async def test_endFreesSession(self) -> None:
        """
        After a turn the next can begin, also by a run with the same id.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        self.assertEqual(await self.seen("1"), [HELLO, ANSWER, AGAIN])

    async def test_oneOfManyGetsIn(self) -> None:
        """
        Of many concurrent runs, one gets the session.
        """
        results = await gatherResults([self.begin(str(run)) for run in range(10)])
        self.assertEqual(
            [list(one.messages) for one in results if one is not None], [[HELLO]]
        )
        await self.assertKept(HELLO)

    async def test_leaseLasts(self) -> None:
        """
        A claim that is not renewed lasts for its whole lease.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds)
        self.assertIsNone(await self.begin("2"))

    async def test_expiredClaim(self) -> None:
        """
        An expired claim can be taken over.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        self.assertEqual(await self.seen("2"), [HELLO, AGAIN])

    async def test_renewedClaims(self) -> None:
        """
        Renewed claims last for another lease from then on.
        """
        claims = [Claim(key, "1") for key in ("a", "b", "c")]
        for claim in claims:
            await self.begin("1", claim.sessionKey)
        self.clock.advance(self.store.leaseSeconds)
        await self.store.renew(claims[:2])
        self.clock.advance(self.store.leaseSeconds)
        self.assertIsNone(await self.begin("2", "a"))
        self.assertIsNone(await self.begin("2", "b"))
        self.assertIsNotNone(await self.begin("2", "c"))
        self.clock.advance(0.25)
        self.assertIsNotNone(await self.begin("2", "a"))

    async def test_renewNothing(self) -> None:
        """
        Renewing no claims is allowed.
        """
        await self.store.renew([])

    async def test_lateRenewal(self) -> None:
        """
        An expired claim that was not taken over becomes valid again when it is renewed.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds * 2)
        await self.store.renew([Claim("agent:main:a", "1")])
        self.assertIsNone(await self.begin("2"))
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_lateEnd(self) -> None:
        """
        A run with an expired claim that was not taken over can end its turn.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds * 2)
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_lostClaim(self) -> None:
        """
        A run whose session was taken over can add nothing, and does not affect the new
        holder.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        await self.begin("2")
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        await self.assertKept(HELLO, AGAIN)
        await self.end("2", ANSWER)
        await self.assertKept(HELLO, AGAIN, ANSWER)

    async def test_lostClaimIsNotRenewed(self) -> None:
        """
        Renewing a lost claim neither restores it nor extends the new one.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        await self.begin("2")
        self.clock.advance(1)
        await self.store.renew([Claim("agent:main:a", "1")])
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.clock.advance(self.store.leaseSeconds - 0.75)
        self.assertIsNotNone(await self.begin("3"))

    async def test_endTwice(self) -> None:
        """
        A turn can be ended only once.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_endWithoutBeginning(self) -> None:
        """
        Without a claim nothing is written, and no session is created.
        """
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.assertEqual(list(await self.store.sessions()), [])


__all__ = ["StoreHasClaims"]
