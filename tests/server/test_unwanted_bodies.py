"""
Tests of L{openclaw.server.site}: bodies that nobody wants.
"""

import gc
import weakref

from openclaw.server.admission import LINGER_SECONDS
from tests.server.memory_connection import CONTINUE
from tests.server.memory_gateway import COMPLETIONS, TOKEN
from tests.server.upload_case import (
    BODY,
    CHUNKED,
    EXPECT,
    LIMIT,
    WRONG,
    BodyTestCase,
    chunk,
    length,
)


class StrangerTests(BodyTestCase):
    """
    Nobody whom we do not know can make us take a body.
    """

    def assertTurnedAway(self):
        """
        Assert that the answer is there, whole, before the body.
        """
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.assertEqual(self.caller.answer.headers["connection"], "close")
        self.assertTrue(self.caller.answer.complete)
        self.assertFalse(self.caller.closed)

    def test_answeredAtOnce(self):
        """
        A wrong token, or none, is answered when the headers are there.
        """
        for headers in ([WRONG], []):
            self.caller = self.gateway.connect()
            self.begin(*headers, length(LIMIT))
            self.assertTurnedAway()
            self.caller.leave()

    def test_noInvitation(self):
        """
        A client that asks whether to send its body is not told to go on.
        """
        self.begin(WRONG, EXPECT, length(LIMIT))
        self.assertTrue(self.caller.received.startswith(b"HTTP/1.1 401 "))
        self.assertNotIn(CONTINUE, self.caller.received)

    def test_nothingIsKept(self):
        """
        Bytes of the body that come all the same are thrown away, and the connection
        closes behind it.
        """
        self.begin(WRONG, length(100_000))
        for _ in range(99):
            self.caller.send(b"x" * 1000)
            self.assertEqual(self.buffered, b"")
        self.assertTurnedAway()
        self.caller.send(b"x" * 1000)
        self.assertTrue(self.caller.closed)
        self.assertFalse(self.caller.line.aborted)
        self.assertEqual(self.caller.answer.status, 401)

    def test_chunked(self):
        """
        The same holds for a body whose length is not known.
        """
        self.begin(WRONG, CHUNKED)
        self.assertTurnedAway()
        for _ in range(99):
            self.caller.send(chunk(b"x" * 1000))
            self.assertEqual(self.buffered, b"")
        self.caller.send(b"0\r\n\r\n")
        self.assertTrue(self.caller.closed)
        self.assertEqual(self.caller.answer.status, 401)

    def test_lingerIsBounded(self):
        """
        A client that goes on sending is disconnected after some seconds, however busily
        it sends.
        """
        self.begin(WRONG, CHUNKED)
        for _ in range(int(LINGER_SECONDS) - 1):
            self.wait(1)
            self.caller.send(chunk(b"x"))
            self.assertFalse(self.caller.closed)
        self.wait(1)
        self.assertTrue(self.caller.line.aborted)
        self.assertTrue(self.caller.closed)

    def test_smallBody(self):
        """
        A small body that comes with its headers gets the same answer, and no other.
        """
        self.caller.ask("POST", COMPLETIONS, [WRONG], BODY)
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.assertTrue(self.caller.closed)
        self.assertFalse(self.caller.line.aborted)

    def test_nothingFollows(self):
        """
        Bytes behind the refused request are not parsed, even with a valid token.
        """
        good = f"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        self.caller.ask("POST", COMPLETIONS, [WRONG], BODY + good.encode())
        self.caller.send(good.encode())
        self.assertEqual(len(self.caller.answers), 1)
        for bodyless in ("GET", "HEAD"):
            caller = self.gateway.connect()
            caller.line.stuck = True
            caller.ask(bodyless, "/v1/models", [WRONG])
            caller.send(good.encode())
            self.assertEqual(caller.answer.status, 401)
            caller.leave()

    def test_forgotten(self):
        """
        A refused request is forgotten when it is over, not when Python next looks
        for rubbish: guessing tokens fills no memory.
        """
        gc.disable()
        self.addCleanup(gc.enable)
        self.begin(WRONG, length(1))
        request = weakref.ref(self.request)
        self.assertIsNotNone(request())
        self.caller.send(b"x")
        self.assertIsNone(request())


class UnwantedTests(BodyTestCase):
    """
    Bodies of requests that need none are not kept.
    """

    def test_thrownAway(self):
        """
        A body for something that takes none changes nothing of the answer.
        """
        for path, status in (("/healthz", 405), ("/nowhere", 404)):
            self.caller = self.gateway.connect()
            self.begin(length(50_000), path=path)
            for _ in range(49):
                self.caller.send(b"x" * 1000)
                self.assertEqual(self.buffered, b"")
            self.caller.send(b"x" * 1000)
            self.assertEqual(self.caller.answer.status, status)
            self.assertNotIn("connection", self.caller.answer.headers)

    def test_bounded(self):
        """
        Such a body can't hold its connection for long.
        """
        self.begin(CHUNKED, path="/healthz")
        self.wait(LINGER_SECONDS)
        self.assertRefused(self.caller.answer, 408, "request_timeout")
        self.wait(LINGER_SECONDS)
        self.assertTrue(self.caller.closed)
