"""
Tests of L{openclaw.sessions.store.memory}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from openclaw.interfaces import Claim
from openclaw.messages import UserMessage
from openclaw.sessions.store.memory import MemorySessionStore
from tests.contracts.session_store import SessionStoreContract


class MemoryContractTests(SessionStoreContract, TestCase):
    """
    The contract of session stores, for the store in memory.
    """

    def makeStore(self, clock: Clock) -> MemorySessionStore:
        return MemorySessionStore(clock=clock)


class AtOnceTests(SynchronousTestCase):
    """
    The store in memory needs no reactor.
    """

    def test_hasFired(self) -> None:
        """
        The store's Deferreds have already fired.
        """
        store = MemorySessionStore(clock=Clock(), leaseSeconds=3)
        said = [UserMessage(content="Hello.")]
        self.successResultOf(store.open())
        claim = Claim("a", "1")
        begun = self.successResultOf(store.beginTurn(claim, "main", said, []))
        self.assertEqual(list(begun.messages), said)
        self.successResultOf(store.renew([claim]))
        self.successResultOf(store.endTurn(claim, []))
        self.assertEqual(list(self.successResultOf(store.transcript("a"))), said)
        self.assertEqual(len(self.successResultOf(store.sessions())), 1)
        self.successResultOf(store.close())

    def test_leaseIsChosen(self) -> None:
        """
        The length of a lease is configurable.
        """
        clock = Clock()
        store = MemorySessionStore(clock=clock, leaseSeconds=3)
        self.successResultOf(store.open())
        self.successResultOf(store.beginTurn(Claim("a", "1"), "main", [], []))
        clock.advance(3.25)
        again = store.beginTurn(Claim("a", "2"), "main", [], [])
        self.assertEqual(list(self.successResultOf(again).messages), [])
