"""
Tests of compressed responses with embeddings.
"""

import gzip

import msgspec
from twisted.logger import Logger

from openclaw.config import Provider, Secret
from openclaw.errors import UpstreamTruncated
from openclaw.interfaces import EmbeddingRequest
from openclaw.plugins.openclaw_models import openaiCompletions
from tests.models.provider_case import KEY, ProviderTestCase

ANSWER = gzip.compress(msgspec.json.encode({"data": [{"embedding": [0.5, 1]}]}))


class CodingTests(ProviderTestCase):
    """
    Content codings of an answer that comes as a whole.
    """

    def makeProvider(self):
        """
        Make a provider of embeddings.
        """
        settings = Provider(baseUrl="http://model.test/v1", apiKey=Secret(KEY))
        log = Logger(observer=lambda event: None)
        return openaiCompletions.makeProvider("vendor", settings, self.network, log)

    def answered(self, coding, body, length=True):
        """
        Make a request, and respond with a body.

        @param length: Whether it has a length, or ends with the connection.
        """
        server = self.serveRaw()
        done = self.provider.embed(EmbeddingRequest("m", ["a"]))
        self.network.flush()
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n"
        if length:
            head += f"Content-Length: {len(body)}\r\n"
        server.write(head.encode() + b"\r\n" + body)
        self.network.flush()
        if not length:
            server.close()
            self.network.flush()
        return done

    def assertFails(self, done, kind, why):
        """
        Assert that the error has this reason.
        """
        error = self.failureResultOf(done, kind).value
        self.assertIs(type(error), kind)
        self.assertIn(why, error.message)
        self.assertNothingLeft()

    def test_whole(self):
        """
        A complete compressed response is decoded, however it ends.
        """
        for length in (False, True):
            done = self.answered("gzip", ANSWER, length)
            self.assertEqual(len(self.successResultOf(done).vectors), 1)
            self.network.flush()

    def test_damaged(self):
        """
        Damaged or incomplete compressed data is an error, even if its JSON is complete.
        """
        for body, why in (
            (ANSWER[:-1], "truncated"),
            (ANSWER[:-8], "truncated"),
            (ANSWER[:20], "truncated"),
            (ANSWER[:-8] + bytes(8), "damaged"),
            (ANSWER + b"garbage", "damaged"),
        ):
            for length in (True, False):
                done = self.answered("gzip", body, length)
                self.assertFails(done, UpstreamTruncated, why)
