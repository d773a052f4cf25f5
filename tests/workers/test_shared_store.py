"""
Tests of L{openclaw.workers.shared_store}.
"""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.interfaces import Claim, ISessionStore
from openclaw.messages import UserMessage
from openclaw.sessions.store.memory import MemorySessionStore
from openclaw.workers.shared_store import YIELD_SECONDS, FairStore
from tests.workers.memory_workers import MemoryWorkers

KEY = "agent:main:openai-user:ann"
SAID = [UserMessage(content="hi")]


class FairStoreTests(SynchronousTestCase):
    """
    Two workers wait for the same session.
    """

    def setUp(self):
        """
        Let two workers share a store.
        """
        self.two = MemoryWorkers()
        original = MemorySessionStore(clock=self.two.clock)
        self.successResultOf(original.open())
        self.stores = [
            FairStore(original, worker, self.two.clock) for worker in self.two.workers
        ]

    def begin(self, number, run):
        """
        Let a worker begin a turn.
        """
        return self.stores[number].beginTurn(Claim(KEY, run), "main", SAID, SAID)

    def test_interface(self):
        """
        It is a session store.
        """
        self.assertTrue(verifyObject(ISessionStore, self.stores[0]))

    def test_turns(self):
        """
        The worker that had the session leaves it to another one that waits.
        """
        self.assertIsNotNone(self.successResultOf(self.begin(0, "a")))
        self.assertIsNone(self.successResultOf(self.begin(1, "b")))
        self.successResultOf(self.stores[0].endTurn(Claim(KEY, "a"), []))
        next_ = self.begin(0, "c")
        self.assertNoResult(next_)
        self.assertIsNotNone(self.successResultOf(self.begin(1, "b")))
        self.two.clock.advance(YIELD_SECONDS)
        self.assertIsNone(self.successResultOf(next_))

    def test_wishPasses(self):
        """
        A worker that no longer waits does not block the others.
        """
        self.successResultOf(self.begin(0, "a"))
        self.successResultOf(self.begin(1, "b"))
        self.successResultOf(self.stores[0].endTurn(Claim(KEY, "a"), []))
        self.two.clock.advance(2)
        self.assertIsNotNone(self.successResultOf(self.begin(0, "c")))

    def test_otherSessions(self):
        """
        Other sessions are not affected.
        """
        self.successResultOf(self.begin(0, "a"))
        self.successResultOf(self.begin(1, "b"))
        other = Claim("agent:main:openai-user:bob", "c")
        turn = self.stores[0].beginTurn(other, "main", SAID, SAID)
        self.assertIsNotNone(self.successResultOf(turn))
