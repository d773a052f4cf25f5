"""
HEAD: responses without a body, on each path and for each error.
"""

from http.client import HTTPResponse

from openclaw.api.routes import ROUTES
from tests.server.memory_connection import _Bytes
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    GatewayTestCase,
)

RUN = "x-openclaw-run-id"


def pathsOf(routes):
    """
    Return a path for each route.
    """
    for route in routes:
        yield route.path.replace("<path:name>", "openclaw").replace("<runID>", "run_1")


class HeadTests(GatewayTestCase):
    """
    Bytes after the headers would be taken for the next response.
    """

    def assertNoBody(self, caller, status=None):
        """
        Assert that the last response on a connection has only headers.
        """
        received = caller.received
        response = HTTPResponse(_Bytes(received), method="HEAD")
        response.begin()
        head, separator, body = received.partition(b"\r\n\r\n")
        self.assertTrue(separator)
        self.assertEqual(body, b"", head)
        if status is not None:
            self.assertEqual(response.status, status, head)

    def head(self, path, *headers, authorized=True):
        """
        Send a HEAD request on a new connection.
        """
        caller = self.gateway.connect()
        given = [AUTHORIZATION, *headers] if authorized else list(headers)
        caller.ask("HEAD", path, given)
        return caller

    def test_everyRoute(self):
        """
        No route responds with a body, to any caller.
        """
        paths = {*pathsOf(ROUTES), "/nothing", "/v1/models/%ff"}
        self.assertGreater(len(paths), 10)
        for path in paths:
            for authorized in (True, False):
                self.assertNoBody(self.head(path, authorized=authorized))

    def test_events(self):
        """
        The events of a recorded run are not sent, whether it is in progress or
        finished, and the response does not wait for them.
        """
        caller = self.gateway.post(HELLO, ("Idempotency-Key", "again"))
        self.gateway.call.say("Secret words")
        [run] = self.gateway.runtime.runs
        self.assertNoBody(self.head(f"/v1/runs/{run}/events"), 200)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.status, 200)
        follower = self.head(f"/v1/runs/{run}/events")
        self.assertNoBody(follower, 200)
        # The next request on the connection gets its own response first.
        before = len(follower.received)
        follower.ask("GET", "/healthz")
        self.assertTrue(follower.received[before:].startswith(b"HTTP/1.1 200"))
        self.assertIn(b'"live"', follower.received[before:])

    def test_refused(self):
        """
        The same applies to requests that are rejected before routing.
        """
        for lines, status in (
            (b"Host: a\r\nHost: b\r\n", 400),
            (b"", 400),
            (b"Host: gateway\r\nno header\r\n", 400),
            (b"Host: gateway\r\nExpect: 200-maybe\r\n", 417),
            (b"Host: gateway\r\nX: " + b"x" * 100_000 + b"\r\n", 431),
            (b"Host: gateway\r\nTransfer-Encoding: gzip\r\n", 400),
            (b"Host: gateway\r\nContent-Length: 1x\r\n", 400),
        ):
            caller = self.gateway.connect()
            caller.send(b"HEAD %b HTTP/1.1\r\n%b\r\n" % (COMPLETIONS.encode(), lines))
            self.assertNoBody(caller, status)

    def test_late(self):
        """
        The same applies to a request whose headers do not end.
        """
        caller = self.gateway.connect()
        caller.send(b"HEAD /healthz HTTP/1.1\r\nHost: ")
        self.gateway.clock.advance(
            self.gateway.live.config.gateway.http.headerTimeoutSeconds
        )
        self.assertNoBody(caller, 408)
