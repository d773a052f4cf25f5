"""
Tests of L{openclaw.server.site}: bodies that are not read.
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
    Bodies of unauthenticated callers are not buffered.
    """

    def assertRejected(self):
        """
        Assert that the response is complete before the body.
        """
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.assertEqual(self.caller.answer.headers["connection"], "close")
        self.assertTrue(self.caller.answer.complete)
        self.assertFalse(self.caller.closed)

    def test_answeredAtOnce(self):
        """
        With an invalid token, or none, the response follows the headers.
        """
        for headers in ([WRONG], []):
            self.caller = self.gateway.connect()
            self.begin(*headers, length(LIMIT))
            self.assertRejected()
            self.caller.leave()

    def test_noInvitation(self):
        """
        C{Expect: 100-continue} gets no C{100 Continue}.
        """
        self.begin(WRONG, EXPECT, length(LIMIT))
        self.assertTrue(self.caller.received.startswith(b"HTTP/1.1 401 "))
        self.assertNotIn(CONTINUE, self.caller.received)

    def test_nothingIsKept(self):
        """
        Bytes of the body are dropped, and the connection is closed afterwards.
        """
        self.begin(WRONG, length(100_000))
        for _ in range(99):
            self.caller.send(b"x" * 1000)
            self.assertEqual(self.buffered, b"")
        self.assertRejected()
        self.caller.send(b"x" * 1000)
        self.assertTrue(self.caller.closed)
        self.assertFalse(self.caller.line.aborted)
        self.assertEqual(self.caller.answer.status, 401)

    def test_chunked(self):
        """
        The same applies to a body of unknown length.
        """
        self.begin(WRONG, CHUNKED)
        self.assertRejected()
        for _ in range(99):
            self.caller.send(chunk(b"x" * 1000))
            self.assertEqual(self.buffered, b"")
        self.caller.send(b"0\r\n\r\n")
        self.assertTrue(self.caller.closed)
        self.assertEqual(self.caller.answer.status, 401)

    def test_lingerIsBounded(self):
        """
        A client that continues to send is disconnected after some seconds.
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
        A small body that arrives with its headers gets the same single response.
        """
        self.caller.ask("POST", COMPLETIONS, [WRONG], BODY)
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.assertTrue(self.caller.closed)
        self.assertFalse(self.caller.line.aborted)

    def test_nothingFollows(self):
        """
        Bytes after the rejected request are not parsed, even with a valid token.
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
        A rejected request is freed when it is over, without garbage collection, so that
        guessing tokens does not fill the memory.
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
    Bodies of requests that need none are dropped.
    """

    def test_thrownAway(self):
        """
        Such a body does not affect the response.
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
        Such a body can't keep its connection open for long.
        """
        self.begin(CHUNKED, path="/healthz")
        self.wait(LINGER_SECONDS)
        self.assertRefused(self.caller.answer, 408, "request_timeout")
        self.wait(LINGER_SECONDS)
        self.assertTrue(self.caller.closed)
