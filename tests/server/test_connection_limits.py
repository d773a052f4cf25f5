"""
Tests of L{openclaw.server.site}: limits of connections and of memory for bodies.
"""

from pathlib import Path

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone

from openclaw.server.admission import LINGER_SECONDS
from openclaw.server.channel import IDLE_SECONDS
from openclaw.server.rejected_connections import RejectedConnection
from openclaw.server.site import MAX_REJECTED, GatewaySite
from tests.auth.doorkeeper_doubles import addToken
from tests.server.memory_connection import Caller, Line
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)


def connectRemotely(site, number=1):
    """
    Connect from another machine.

    @return: The gateway's end of the connection.
    """
    address = IPv4Address("TCP", f"192.0.2.{number}", 4711)
    protocol = site.buildProtocol(address)
    return None if protocol is None else Line(protocol)


class LimitTestCase(GatewayTestCase):
    """
    A gateway with low limits.
    """

    def setUp(self):
        super().setUp()
        limits = {
            "maxConnections": 4,
            "maxConnectionsPerAddress": 2,
            "maxBodyBytesInFlight": 4096,
        }
        self.gateway = self.start(
            config=configOf(http=limits, endpoint={"maxBodyBytes": 2048})
        )
        self.site = self.gateway.site
        self.lines = []

    def tearDown(self):
        """
        Close all connections.
        """
        for line in self.lines:
            if line.connected:
                line.end(ConnectionDone())
        super().tearDown()

    def connectFrom(self, number=1):
        """
        Connect from the machine with this number.
        """
        line = connectRemotely(self.site, number)
        self.lines.append(line)
        return line

    def assertRejected(self, line):
        """
        Assert that the connection was rejected with a response.
        """
        self.assertIsInstance(line.protocol, RejectedConnection)
        caller = Caller.__new__(Caller)
        caller.line, caller._methods = line, []
        self.assertRefused(caller.answer, 503, "gateway_crowded")
        self.assertEqual(caller.answer.headers["retry-after"], "1")
        self.assertEqual(caller.answer.headers["connection"], "close")
        self.assertTrue(caller.closed)


class AddressTests(LimitTestCase):
    """
    The limit per address.
    """

    def test_oneMachine(self):
        """
        A machine over its limit is rejected; others are accepted, and so is the machine
        after it has disconnected.
        """
        first, second = self.connectFrom(), self.connectFrom()
        self.assertRejected(self.connectFrom())
        self.assertNotIsInstance(self.connectFrom(2).protocol, RejectedConnection)
        first.end(ConnectionDone())
        self.assertNotIsInstance(self.connectFrom().protocol, RejectedConnection)
        self.assertTrue(second.connected)

    def test_thisMachine(self):
        """
        Programs on this machine, such as a proxy, have no limit.
        """
        callers = [self.gateway.connect() for _ in range(4)]
        self.assertEqual(len(self.site.connections), 4)
        for caller in callers:
            caller.leave()


class TokenTests(LimitTestCase):
    """
    The share of a token, from any address.
    """

    def setUp(self):
        """
        Add two tokens.
        """
        super().setUp()
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        self.tokens = [addToken(state, name) for name in ("greedy", "polite")]
        self.gateway = self.start(
            config=configOf(http={"maxConnections": 4}), state=state
        )

    def post(self, token, body=STREAMED):
        """
        Send a request with a token.
        """
        caller = self.gateway.connect()
        header = ("Authorization", f"Bearer {token}")
        caller.ask("POST", COMPLETIONS, [header], msgspec.json.encode(body))
        return caller

    def test_share(self):
        """
        A token can use three quarters of the connections for its requests; the next one
        is rejected, and another caller can use the rest.
        """
        greedy, polite = self.tokens
        callers = [self.post(greedy) for _ in range(3)]
        refused = self.post(greedy)
        self.assertRefused(refused.answer, 503, "gateway_crowded")
        self.assertTrue(refused.closed)
        callers.append(self.post(polite))
        self.assertEqual(len(self.gateway.provider.calls), 4)
        self.assertEqual(self.gateway.site.requests.used, 4)
        callers.pop().leave()
        callers.pop().leave()
        callers.append(self.post(greedy))
        self.assertEqual(len(self.gateway.provider.calls), 5)
        for caller in callers:
            caller.leave()
        self.assertEqual(self.gateway.site.requests.used, 0)

    def test_over(self):
        """
        Finished requests do not count.
        """
        for _ in range(8):
            caller = self.post(self.tokens[0], HELLO)
            self.gateway.call.say("Yes?")
            self.gateway.call.finish()
            self.assertEqual(caller.answer.text, "Yes?")
            self.assertEqual(self.gateway.site.requests.used, 0)
            caller.leave()


class TotalTests(LimitTestCase):
    """
    The limit of all connections.
    """

    def busy(self):
        """
        Start a stream.
        """
        return self.gateway.post(STREAMED)

    def test_longestIdleGoes(self):
        """
        For a new connection, the one that has been idle for longest is closed, and none
        in use.
        """
        running = self.busy()
        callers = [self.gateway.connect() for _ in range(3)]
        callers[0].ask("GET", "/healthz")
        newest = self.gateway.connect()
        self.assertTrue(callers[1].closed)
        for caller in (running, callers[0], callers[2], newest):
            self.assertFalse(caller.closed)
        newest.ask("GET", "/healthz")
        self.assertEqual(newest.answer.status, 200)
        running.leave()

    def test_allInUse(self):
        """
        If all connections are in use, the newest is rejected.
        """
        callers = [self.busy() for _ in range(4)]
        self.assertRejected(self.connectFrom())
        callers[0].leave()
        self.assertNotIsInstance(self.connectFrom().protocol, RejectedConnection)
        for caller in callers:
            caller.leave()

    def test_manyAreTurnedAway(self):
        """
        Some rejected connections get a response, and others are closed without one.
        Those that the client does not close are aborted.
        """
        callers = [self.busy() for _ in range(4)]
        stuck = []
        for _ in range(MAX_REJECTED):
            line = self.connectFrom()
            line.stuck = True
            stuck.append(line)
        self.assertIsNone(connectRemotely(self.site))
        self.gateway.clock.advance(LINGER_SECONDS)
        for line in stuck:
            self.assertTrue(line.aborted)
            line.settle()
        self.assertEqual(self.site.rejected, set())
        for caller in callers:
            caller.leave()

    def test_descriptors(self):
        """
        The operating system's limit applies, too.
        """
        site = GatewaySite(
            self.site.resource,
            self.site.access,
            self.gateway.clock,
            descriptors=1024,
        )
        self.assertEqual(site.connectionLimit, 768)
        site.settings = self.site.settings
        self.assertEqual(site.connectionLimit, 4)


class BodyTests(LimitTestCase):
    """
    The limit of the memory for all bodies.
    """

    def begin(self, *headers):
        """
        Send the head of a request, whose body comes later.
        """
        caller = self.gateway.connect()
        caller.ask("POST", COMPLETIONS, [AUTHORIZATION, *headers])
        return caller

    def test_arrived(self):
        """
        The bytes that have arrived count, and those that are only declared do not.
        """
        callers = [self.begin(("Content-Length", "2000")) for _ in range(9)]
        self.assertEqual(self.site.bodyBudget.used, 0)
        callers[0].send(b" " * 1900)
        callers[1].send(b" " * 1100)
        self.assertEqual(self.site.bodyBudget.used, 3000)
        # One caller leaves a quarter to others.
        callers[2].send(b" " * 500)
        self.assertRefused(callers[2].answer, 503, "gateway_crowded")
        self.assertEqual(callers[2].answer.headers["retry-after-ms"], "1000")
        self.assertEqual(self.site.bodyBudget.used, 3000)
        callers[0].leave()
        callers[3].send(b" " * 1000)
        self.assertEqual(callers[3].received, b"")
        for caller in callers:
            caller.leave()
        self.assertEqual(self.site.bodyBudget.used, 0)

    def test_tooLarge(self):
        """
        A body that is declared as too large is rejected immediately.
        """
        late = self.begin(("Content-Length", "1000000"))
        self.assertRefused(late.answer, 413, "request_too_large")
        late.leave()

    def test_strangers(self):
        """
        Bodies of unauthenticated callers do not count.
        """
        caller = self.gateway.connect()
        caller.ask("POST", COMPLETIONS, [("Content-Length", "2000")])
        self.assertEqual(self.site.bodyBudget.used, 0)
        caller.leave()

    def test_chunked(self):
        """
        A body of unknown length counts as it arrives, and no longer when it is
        rejected.
        """
        first = self.begin(("Content-Length", "2040"))
        first.send(b" " * 2039)
        second = self.begin(("Transfer-Encoding", "chunked"))
        second.send(b"300\r\n" + b" " * 768 + b"\r\n")
        self.assertEqual(self.site.bodyBudget.used, 2039 + 768)
        second.send(b"200\r\n" + b" " * 512 + b"\r\n")
        self.assertRefused(second.answer, 503, "gateway_crowded")
        self.assertEqual(self.site.bodyBudget.used, 2039)
        for caller in (first, second):
            caller.leave()
        self.assertEqual(self.site.bodyBudget.used, 0)

    def test_untilTheEnd(self):
        """
        A body counts as long as its run is in progress.
        """
        caller = self.gateway.post(STREAMED)
        self.assertGreater(self.site.bodyBudget.used, 0)
        self.gateway.call.say("so")
        self.gateway.call.finish()
        self.assertEqual(self.site.bodyBudget.used, 0)
        caller.leave()


class DeadlineTests(GatewayTestCase):
    """
    The deadlines of a connection.
    """

    def test_rate(self):
        """
        A body that arrives too slowly is rejected before its deadline.
        """
        self.gateway = self.start(config=configOf(endpoint={"bodyTimeoutSeconds": 30}))
        fast, slow = self.gateway.connect(), self.gateway.connect()
        for caller in (fast, slow):
            caller.ask(
                "POST", COMPLETIONS, [AUTHORIZATION, ("Content-Length", "99999")]
            )
        for _ in range(10):
            fast.send(b" " * 1024)
            slow.send(b" " * 1023)
            self.gateway.clock.advance(1)
        self.assertRefused(slow.answer, 408, "request_timeout")
        self.assertEqual(fast.received, b"")
        fast.send(b" " * 40_000)
        self.gateway.clock.advance(19.5)
        self.assertEqual(fast.received, b"")
        self.gateway.clock.advance(0.5)
        self.assertRefused(fast.answer, 408, "request_timeout")
        fast.leave()
        slow.leave()

    def test_headers(self):
        """
        The deadline of headers starts at their first byte.
        """
        caller = self.gateway.connect()
        self.gateway.clock.advance(15)
        for _ in range(9):
            caller.send(b"G")
            self.gateway.clock.advance(1)
        self.assertEqual(caller.received, b"")
        caller.send(b"G")
        self.gateway.clock.advance(1)
        self.assertRefused(caller.answer, 408, "request_timeout")
        self.assertTrue(caller.closed)

    def test_lastBytes(self):
        """
        A client that does not read the end of the response is disconnected.
        """
        caller = self.gateway.connect()
        caller.line.stuck = True
        caller.ask("GET", "/healthz", [("Connection", "close")])
        self.gateway.clock.advance(IDLE_SECONDS - 1)
        self.assertFalse(caller.line.aborted)
        self.gateway.clock.advance(1)
        self.assertTrue(caller.line.aborted)
        self.assertTrue(caller.closed)
