"""
Tests of L{openclaw.server.site}: connections, from the first request to the last byte.
"""

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import capturedLogs, formatEvent

from openclaw.errors import UpstreamTruncated
from openclaw.server.channel import IDLE_SECONDS
from openclaw.server.site import CLOSE_SECONDS
from tests.api.sse_reader import terminalsOf
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    STREAMED,
    TOKEN,
    GatewayTestCase,
)


class KeepAliveTests(GatewayTestCase):
    """
    A connection can serve many requests.
    """

    def ask(self, caller, body, say="Yes?"):
        """
        Complete a completion request.
        """
        calls = len(self.gateway.provider.calls)
        self.gateway.ask(caller, body)
        if len(self.gateway.provider.calls) > calls:
            self.gateway.call.say(say)
            self.gateway.call.finish()

    def test_manyRequests(self):
        """
        Replies, streams and errors of all kinds leave the connection usable, and each
        has its own id.
        """
        caller = self.gateway.connect()
        self.ask(caller, HELLO)
        self.ask(caller, STREAMED)
        self.ask(caller, b"{")
        caller.ask("GET", "/nowhere")
        caller.ask("DELETE", "/v1/models")
        caller.ask("HEAD", "/healthz")
        caller.ask("GET", "/v1/models", [AUTHORIZATION])
        self.ask(caller, STREAMED, say="Still here.")
        self.assertEqual(
            [answer.status for answer in caller.answers],
            [200, 200, 400, 404, 405, 200, 200, 200],
        )
        self.assertTrue(all(answer.complete for answer in caller.answers))
        self.assertEqual(caller.answers[-1].text, "Still here.")
        self.assertFalse(caller.closed)
        names = {answer.headers["x-request-id"] for answer in caller.answers}
        self.assertEqual(len(names), len(caller.answers))

    def test_afterAFailedRun(self):
        """
        A run that fails, before or after its first output, leaves the connection
        usable.
        """
        caller = self.gateway.connect()
        for spoken in ([], ["Hm"]):
            self.gateway.ask(caller, STREAMED)
            for text in spoken:
                self.gateway.call.say(text)
            self.gateway.call.fail(
                UpstreamTruncated("The answer broke off.", shouldRetry=False)
            )
        self.ask(caller, HELLO)
        failed, broken, good = caller.answers
        self.assertRefused(failed, 502, "upstream_truncated")
        self.assertEqual(terminalsOf(broken.frames), ["upstream_truncated"])
        self.assertEqual(good.text, "Yes?")

    def test_pipelined(self):
        """
        Pipelined requests are answered one after the other, in order.
        """
        caller = self.gateway.connect()
        for say in "ab":
            said = [{"role": "user", "content": say}]
            self.gateway.ask(caller, {"messages": said, "stream": True})
        [first] = self.gateway.provider.calls
        self.assertEqual(first.request.messages[0].content, "a")
        first.say("1")
        self.assertEqual(len(self.gateway.provider.calls), 1)
        first.finish()
        _, second = self.gateway.provider.calls
        self.assertEqual(second.request.messages[0].content, "b")
        second.say("2")
        second.finish()
        self.assertEqual([answer.text for answer in caller.answers], ["1", "2"])

    def test_pipelinedTogether(self):
        """
        Pipelined requests may arrive in one piece.
        """
        caller = self.gateway.connect()
        caller.send(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n" * 3)
        self.assertEqual([answer.status for answer in caller.answers], [200] * 3)

    def test_closeWhenAsked(self):
        """
        C{Connection: close} closes the connection.
        """
        caller = self.gateway.connect()
        caller.ask("GET", "/healthz", [("Connection", "close")])
        self.assertEqual(caller.answer.headers["connection"], "close")
        self.assertTrue(caller.closed)

    def test_idle(self):
        """
        A connection without a request is closed after some time; one that waits for its
        response is not.
        """
        idle, busy = self.gateway.connect(), self.gateway.post(HELLO)
        idle.ask("GET", "/healthz")
        self.gateway.clock.advance(IDLE_SECONDS - 1)
        self.assertFalse(idle.closed)
        self.gateway.clock.advance(1)
        self.assertTrue(idle.closed)
        self.assertFalse(busy.closed)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(busy.answer.text, "Yes?")


class OldTests(GatewayTestCase):
    """
    In HTTP/1.0, which has no chunks, the end of the connection ends the response.
    """

    def ask(self, body):
        """
        Ask for a completion in HTTP/1.0.
        """
        caller = self.gateway.connect()
        self.gateway.ask(caller, body, version="1.0")
        return caller

    def test_whole(self):
        """
        A plain response has its length, and the connection is closed afterwards.
        """
        caller = self.ask(HELLO)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertTrue(caller.received.startswith(b"HTTP/1.0 200 "))
        self.assertEqual(caller.answer.text, "Yes?")
        self.assertTrue(caller.closed)

    def test_stream(self):
        """
        A stream is sent piece by piece, and ends with the connection.
        """
        caller = self.ask(STREAMED)
        self.gateway.call.say("Yes?")
        self.assertEqual(caller.answer.text, "Yes?")
        self.assertNotIn("transfer-encoding", caller.answer.headers)
        self.assertFalse(caller.answer.complete)
        self.gateway.call.finish()
        self.assertTrue(caller.closed)
        self.assertTrue(caller.received.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(terminalsOf(caller.answer.frames), ["stop"])

    def test_refused(self):
        """
        An early error is in HTTP/1.0, too.
        """
        caller = self.gateway.connect()
        caller.ask("POST", COMPLETIONS, [("Content-Length", "9")], version="1.0")
        self.assertTrue(caller.received.startswith(b"HTTP/1.0 401 "))


class EndingTests(GatewayTestCase):
    """
    The end of connections.
    """

    def test_halfClose(self):
        """
        A client that closes its sending half counts as disconnected.
        """
        caller = self.gateway.connect()
        self.assertFalse(IHalfCloseableProtocol.providedBy(caller.line.protocol))

    def test_known(self):
        """
        The site tracks open connections, and no others.
        """
        first, second = self.gateway.connect(), self.gateway.connect()
        self.assertEqual(len(self.gateway.site.connections), 2)
        first.leave()
        self.assertEqual(len(self.gateway.site.connections), 1)
        second.reset()
        self.assertEqual(self.gateway.site.connections, set())

    def test_leftInTheHeaders(self):
        """
        A disconnect during the headers leaves nothing behind.
        """
        for piece in (b"GE", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            caller = self.gateway.connect()
            caller.send(piece)
            caller.leave()
        self.assertEqual(self.gateway.site.connections, set())

    def test_oneLanguage(self):
        """
        ALPN offers only HTTP/1.1.
        """
        self.assertEqual(self.gateway.site.acceptableProtocols(), [b"http/1.1"])

    def test_quiet(self):
        """
        The site has no delayed call, and requests write no log lines.
        """
        before = len(self.gateway.clock.getDelayedCalls())
        with capturedLogs() as captured:
            self.gateway.site.doStart()
            caller = self.gateway.connect()
            caller.ask("GET", f"/healthz?{TOKEN}")
            caller.leave()
            self.assertEqual(len(self.gateway.clock.getDelayedCalls()), before)
            self.gateway.site.doStop()
        self.assertEqual([formatEvent(event) for event in captured], [])
        self.assertEqual(self.gateway.logged, [])


class CloseTests(GatewayTestCase):
    """
    When the daemon stops, the site closes all connections.
    """

    def test_nothingOpen(self):
        """
        Without connections, closing is immediate.
        """
        self.successResultOf(self.gateway.site.close())

    def test_idle(self):
        """
        Idle connections are closed in order, and leave no delayed call.
        """
        callers = [self.gateway.connect() for _ in range(3)]
        callers[0].ask("GET", "/healthz")
        before = len(self.gateway.clock.getDelayedCalls())
        closed = self.gateway.site.close()
        self.assertNoResult(closed)
        self.assertTrue(all(caller.closed for caller in callers))
        self.assertFalse(any(caller.line.aborted for caller in callers))
        self.successResultOf(closed)
        self.assertEqual(len(self.gateway.clock.getDelayedCalls()), before - 3)

    def test_lastBytes(self):
        """
        A slow client has some time to read the last bytes of the response.
        """
        caller = self.gateway.post(HELLO)
        caller.line.stuck = True
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        closed = self.gateway.site.close()
        self.gateway.clock.advance(CLOSE_SECONDS / 2)
        self.assertNoResult(closed)
        self.assertFalse(caller.line.aborted)
        caller.line.stuck = False
        caller.line.settle()
        self.successResultOf(closed)
        self.assertFalse(caller.line.aborted)
        self.assertEqual(caller.answer.text, "Yes?")

    def test_cut(self):
        """
        A client that does not read can't keep the daemon from stopping.
        """
        stuck, good = self.gateway.connect(), self.gateway.connect()
        stuck.line.stuck = True
        closed = self.gateway.site.close()
        good.line.settle()
        self.gateway.clock.advance(CLOSE_SECONDS)
        self.assertTrue(stuck.line.aborted)
        self.assertFalse(good.line.aborted)
        stuck.line.settle()
        self.successResultOf(closed)

    def test_inTheMiddle(self):
        """
        Requests with an incomplete body, and rejected ones, are closed, too.
        """
        coming, refused = self.gateway.connect(), self.gateway.connect()
        coming.ask("POST", COMPLETIONS, [AUTHORIZATION, ("Content-Length", "9")])
        refused.ask("POST", COMPLETIONS, [("Content-Length", "9")])
        closed = self.gateway.site.close()
        self.assertTrue(coming.closed)
        self.assertTrue(refused.closed)
        self.successResultOf(closed)
        self.assertEqual(refused.answer.status, 401)
