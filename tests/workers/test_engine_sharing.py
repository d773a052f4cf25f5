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
    An upstream for connections.
    """

    def close(self):
        return succeed(None)


class Call:
    """
    A waiting call.
    """

    def __init__(self):
        self.done = Deferred()
        self.began = self.failed = None

    def start(self, provider):
        self.began = provider

    def fail(self, error):
        self.failed = error


class LeaseTests(SynchronousTestCase):
    """
    A worker that leases the model from the daemon.
    """

    def setUp(self):
        """
        Record requests to the daemon, and connections.
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
        Calls wait, the daemon gets one request, and then the calls are made.
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
        Calls fail with the daemon's reason; the next call sends another request.
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
        After closing, no call waits.
        """
        call = Call()
        self.engine.wait(call)
        self.successResultOf(self.engine.close())
        self.assertIsInstance(call.failed, ShuttingDown)
        self.assertIsInstance(self.engine.refusal(), ShuttingDown)
        self.engineLease.received(EngineLeased(1, "http://127.0.0.1:1/v1", "k"))
        self.assertEqual(self.connected, [])


class DaemonEngine:
    """
    The daemon's engine.
    """

    def __init__(self):
        self.upstream = self.address = self.refused = None
        self.waiting = []

    def refusal(self):
        return self.refused

    def wait(self, call):
        self.waiting.append(call)


class SharingTests(SynchronousTestCase):
    """
    The daemon's side.
    """

    def setUp(self):
        """
        Record replies.
        """
        self.engine = DaemonEngine()
        self.replies = []

    def test_ready(self):
        """
        A loaded model is leased immediately.
        """
        self.engine.upstream, self.engine.address = Upstream(), ("u", "k")
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [EngineLeased(4, "u", "k")])

    def test_later(self):
        """
        A model that is being loaded is leased later.
        """
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [])
        self.engine.address = ("u", "k")
        self.engine.waiting[0].start(Upstream())
        self.assertEqual(self.replies, [EngineLeased(4, "u", "k")])

    def test_refused(self):
        """
        A model that can't be loaded is refused with the reason.
        """
        self.engine.refused = ModelUnavailable("No.", retryAfter=2.0)
        shareEngine(self.engine, LeaseEngine(4, False), self.replies.append)
        self.assertEqual(self.replies, [EngineRefusedLease(4, "No.", 2.0)])
