"""
Tests of L{openclaw.workers.engine_sharing}.
"""

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import ModelUnavailable, ShuttingDown
from openclaw.models.local.weights import Weights
from openclaw.workers.engine_sharing import EngineLease, SharedEngine, shareEngine
from openclaw.workers.worker_messages import (
    EngineLeased,
    EngineRefusedLease,
    LeaseEngine,
)


class Upstream:
    """
    An upstream to connect to.
    """

    def close(self):
        """
        Nothing is left.
        """
        return succeed(None)


class Call:
    """
    A call that waits.
    """

    def __init__(self):
        self.done = Deferred()
        self.began = self.failed = None

    def start(self, provider):
        """
        It is made.
        """
        self.began = provider

    def fail(self, error):
        """
        It can't be.
        """
        self.failed = error


class BorrowedTests(SynchronousTestCase):
    """
    A worker that has the model from the daemon.
    """

    def setUp(self):
        """
        Note what is asked for, and where connections go.
        """
        self.asked = []
        self.connected = []
        self.engineLease = EngineLease(self.asked.append)
        self.engine = SharedEngine(
            requestLease=self.engineLease._requestLease,
            embeddings=False,
            weights=Weights(modelPath=None),
            connect=self.connect,
        )
        self.engineLease._created.append(self.engine)

    def connect(self, url, key):
        """
        Connect.
        """
        self.connected.append((url, key.reveal()))
        return Upstream()

    def test_lent(self):
        """
        Calls wait, the daemon is asked once, and then they are made.
        """
        calls = [Call(), Call()]
        for call in calls:
            self.engine.wait(call)
        self.assertEqual(self.asked, [LeaseEngine(1, False)])
        self.engineLease.received(EngineLeased(1, "http://127.0.0.1:1/v1", "k"))
        self.assertEqual(self.connected, [("http://127.0.0.1:1/v1", "k")])
        for call in calls:
            self.assertIs(call.began, self.engine.upstream)

    def test_notLent(self):
        """
        Calls fail with what the daemon says; the next one asks again.
        """
        call = Call()
        self.engine.wait(call)
        self.engineLease.received(EngineRefusedLease(1, "No engine.", 3.0))
        self.assertIsInstance(call.failed, ModelUnavailable)
        self.assertEqual(
            (call.failed.message, call.failed.retryAfter), ("No engine.", 3)
        )
        self.engine.wait(Call())
        self.assertEqual(len(self.asked), 2)

    def test_lost(self):
        """
        When the process has ended, calls wait for the next one.
        """
        self.engine.wait(Call())
        self.engineLease.received(EngineLeased(1, "http://127.0.0.1:1/v1", "k"))
        self.engineLease.engineExited(True)
        self.assertIsNotNone(self.engine.upstream)
        self.engineLease.engineExited(False)
        self.assertIsNone(self.engine.upstream)
        call = Call()
        self.engine.wait(call)
        self.engineLease.received(EngineLeased(2, "http://127.0.0.1:2/v1", "l"))
        self.assertIs(call.began, self.engine.upstream)

    def test_closed(self):
        """
        Once it is closed, nothing waits.
        """
        call = Call()
        self.engine.wait(call)
        self.successResultOf(self.engine.close())
        self.assertIsInstance(call.failed, ShuttingDown)
        self.assertIsInstance(self.engine.refusal(), ShuttingDown)
        self.engineLease.received(EngineLeased(1, "http://127.0.0.1:1/v1", "k"))
        self.assertEqual(self.connected, [])


class Lender:
    """
    An engine of the daemon's.
    """

    def __init__(self):
        self.upstream = self.address = self.refused = None
        self.waiting = []

    def refusal(self):
        """
        Why not.
        """
        return self.refused

    def wait(self, call):
        """
        Somebody waits.
        """
        self.waiting.append(call)


class LendTests(SynchronousTestCase):
    """
    The daemon's side.
    """

    def setUp(self):
        """
        Note what is replied.
        """
        self.engine = Lender()
        self.replies = []

    def test_ready(self):
        """
        A model that is loaded is lent at once.
        """
        self.engine.upstream, self.engine.address = Upstream(), ("u", "k")
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [EngineLeased(4, "u", "k")])

    def test_later(self):
        """
        One that is not is lent when it is.
        """
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [])
        self.engine.address = ("u", "k")
        self.engine.waiting[0].start(Upstream())
        self.assertEqual(self.replies, [EngineLeased(4, "u", "k")])

    def test_refused(self):
        """
        One that can't be had is not lent, for a reason.
        """
        self.engine.refused = ModelUnavailable("No.", retryAfter=2.0)
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [EngineRefusedLease(4, "No.", 2.0)])
