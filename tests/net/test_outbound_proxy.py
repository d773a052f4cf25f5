"""
Tests of L{openclaw.net.outbound_proxy} and L{openclaw.net.http_pool} with proxies.
"""

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.net.http_pool import HTTPPool
from openclaw.net.outbound_proxy import (
    MAX_HEAD_BYTES,
    InvalidProxy,
    ProxyError,
    TunnelEndpoint,
    parseProxy,
    proxyOfEnvironment,
)
from openclaw.net.twisted_internals import LenientHostnameEndpoint

PROXY = parseProxy("http://user:p%40ss@proxy.test:3128")


class ParseTests(SynchronousTestCase):
    """
    The URL of a proxy.
    """

    def test_parts(self) -> None:
        """
        It has a host, a port, and credentials, which its C{repr} does not show.
        """
        self.assertEqual((PROXY.host, PROXY.port), ("proxy.test", 3128))
        self.assertEqual(PROXY.authorization, b"Basic dXNlcjpwQHNz")
        self.assertNotIn("dXNl", repr(PROXY))
        self.assertEqual(parseProxy("https://proxy.test").port, 443)
        self.assertEqual(parseProxy("proxy.test:81/").port, 81)
        self.assertIsNone(parseProxy("[::1]:81").authorization)

    def test_invalid(self) -> None:
        """
        An error does not show the URL.
        """
        for text in (
            "socks5://user:secret@proxy.test",
            "http://user:secret@",
            "http://secret.test:0",
            "http://secret.test:x",
            "http://secret.test/path",
            "http://secret .test",
        ):
            error = self.assertRaises(ValueError, parseProxy, text)
            self.assertNotIn("secret", str(error))


class EnvironmentTests(SynchronousTestCase):
    """
    The variables of the environment.
    """

    def choose(self, url: str, **variables: str) -> str | None:
        """
        Return the host of the proxy for a URL.
        """
        scheme, _, rest = url.partition("://")
        host, _, port = rest.partition(":")
        self.patch(os, "environ", variables)
        proxy = proxyOfEnvironment(scheme, host, int(port or 443))
        return None if proxy is None else proxy.host

    def test_chosen(self) -> None:
        """
        Each scheme has its variable, in lower case or upper case.
        """
        self.assertEqual(self.choose("https://a.test", HTTPS_PROXY="http://p:1"), "p")
        self.assertEqual(self.choose("https://a.test", https_proxy="p:1"), "p")
        self.assertEqual(self.choose("http://a.test", http_proxy="p:1"), "p")
        self.assertEqual(self.choose("http://a.test", ALL_PROXY="p:1"), "p")
        self.assertIsNone(self.choose("http://a.test", HTTPS_PROXY="p:1"))
        self.assertIsNone(self.choose("http://a.test"))

    def test_direct(self) -> None:
        """
        The hosts of C{NO_PROXY}, and this machine, are reached directly.
        """
        for host in ("a.test", "x.a.test", "127.0.0.1", "127.9.9.9", "localhost"):
            for name in ("NO_PROXY", "no_proxy"):
                variables = {"HTTPS_PROXY": "p:1", name: "b.test, .a.test"}
                self.assertIsNone(self.choose(f"https://{host}", **variables), host)
        self.assertIsNone(
            self.choose("https://a.test", HTTPS_PROXY="p:1", NO_PROXY="*")
        )
        for host in ("ba.test", "a.test.org", "128.0.0.1"):
            variables = {"HTTPS_PROXY": "p:1", "NO_PROXY": ".a.test"}
            self.assertEqual(self.choose(f"https://{host}", **variables), "p", host)

    def test_port(self) -> None:
        """
        C{NO_PROXY} may name a port.
        """
        variables = {"HTTPS_PROXY": "p:1", "NO_PROXY": "a.test:8443"}
        self.assertIsNone(self.choose("https://a.test:8443", **variables))
        self.assertEqual(self.choose("https://a.test", **variables), "p")

    def test_invalid(self) -> None:
        """
        An invalid variable is named, without its value.
        """
        error = self.assertRaises(
            InvalidProxy,
            self.choose,
            "https://a.test",
            HTTPS_PROXY="socks5://secret@p:1",
        )
        self.assertEqual(
            error.message,
            "https_proxy in the environment is not an http or https proxy.",
        )


class Inner(Protocol):
    """
    A protocol that keeps what it receives.
    """

    data = b""
    lost = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost = True


class TunnelTests(SynchronousTestCase):
    """
    A connection through a proxy.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.transport = StringTransport()
        endpoint: Any = LenientHostnameEndpoint(self.reactor, "127.0.0.1", 3128)
        self.tunnel = TunnelEndpoint(endpoint, PROXY, b"model.test:443")

    def connect(self) -> Any:
        """
        Connect to the proxy.

        @return: What the outcome is appended to.
        """
        outcomes: list[Any] = []
        factory: Any = Factory.forProtocol(Inner)
        self.done = self.tunnel.connect(factory)
        self.done.addBoth(outcomes.append)
        [(*_, made, _, _)] = self.reactor.tcpClients
        self.proxied = made.buildProtocol(None)
        self.proxied.makeConnection(self.transport)
        return outcomes

    def test_request(self) -> None:
        """
        The proxy gets the server's host and port, and the credentials.
        """
        self.connect()
        self.assertEqual(
            self.transport.value(),
            b"CONNECT model.test:443 HTTP/1.1\r\nHost: model.test:443\r\n"
            b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n",
        )

    @given(st.lists(st.integers(1, 60), max_size=6))
    def test_opened(self, cuts: list[int]) -> None:
        """
        After any 2xx, however it is split, the connection belongs to the protocol.
        """
        self.setUp()
        outcomes = self.connect()
        text = (
            b"HTTP/1.1 100 Continue\r\n\r\n"
            b"HTTP/1.0 200 Connection established\r\nVia: 1.0 p\r\n\r\nhello"
        )
        start = 0
        for cut in [*sorted(set(cuts)), len(text)]:
            if text[start:cut]:
                self.proxied.dataReceived(text[start:cut])
            start = max(start, cut)
        [inner] = outcomes
        self.assertEqual(inner.data, b"hello")
        self.assertIs(inner.transport, self.transport)
        self.proxied.connectionLost(None)
        self.assertTrue(inner.lost)

    def test_refused(self) -> None:
        """
        Any other status is an error without the proxy's text.
        """
        for line in (b"HTTP/1.1 407 secret", b"HTTP/1.1 502 secret", b"secret", b""):
            self.setUp()
            outcomes = self.connect()
            self.proxied.dataReceived(line + b"\r\n\r\n")
            [failure] = outcomes
            self.assertTrue(failure.check(ProxyError))
            self.assertNotIn("secret", failure.value.message)
            self.assertTrue(self.transport.disconnecting)

    def test_tooLarge(self) -> None:
        """
        The response to C{CONNECT} is limited.
        """
        outcomes = self.connect()
        self.proxied.dataReceived(b"x" * (MAX_HEAD_BYTES + 1))
        self.assertTrue(outcomes[0].check(ProxyError))

    def test_closed(self) -> None:
        """
        The end of the connection ends the attempt.
        """
        outcomes = self.connect()
        self.proxied.connectionLost(None)
        self.assertTrue(outcomes[0].check(ProxyError))

    def test_cancelled(self) -> None:
        """
        Cancelling closes the connection to the proxy.
        """
        outcomes = self.connect()
        self.done.cancel()
        self.assertEqual(len(outcomes), 1)
        self.assertTrue(self.transport.disconnecting)


class TargetTests(SynchronousTestCase):
    """
    The requests of a pool that uses a proxy.
    """

    def test_http(self) -> None:
        """
        For http the proxy gets the whole URL, and its credentials.
        """
        pool = HTTPPool(MemoryReactorClock(), lambda scheme, host, port: PROXY)
        head = pool.makeTarget("http://model.test:81/v1/x?y=z", Headers()).head
        self.assertTrue(head.startswith(b"POST http://model.test:81/v1/x?y=z HTTP/1.1"))
        self.assertIn(b"Host: model.test:81\r\n", head)
        self.assertIn(b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n", head)

    def test_https(self) -> None:
        """
        For https the server gets a request as without a proxy.
        """
        pool = HTTPPool(MemoryReactorClock(), lambda scheme, host, port: PROXY)
        direct = HTTPPool(MemoryReactorClock())
        url = "https://model.test/v1/x"
        self.assertEqual(
            pool.makeTarget(url, Headers()).head, direct.makeTarget(url, Headers()).head
        )


class Resolver:
    """
    A resolver that keeps the names that it is asked for.
    """

    def __init__(self) -> None:
        self.names: list[str] = []

    def resolveHostName(self, receiver: Any, name: str, *rest: Any, **more: Any) -> Any:
        self.names.append(name)


class UnderscoreTests(SynchronousTestCase):
    """
    Host names with C{_}, as in networks of containers.
    """

    def test_lookedUp(self) -> None:
        """
        Such a name is looked up, over http and over https.
        """
        for scheme in ("http", "https"):
            resolver = Resolver()
            reactor = MemoryReactorClock()
            reactor.installNameResolver(resolver)
            pool = HTTPPool(reactor)
            target = pool.makeTarget(f"{scheme}://llm_server:8000/v1", Headers())
            self.assertIn(b"Host: llm_server:8000\r\n", target.head)
            endpoint: IStreamClientEndpoint = target.endpoint
            factory: IProtocolFactory = Factory.forProtocol(Inner)
            endpoint.connect(factory).addErrback(lambda failure: None)
            self.assertEqual(resolver.names, ["llm_server"], scheme)
