"""
Tests of L{openclaw.net.http_pool}, with providers.
"""

from gc import collect
from weakref import ref

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers

from openclaw.errors import (
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelCall
from openclaw.net.http_pool import (
    IDLE_CONNECTIONS,
    IDLE_SECONDS,
    HTTPPool,
)
from openclaw.testing import ServedCall
from tests.models.provider_case import ProviderTestCase


def answer(call: ServedCall) -> None:
    """
    Send a model's response.
    """
    call.say("Good", " day")
    call.finish()


class Socket(StringTransport):
    """
    A transport that records what is written.
    """

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Do nothing.
        """


class Indifferent:
    """
    A receiver that ignores the response.
    """

    def connected(self) -> None:
        """
        Do nothing.
        """

    def headersReceived(self, status: int, headers: object) -> None:
        """
        Do nothing.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Do nothing.
        """

    def responseEnded(self) -> None:
        """
        Do nothing.
        """

    def failed(self, reason: object) -> None:
        """
        Do nothing.
        """


class EndpointTests(SynchronousTestCase):
    """
    Targets are prepared once.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.agent = HTTPPool(self.reactor)

    def ask(self, url: str) -> None:
        """
        Send a request, and ignore the response.
        """
        self.agent.post(self.agent.makeTarget(url, Headers()), b"", Indifferent())

    def test_eachItsOwn(self) -> None:
        """
        Each scheme, host and port has its own endpoint, without a time-out of its own.
        """
        self.ask("http://127.0.0.1:81/a")
        self.ask("http://127.0.0.1:82/a")
        self.ask("http://127.0.0.1:81/b")
        self.assertEqual(
            [(c[0], c[1], c[3]) for c in self.reactor.tcpClients],
            [("127.0.0.1", port, None) for port in (81, 82, 81)],
        )

    def test_encrypted(self) -> None:
        """
        https starts with a TLS handshake.
        """
        self.ask("https://127.0.0.1/v1")
        host, port, factory, *_ = self.reactor.tcpClients[0]
        self.assertEqual((host, port), ("127.0.0.1", 443))
        transport = Socket()
        factory.buildProtocol(None).makeConnection(transport)
        handshake = 22  # the type of a TLS record
        self.assertEqual(transport.value()[0], handshake)

    def test_otherScheme(self) -> None:
        """
        Other schemes are refused.
        """
        with self.assertRaises(SchemeNotSupported):
            self.agent.makeTarget("gopher://127.0.0.1/", Headers())

    def test_names(self) -> None:
        """
        The Host header is like a browser's.
        """
        for url, host, path in (
            ("http://model.test/v1/x", b"model.test", b"/v1/x"),
            ("https://model.test:443/", b"model.test", b"/"),
            ("http://model.test:8080/a?b=c", b"model.test:8080", b"/a?b=c"),
            ("http://[::1]:11434/api", b"[::1]:11434", b"/api"),
            ("http://model.test//v1/x", b"model.test", b"//v1/x"),
            ("https://bücher.example/v1", b"xn--bcher-kva.example", b"/v1"),
        ):
            head = self.agent.makeTarget(url, Headers()).head
            self.assertTrue(head.startswith(b"POST %b HTTP/1.1\r\n" % path), head)
            self.assertIn(b"\r\nHost: %b\r\n" % host, head)

    def test_headersAreLines(self) -> None:
        """
        A configured header cannot inject others.
        """
        headers = Headers({"X-Made": ["a\r\nX-More: b"]})
        head = self.agent.makeTarget("http://model.test/", headers).head
        self.assertIn(b"\r\nX-Made: a X-More: b\r\n", head)


class ReuseTests(ProviderTestCase):
    """
    Connections are reused.
    """

    def setUp(self) -> None:
        super().setUp()
        self.model.answer = answer

    def assertAnswered(self, *calls: IModelCall) -> None:
        """
        Assert that these calls succeed.
        """
        self.network.flush()
        for call in calls:
            self.assertEqual(self.successResultOf(call.done).text, "Good day")

    def test_oneAfterTheOther(self) -> None:
        """
        Consecutive calls share one connection.
        """
        for _ in range(5):
            self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 1)
        self.assertEqual(len(self.model.calls), 5)

    def test_askedFromReply(self) -> None:
        """
        A call made from within the reply opens a second connection, since the first is
        not idle yet.
        """
        calls = []
        self.ask().done.addCallback(lambda reply: calls.append(self.ask()))
        self.network.flush()
        self.assertAnswered(*calls)
        self.assertAnswered(self.ask(), self.ask())
        self.assertEqual(len(self.network.links), 2)

    def test_manyAtOnce(self) -> None:
        """
        Idle connections are kept up to the limit.
        """
        for _ in range(3):
            self.assertAnswered(*[self.ask() for _ in range(IDLE_CONNECTIONS)])
        self.assertEqual(len(self.network.links), IDLE_CONNECTIONS)

    def test_moreThanAreKept(self) -> None:
        """
        No call waits for a connection; surplus connections are closed.
        """
        self.assertAnswered(*[self.ask() for _ in range(IDLE_CONNECTIONS + 3)])
        self.network.flush()
        self.assertEqual(len(self.network.open), IDLE_CONNECTIONS)

    def test_afterRefusal(self) -> None:
        """
        A connection is reused after an error response.
        """
        self.model.answer = lambda call: call.refuse(401)
        for _ in range(3):
            self.failureOf(self.asked(), UpstreamAuthFailed)
        self.assertEqual(len(self.network.links), 1)

    def test_afterBrokenAnswer(self) -> None:
        """
        A connection is reused after a truncated reply in a complete response.
        """
        self.model.answer = lambda call: (call.say("Good"), call.end())
        for _ in range(3):
            self.failureOf(self.asked(), UpstreamTruncated)
        self.assertEqual(len(self.network.links), 1)

    def test_afterCancelling(self) -> None:
        """
        A connection is not reused after a cancelled call.
        """
        self.model.answer = lambda call: call.say("Good")
        call = self.asked()
        call.cancel()
        self.failureOf(call, RunCancelled)
        self.model.answer = answer
        self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 2)

    def test_idle(self) -> None:
        """
        An idle connection is closed after a while.
        """
        self.assertAnswered(self.ask())
        self.network.wait(IDLE_SECONDS - 1)
        self.assertEqual(len(self.network.open), 1)
        self.network.wait(1)
        self.assertNothingLeft()

    def test_forgotten(self) -> None:
        """
        An ended call is freed, however it ended.
        """
        kept = []
        for end in (answer, ServedCall.cut, ServedCall.end):
            self.model.answer = end
            call = self.asked()
            call.done.addErrback(lambda failure: None)
            kept.append(ref(call))
        del call
        collect()
        self.assertEqual([each() for each in kept], [None] * 3)

    def test_noNoise(self) -> None:
        """
        Connections are not logged.
        """
        lines: list[dict] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.assertAnswered(self.ask())
        self.assertCloses()
        self.assertEqual(lines, [])

    def test_otherProvider(self) -> None:
        """
        Providers share no connections, not even to the same address, since their
        credentials differ.
        """
        self.assertAnswered(self.ask())
        self.provider = self.makeProvider()
        self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 2)


class StaleConnectionTests(ProviderTestCase):
    """
    A provider may close an idle connection just when a request is sent on it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.model.answer = answer
        self.successResultOf(self.asked().done)

    def test_askedAgain(self) -> None:
        """
        The request is repeated on a new connection.
        """
        self.network.links[0].server.loseConnection()
        call = self.asked()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.assertEqual(len(self.network.links), 2)
        self.assertEqual(len(self.model.calls), 2)
        self.assertCloses()

    def test_manyStale(self) -> None:
        """
        The request is not repeated on another idle connection, since a restarted
        provider has closed them all.
        """
        calls = [self.ask() for _ in range(3)]
        self.network.flush()
        for call in calls:
            self.successResultOf(call.done)
        for link in self.network.links:
            link.server.loseConnection()
        call = self.asked()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.assertEqual(len(self.network.links), 4)
        self.assertCloses()

    def test_onceOnly(self) -> None:
        """
        The request is repeated only once.
        """
        self.model.answer = lambda call: call.cut()
        call = self.asked()
        self.failureOf(call, UpstreamUnreachable)
        self.assertEqual(len(self.network.links), 2)
        self.assertEqual(len(self.model.calls), 3)
        self.assertNothingLeft()

    def test_notOnNewConnection(self) -> None:
        """
        A request on a new connection is not repeated, since the model may have started.
        """
        self.assertCloses()
        self.model.answer = lambda call: call.cut()
        call = self.asked()
        self.failureOf(call, UpstreamUnreachable)
        self.assertEqual(len(self.model.calls), 2)
        self.assertNothingLeft()

    def test_notOnceAnswered(self) -> None:
        """
        A request is not repeated after a part of the response.
        """
        self.model.answer = lambda call: call.say("Good")
        call = self.asked()
        self.network.links[0].server.loseConnection()
        self.network.flush()
        self.failureOf(call, UpstreamTruncated)
        self.assertEqual(len(self.model.calls), 2)

    def test_noticedInTime(self) -> None:
        """
        A connection that was closed while idle is not used.
        """
        self.network.links[0].server.loseConnection()
        self.network.flush()
        self.successResultOf(self.asked().done)
        self.assertEqual(len(self.network.links), 2)

    def test_closedSince(self) -> None:
        """
        It is not closed again with the provider.
        """
        self.network.links[0].server.loseConnection()
        self.network.flush()
        self.assertCloses()

    def test_cancelledWhileAskedAgain(self) -> None:
        """
        The repeated request can be cancelled.
        """
        self.network.links[0].server.loseConnection()
        self.network.listen(80, None)
        call = self.asked()
        self.assertNoResult(call.done)
        call.cancel()
        self.failureOf(call, RunCancelled)
        self.assertNothingLeft()

    def test_clocksBeginAnew(self) -> None:
        """
        The repeated request has its own connect time-out.
        """
        self.network.links[0].server.loseConnection()
        self.network.listen(80, None)
        call = self.asked()
        self.network.wait(self.timeouts.connect - 0.25)
        self.assertNoResult(call.done)
        self.network.advance(0.25)
        self.assertEqual(
            self.failureOf(call, UpstreamTimeout).code, "upstream_connect_timeout"
        )
        self.assertNothingLeft()
