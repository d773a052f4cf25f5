"""
The HTTP client of a provider: its targets and its pool of connections.
"""

from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from hyperlink import URL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers

from openclaw.net.batched_writes import batcherFor
from openclaw.net.http_connection import Address, Connection, Exchange, ResponseReceiver
from openclaw.net.outbound_proxy import (
    OutboundProxy,
    ProxyChooser,
    TunnelEndpoint,
    formatAuthority,
)
from openclaw.net.twisted_internals import LenientHostnameEndpoint

IDLE_SECONDS = 30
"""
Close connections that were idle for this long, in seconds.  Most servers and proxies
close them after 60 s.
"""

IDLE_CONNECTIONS = 64
"""
Limit of idle connections to one address.
"""

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class HTTPTarget:
    """
    A destination of requests, with the constant part of them.

    @ivar head: The request up to the value of its C{Content-Length}.
    """

    address: Address
    endpoint: IStreamClientEndpoint
    head: bytes


@dataclass
class _Pool:
    reactor: IReactorTime
    _idle: dict[Address, list[Connection]] = field(default_factory=dict)
    _closing: "dict[Connection, Deferred[None]]" = field(default_factory=dict)
    _timer: IDelayedCall | None = None

    def take(self, address: Address) -> Connection | None:
        """
        Return the most recently used connection, so that surplus ones expire.
        """
        idle = self._idle.get(address)
        return idle.pop() if idle else None

    def connectionIdle(self, address: Address, connection: Connection) -> None:
        idle = self._idle.setdefault(address, [])
        if len(idle) >= IDLE_CONNECTIONS:
            connection.abort()
            return
        connection.idleSince = self.reactor.seconds()
        idle.append(connection)
        if self._timer is None:
            self._timer = self.reactor.callLater(IDLE_SECONDS, self._closeExpired)

    def _closeExpired(self) -> None:
        # One timer for all: usually, the oldest was used since the timer was set.
        self._timer = None
        now = self.reactor.seconds()
        oldest = now
        for idle in self._idle.values():
            while idle and idle[0].idleSince + IDLE_SECONDS <= now:
                idle.pop(0).abort()
            if idle:
                oldest = min(oldest, idle[0].idleSince)
        if any(self._idle.values()):
            wait = oldest + IDLE_SECONDS - now
            self._timer = self.reactor.callLater(wait, self._closeExpired)

    def connectionClosed(self, address: Address, connection: Connection) -> None:
        idle = self._idle.get(address, [])
        if connection in idle:
            idle.remove(connection)
        if self._timer is not None and not any(self._idle.values()):
            self._timer.cancel()
            self._timer = None
        closed = self._closing.pop(connection, None)
        if closed is not None:
            closed.callback(None)

    def closeIdle(self) -> "Deferred[list[tuple[bool, None]]]":
        """
        Close all idle connections.

        @return: Fires when they are closed.
        """
        idle = [each for connections in self._idle.values() for each in connections]
        self._idle.clear()
        closed: list[Deferred[None]] = [Deferred() for _ in idle]
        self._closing |= zip(idle, closed, strict=True)
        for each in idle:
            each.abort()
        return DeferredList(closed)


class _ConnectionFactory(Factory):
    """
    Builds the connections to one address, without a log line for each.
    """

    noisy = False

    def __init__(self, client: "HTTPPool", address: Address) -> None:
        self._client = client
        self._address = address

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        return self._client.buildConnection(self._address)


def _noProxy(scheme: str, host: str, port: int) -> OutboundProxy | None:
    return None


class HTTPPool:
    def __init__(
        self, reactor: IReactorTime, chooseProxy: ProxyChooser = _noProxy
    ) -> None:
        self._reactor = reactor
        self._chooseProxy = chooseProxy
        self._batcher = batcherFor(reactor)
        self._pool = _Pool(reactor)

    def makeTarget(self, url: str, headers: Headers) -> HTTPTarget:
        """
        Prepare a destination of requests.

        @param headers: The headers of each request.
        @raise SchemeNotSupported: The scheme is neither HTTP nor HTTPS.
        @raise ValueError: The URL is not valid.
        """
        if not url.isascii():
            url = URL.from_text(url).to_uri().to_text()
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        if scheme not in PORTS:
            raise SchemeNotSupported(f"Unsupported scheme: {scheme!r}")
        port = parts.port or PORTS[scheme]
        hostHeader = f"[{host}]" if ":" in host else host
        if port != PORTS[scheme]:
            hostHeader = f"{hostHeader}:{port}"
        sent = headers.copy()
        sent.setRawHeaders("host", [hostHeader])
        # A server may delay the words of a compressed stream.
        sent.setRawHeaders(b"accept-encoding", [b"identity"])
        path = (parts.path or "/") + (parts.query and f"?{parts.query}")
        proxy = self._chooseProxy(scheme, host, port)
        if proxy is not None and scheme == "http":
            # Many proxies allow tunnels only to port 443.
            path = f"http://{hostHeader}{path}"
            if proxy.authorization is not None:
                sent.setRawHeaders(b"proxy-authorization", [proxy.authorization])
        lines = [b"POST %b HTTP/1.1" % path.encode()]
        for name, values in sent.getAllRawHeaders():
            lines += [b"%b: %b" % (name, value) for value in values]
        return HTTPTarget(
            address=(scheme, host, port),
            endpoint=self._endpoint(scheme, host, port, proxy),
            head=b"\r\n".join([*lines, b"Content-Length: "]),
        )

    def _endpoint(
        self, scheme: str, host: str, port: int, proxy: OutboundProxy | None
    ) -> IStreamClientEndpoint:
        if proxy is not None:
            endpoint = self._endpoint(proxy.scheme, proxy.host, proxy.port, None)
            if scheme == "http":
                return endpoint
            address = formatAuthority(host, port)
            endpoint = cast(
                IStreamClientEndpoint, TunnelEndpoint(endpoint, proxy, address)
            )
        else:
            # An IP address needs no name resolver, which takes 2 KB a connection.
            kind: Any = LenientHostnameEndpoint
            if isIPAddress(host):
                kind = TCP4ClientEndpoint
            elif isIPv6Address(host):
                kind = TCP6ClientEndpoint
            # The caller's time-out covers the look-up and TLS, too.
            endpoint = kind(self._reactor, host, port, timeout=None)
        if scheme == "http":
            return endpoint
        # The TLS libraries take 10 MB, which plain HTTP does not need.
        from openclaw.net.client_tls import VerifyingConnectionCreator

        return wrapClientTLS(VerifyingConnectionCreator(host), endpoint)

    def post(
        self,
        target: HTTPTarget,
        body: bytes,
        receiver: ResponseReceiver,
        *,
        newConnection: bool = False,
    ) -> Exchange:
        """
        Send a request.

        @param newConnection: Open a new connection, and close the idle ones.
        """
        exchange = Exchange(receiver, [target.head, b"%d\r\n\r\n" % len(body), body])
        if newConnection:
            self._pool.closeIdle()
        connection = self._pool.take(target.address)
        if connection is not None:
            exchange.pooled = True
            exchange.attach(connection)
        else:
            factory = _ConnectionFactory(self, target.address)
            connecting = target.endpoint.connect(factory)
            exchange.connect(cast("Deferred[Connection]", connecting))
        return exchange

    def buildConnection(self, address: Address) -> Connection:
        return Connection(self._batcher, self._pool, address)

    def close(self) -> "Deferred[list[tuple[bool, None]]]":
        """
        Close the idle connections.

        @return: Fires when they are closed.
        """
        return self._pool.closeIdle()
