"""
The connections to a provider: how they are made, and the ones that are kept.
"""

from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from hyperlink import URL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import (
    HostnameEndpoint,
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

from openclaw.net.batched_writes import writesOf
from openclaw.net.http_connection import Address, Connection, Exchange, ResponseReceiver

IDLE_SECONDS = 30
"""
Seconds for which an idle connection is kept: less than the 60 s after which most
servers and proxies would close it under us.
"""

IDLE_CONNECTIONS = 64
"""
Limit of idle connections to one address.
"""

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class HTTPTarget:
    """
    A destination of requests, and the part of them that is always the same.

    @ivar head: The request up to the value of its C{Content-Length}.
    """

    address: Address
    endpoint: IStreamClientEndpoint
    head: bytes


@dataclass
class _Pool:
    """
    The idle connections.
    """

    reactor: IReactorTime
    _idle: dict[Address, list[Connection]] = field(default_factory=dict)
    _closing: "dict[Connection, Deferred[None]]" = field(default_factory=dict)
    _clock: IDelayedCall | None = None

    def take(self, address: Address) -> Connection | None:
        """
        Take the one that was used last, so that those too many become old.
        """
        idle = self._idle.get(address)
        return idle.pop() if idle else None

    def free(self, address: Address, connection: Connection) -> None:
        """
        A connection has nothing to do.
        """
        idle = self._idle.setdefault(address, [])
        if len(idle) >= IDLE_CONNECTIONS:
            connection.abort()
            return
        connection.idleSince = self.reactor.seconds()
        idle.append(connection)
        if self._clock is None:
            self._clock = self.reactor.callLater(IDLE_SECONDS, self._closeOld)

    def _closeOld(self) -> None:
        # One clock for all: nearly always the oldest was used since it was set.
        self._clock = None
        now = self.reactor.seconds()
        oldest = now
        for idle in self._idle.values():
            while idle and idle[0].idleSince + IDLE_SECONDS <= now:
                idle.pop(0).abort()
            if idle:
                oldest = min(oldest, idle[0].idleSince)
        if any(self._idle.values()):
            wait = oldest + IDLE_SECONDS - now
            self._clock = self.reactor.callLater(wait, self._closeOld)

    def gone(self, address: Address, connection: Connection) -> None:
        """
        A connection is closed.
        """
        idle = self._idle.get(address, [])
        if connection in idle:
            idle.remove(connection)
        if self._clock is not None and not any(self._idle.values()):
            self._clock.cancel()
            self._clock = None
        closed = self._closing.pop(connection, None)
        if closed is not None:
            closed.callback(None)

    def closeIdle(self) -> "Deferred[list[tuple[bool, None]]]":
        """
        Close all that are idle.

        @return: Fires when they are closed.
        """
        idle = [each for connections in self._idle.values() for each in connections]
        self._idle.clear()
        closed: list[Deferred[None]] = [Deferred() for _ in idle]
        self._closing |= zip(idle, closed, strict=True)
        for each in idle:
            each.abort()
        return DeferredList(closed)


class _Maker(Factory):
    """
    Makes the connections to one address, and writes no line into the log for each.
    """

    noisy = False

    def __init__(self, agent: "HTTPPool", address: Address) -> None:
        self._agent = agent
        self._address = address

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """
        A connection.
        """
        return self._agent.made(self._address)


class HTTPPool:
    """
    The HTTP client of one provider.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._writes = writesOf(reactor)
        self._pool = _Pool(reactor)

    def target(self, url: str, headers: Headers) -> HTTPTarget:
        """
        Understand where requests shall go.

        @param headers: What each of them carries.

        @raise SchemeNotSupported: It is neither HTTP nor HTTPS.

        @raise ValueError: It is no URL.
        """
        if not url.isascii():
            url = URL.from_text(url).to_uri().to_text()
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        if scheme not in PORTS:
            raise SchemeNotSupported(f"Unsupported scheme: {scheme!r}")
        port = parts.port or PORTS[scheme]
        named = f"[{host}]" if ":" in host else host
        if port != PORTS[scheme]:
            named = f"{named}:{port}"
        sent = headers.copy()
        sent.setRawHeaders("host", [named])
        # A compressed stream could hold words back.
        sent.setRawHeaders(b"accept-encoding", [b"identity"])
        path = (parts.path or "/") + (parts.query and f"?{parts.query}")
        lines = [b"POST %b HTTP/1.1" % path.encode()]
        for name, values in sent.getAllRawHeaders():
            lines += [b"%b: %b" % (name, value) for value in values]
        return HTTPTarget(
            address=(scheme, host, port),
            endpoint=self._endpoint(scheme, host, port),
            head=b"\r\n".join([*lines, b"Content-Length: "]),
        )

    def _endpoint(self, scheme: str, host: str, port: int) -> IStreamClientEndpoint:
        # An address needs none of what it takes to look for one: 2 KB a connection.
        kind: Any = HostnameEndpoint
        if isIPAddress(host):
            kind = TCP4ClientEndpoint
        elif isIPv6Address(host):
            kind = TCP6ClientEndpoint
        # Who asks has a clock, which covers the look-up and TLS, too.
        endpoint = kind(self._reactor, host, port, timeout=None)
        if scheme == "http":
            return cast(IStreamClientEndpoint, endpoint)
        # The TLS libraries take 10 MB that others need not spend.
        from openclaw.net.client_tls import VerifiedServer

        return wrapClientTLS(VerifiedServer(host), endpoint)

    def post(
        self,
        target: HTTPTarget,
        body: bytes,
        receiver: ResponseReceiver,
        *,
        anew: bool = False,
    ) -> Exchange:
        """
        Send a request.

        @param anew: Use no connection that is there already, and close the idle ones.
        """
        exchange = Exchange(receiver, [target.head, b"%d\r\n\r\n" % len(body), body])
        if anew:
            self._pool.closeIdle()
        connection = self._pool.take(target.address)
        if connection is not None:
            exchange.pooled = True
            exchange.carriedBy(connection)
        else:
            maker = _Maker(self, target.address)
            connecting = target.endpoint.connect(maker)
            exchange.connect(cast("Deferred[Connection]", connecting))
        return exchange

    def made(self, address: Address) -> Connection:
        """
        A new connection.
        """
        return Connection(self._writes, self._pool, address)

    def close(self) -> "Deferred[list[tuple[bool, None]]]":
        """
        Close the idle connections.

        @return: Fires when they are closed.
        """
        return self._pool.closeIdle()
