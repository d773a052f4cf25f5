"""
Tests of L{openclaw.workers.limit_shares}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Config
from openclaw.workers.limit_shares import divideLimits


class ShareTests(SynchronousTestCase):
    """
    Divided limits.
    """

    def test_parts(self):
        """
        Each worker has an equal part, rounded up, and at least one.
        """
        for count, most, connections in ((2, 128, 5000), (3, 86, 3334)):
            share = divideLimits(Config(), count)
            self.assertEqual(share.agents.defaults.maxConcurrent, most)
            self.assertEqual(share.gateway.http.maxConnections, connections)
        self.assertEqual(divideLimits(Config(), 64).session.maxWaiting, 1)

    def test_aBodyHasRoom(self):
        """
        A body within the endpoint's limit is not too large for a worker.
        """
        http = divideLimits(Config(), 64).gateway.http
        self.assertEqual(
            http.maxBodyBytesInFlight, http.endpoints.chatCompletions.maxBodyBytes
        )

    def test_rest(self):
        """
        No other setting changes.
        """
        share = divideLimits(Config(), 2)
        self.assertEqual(share.gateway.auth, Config().gateway.auth)
        self.assertEqual(share.models, Config().models)
