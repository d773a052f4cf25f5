"""
Tests of L{openclaw.api.peers} and L{openclaw.workers.switchboard}.
"""

from hypothesis import given
from hypothesis.strategies import integers, text
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.peers import NoPeers, makeRunID, parseWorkerNumber, selectOwner
from openclaw.workers.switchboard import REPLY_SECONDS
from tests.workers.memory_workers import MemoryWorkers


class TellTests(SynchronousTestCase):
    """
    Broadcasts between workers.
    """

    def test_others(self):
        """
        All others get it, and the sender does not.
        """
        three, heard = MemoryWorkers(3), []
        for worker in three.workers:
            worker.onBroadcast(
                "news", lambda data, n=worker.number: heard.append((n, data))
            )
        three.workers[1].broadcast("news", {"a": 1})
        self.assertEqual(heard, [(0, {"a": 1}), (2, {"a": 1})])

    def test_unknownTopic(self):
        """
        A broadcast without a listener is ignored.
        """
        two = MemoryWorkers()
        two.workers[0].broadcast("unheard of", 1)


class AskTests(SynchronousTestCase):
    """
    Queries between workers.
    """

    def setUp(self):
        """
        Let three workers reply with their numbers.
        """
        self.three = MemoryWorkers(3)
        for worker in self.three.workers:
            worker.onQuery("who", lambda data, n=worker.number: [n, data])

    def test_answers(self):
        """
        The result has the replies of all others.
        """
        asking = self.three.workers[0].query("who", "x")
        self.assertEqual(self.successResultOf(asking), [[1, "x"], [2, "x"]])
        self.assertEqual(self.three.clock.getDelayedCalls(), [])

    def test_late(self):
        """
        A worker that does not reply in time is left out.
        """
        self.three.silent.add(1)
        asking = self.three.workers[0].query("who")
        self.three.clock.advance(REPLY_SECONDS - 0.01)
        self.assertNoResult(asking)
        self.three.clock.advance(0.01)
        self.assertEqual(self.successResultOf(asking), [[2, None]])

    def test_dies(self):
        """
        A dead worker is left out immediately.
        """
        self.three.silent.add(1)
        asking = self.three.workers[0].query("who")
        self.three.switchboard.workerExited(1)
        self.assertEqual(self.successResultOf(asking), [[2, None]])

    def test_noOther(self):
        """
        Without other workers the result is empty, immediately.
        """
        self.three.gone |= {1, 2}
        asking = self.three.workers[0].query("who")
        self.assertEqual(self.successResultOf(asking), [])

    def test_fails(self):
        """
        A worker that fails to reply is left out.
        """
        self.three.workers[1].onQuery("who", lambda data: 1 / 0)
        asking = self.three.workers[0].query("who")
        self.three.clock.advance(REPLY_SECONDS)
        self.assertEqual(self.successResultOf(asking), [[2, None]])

    def test_alone(self):
        """
        A single process has no peers.
        """
        self.assertEqual(self.successResultOf(NoPeers().query("who")), [])


class NameTests(SynchronousTestCase):
    """
    Numbers of workers in ids.
    """

    def test_runs(self):
        """
        A run's id contains the number of its worker.
        """
        for number in range(64):
            self.assertEqual(parseWorkerNumber(makeRunID(number), 64), number)

    @given(text())
    def test_anyName(self, name):
        """
        Any other id has none, or a valid one.
        """
        self.assertIn(parseWorkerNumber(name, 2), (None, 0, 1))

    def test_beyond(self):
        """
        A number without a worker is ignored.
        """
        self.assertIsNone(parseWorkerNumber(makeRunID(5), 2))

    @given(integers(1, 64), text(), text())
    def test_owner(self, count, caller, key):
        """
        The owner of a key is a valid worker, and always the same.
        """
        owner = selectOwner(count, caller, key)
        self.assertEqual(owner, selectOwner(count, caller, key))
        self.assertTrue(0 <= owner < count)

    def test_spread(self):
        """
        Both of two workers own some keys.
        """
        owners = {selectOwner(2, "token:ci", str(number)) for number in range(50)}
        self.assertEqual(owners, {0, 1})
