"""
The HTTP agent that providers are asked through: one pool of connections each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hyperlink import URL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.client import (
    URI,
    BrowserLikePolicyForHTTPS,
    GzipDecoder,
    HTTPConnectionPool,
    _HTTP11ClientFactory,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgentEndpointFactory,
    IBodyProducer,
    IResponse,
)
from zope.interface import implementer

IDLE_SECONDS = 30
"""
How long an idle connection is kept: less than the 60 s after which most servers and
proxies would close it under us.
"""

IDLE_CONNECTIONS = 64
"""
How many idle connections a provider keeps; Twisted's own default is 2.
"""


PORTS = {b"http": 80, b"https": 443}


class Reads:
    """
    Tells when a read of a socket is over.  Twisted hands over each chunk of a body by
    itself; who wants all that one read brought waits for this.
    """

    def __init__(self) -> None:
        self._reading = False
        self._waiting: list[Callable[[], None]] = []

    def afterwards(self, call: Callable[[], None]) -> None:
        """
        Call something when the read that is under way is over, or else now.
        """
        if self._reading:
            self._waiting.append(call)
        else:
            call()

    def during(self, read: Callable[[bytes], None], data: bytes) -> None:
        """
        Let a connection read what came.
        """
        self._reading = True
        try:
            read(data)
        finally:
            self._reading = False
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()


class _Connection(HTTP11ClientProtocol):
    """
    A connection whose reads have an end.
    """

    reads: Reads

    def dataReceived(self, data: bytes) -> None:
        """
        Something came.
        """
        self.reads.during(super().dataReceived, data)


class _Factory(_HTTP11ClientFactory):
    """
    Makes such connections, and writes no line into the log for each.
    """

    noisy = False

    def __init__(
        self, reads: Reads, quiescent: Callable[..., None], metadata: object
    ) -> None:
        super().__init__(quiescent, metadata)  # type: ignore[no-untyped-call]
        self._reads = reads

    def buildProtocol(self, addr: IAddress | None) -> _Connection:
        """
        A connection.
        """
        made = _Connection(self._quiescentCallback)  # type: ignore[no-untyped-call]
        made.reads = self._reads
        return made


def abort(transport: IPushProducer) -> None:
    """
    Close a connection now.  A farewell, which is all that Twisted's HTTP client has
    to offer, can last for ever: over TLS it waits for the other side's.

    @param transport: The connection as a response's body knows it.
    """
    connection = transport._producer  # type: ignore[attr-defined]
    if connection is not None:
        connection.abortConnection()


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """
    Makes the endpoint for an address once.  Twisted makes one for each request, only
    to find a pooled connection: that is a tenth of what a request costs.
    """

    def __init__(self, reactor: IReactorTime, connectSeconds: float) -> None:
        self._reactor = reactor
        self._connectSeconds = connectSeconds
        self._policy = BrowserLikePolicyForHTTPS()
        self._made: dict[tuple[bytes, bytes, int], IStreamClientEndpoint] = {}

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.
        """
        address = (uri.scheme, uri.host, uri.port)
        made = self._made.get(address)
        if made is None:
            made = self._made[address] = self._make(uri)
        return made

    def _make(self, uri: URI) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(
            self._reactor, uri.host, uri.port, timeout=self._connectSeconds
        )
        if uri.scheme == b"http":
            return endpoint
        if uri.scheme != b"https":
            raise SchemeNotSupported(f"Unsupported scheme: {uri.scheme!r}")
        return wrapClientTLS(
            self._policy.creatorForNetloc(uri.host, uri.port), endpoint
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """
    Where requests go, and all in them that is always the same.

    @ivar headers: All of them, with C{Host}.
    """

    uri: URI
    endpoint: IStreamClientEndpoint
    headers: Headers


class UpstreamAgent:
    """
    One pool of connections to a provider.

    Twisted's L{twisted.web.client.Agent}, and treq above it, take each URL and its
    headers to pieces again for each request, which costs a tenth of a whole run; here
    that is done once for each L{Target}.

    @ivar reads: When the reads of its connections are over.
    """

    def __init__(self, reactor: IReactorTime, connectSeconds: float) -> None:
        self.reads = Reads()
        self._pool = HTTPConnectionPool(reactor)
        make = partial(_Factory, self.reads)
        self._pool._factory = make  # type: ignore[assignment]
        self._pool.maxPersistentPerHost = IDLE_CONNECTIONS
        self._pool.cachedConnectionTimeout = IDLE_SECONDS
        self._endpoints = _Endpoints(reactor, connectSeconds)

    def target(self, url: str, headers: Headers) -> Target:
        """
        Understand a URL.

        @param headers: What each request there shall carry.

        @raise ValueError: It is none.

        @raise SchemeNotSupported: It is none of http or https.
        """
        if not url.isascii():
            url = URL.from_text(url).to_uri().to_text()
        uri = URI.fromBytes(url.encode("ascii"))
        port = b"" if uri.port == PORTS.get(uri.scheme) else b":%d" % uri.port
        host = b"[%b]" % uri.host if b":" in uri.host else uri.host
        sent = headers.copy()
        sent.setRawHeaders(b"host", [host + port])
        # A compressed stream could hold words back.
        sent.setRawHeaders(b"accept-encoding", [b"identity"])
        endpoint = self._endpoints.endpointForURI(uri)
        return Target(uri=uri, endpoint=endpoint, headers=sent)

    def post(self, target: Target, body: IBodyProducer) -> "Deferred[IResponse]":
        """
        Send a request; see L{IAgent.request}.
        """
        uri = target.uri
        key = (uri.scheme, uri.host, uri.port)
        connected = self._pool.getConnection(key, target.endpoint)

        def send(connection: HTTP11ClientProtocol) -> "Deferred[IResponse]":
            request = Request._construct(
                b"POST", uri.originForm, target.headers, body, True, uri
            )
            return connection.request(request)

        return connected.addCallback(send).addCallback(_plain)

    def close(self) -> "Deferred[None]":
        """
        Close the idle connections.
        """
        for connections in self._pool._connections.values():
            for connection in connections:
                if connection.state == "QUIESCENT":
                    connection.transport.abortConnection()
        return self._pool.closeCachedConnections()  # type: ignore[no-any-return]


def _plain(response: IResponse) -> IResponse:
    """
    An answer whose body is not compressed: some compress it all the same.
    """
    encodings = response.headers.getRawHeaders(b"content-encoding")
    if encodings and encodings[-1].strip().lower() in (b"gzip", b"x-gzip"):
        plain: IResponse = GzipDecoder(response)
        return plain
    return response


__all__ = [
    "IDLE_CONNECTIONS",
    "IDLE_SECONDS",
    "Reads",
    "Target",
    "UpstreamAgent",
    "abort",
]
