"""
The HTTP agent that providers are asked through: one pool of connections each.
"""

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    _HTTP11ClientFactory,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
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


class _QuietFactory(_HTTP11ClientFactory):
    """
    Writes no line into the log for each connection.
    """

    noisy = False


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


@implementer(IAgent)
class UpstreamAgent:
    """
    An L{Agent} with its own pool, which asks for answers as they are: a compressed
    stream could hold words back.
    """

    def __init__(self, reactor: IReactorTime, connectSeconds: float) -> None:
        self._pool = HTTPConnectionPool(reactor)
        self._pool._factory = _QuietFactory
        self._pool.maxPersistentPerHost = IDLE_CONNECTIONS
        self._pool.cachedConnectionTimeout = IDLE_SECONDS
        endpoints = _Endpoints(reactor, connectSeconds)
        self._agent = Agent.usingEndpointFactory(reactor, endpoints, self._pool)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> "Deferred[IResponse]":
        """
        See L{IAgent.request}.
        """
        # treq hands over a copy, which has gzip added.
        if headers is not None:
            headers.setRawHeaders(b"accept-encoding", [b"identity"])
        answer: Deferred[IResponse] = self._agent.request(
            method, uri, headers, bodyProducer
        )
        return answer

    def close(self) -> "Deferred[None]":
        """
        Close the idle connections.
        """
        for connections in self._pool._connections.values():
            for connection in connections:
                if connection.state == "QUIESCENT":
                    connection.transport.abortConnection()
        return self._pool.closeCachedConnections()  # type: ignore[no-any-return]


__all__ = ["IDLE_CONNECTIONS", "IDLE_SECONDS", "UpstreamAgent", "abort"]
