"""
An agent that fetches through the proxies of the environment, with the same guard on
addresses as without.
"""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from openclaw.net.guarded_reactor import GuardedReactor
from openclaw.net.outbound_proxy import (
    OutboundProxy,
    ProxyChooser,
    TunnelEndpoint,
    formatAuthority,
)


@implementer(IAgent)
class ProxiedAgent:
    """
    Requests directly, or through a proxy.

    A proxy resolves the name of the server itself.  So all addresses that the name has
    here must be permitted before the proxy is asked for it.
    """

    def __init__(
        self,
        guard: GuardedReactor,
        proxyGuard: GuardedReactor,
        policy: IPolicyForHTTPS,
        connectSeconds: float,
        chooseProxy: ProxyChooser,
    ) -> None:
        """
        @param guard: Connects to servers, and says which may be reached.
        @param proxyGuard: Connects to proxies, which may have private addresses.
        """
        self._guard = guard
        self._proxyGuard = proxyGuard
        self._policy = policy
        self._connectSeconds = connectSeconds
        self._chooseProxy = chooseProxy

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> "Deferred[IResponse]":
        parts = URI.fromBytes(uri)
        scheme, host = parts.scheme.decode("ascii"), parts.host.decode("ascii")
        proxy = self._chooseProxy(scheme, host, parts.port)
        if proxy is None:
            pool = HTTPConnectionPool(cast(Any, self._guard), persistent=False)
            agent = Agent(
                cast(Any, self._guard), self._policy, self._connectSeconds, pool=pool
            )
            direct: Deferred[IResponse] = agent.request(
                method, uri, headers, bodyProducer
            )
            return direct
        return Deferred.fromCoroutine(
            self._requestProxied(proxy, method, uri, headers, bodyProducer)
        )

    async def _requestProxied(
        self,
        proxy: OutboundProxy,
        method: bytes,
        uri: bytes,
        headers: Headers | None,
        bodyProducer: IBodyProducer | None,
    ) -> IResponse:
        parts = URI.fromBytes(uri)
        await self._check(parts.host.decode("ascii"), parts.port)
        reactor = cast(Any, self._proxyGuard)
        endpoint = self._proxyEndpoint(proxy)
        pool = HTTPConnectionPool(reactor, persistent=False)
        agent: Any
        if parts.scheme == b"https":
            tunnels = _TunnelEndpoints(endpoint, proxy, self._policy)
            agent = Agent.usingEndpointFactory(reactor, tunnels, pool)
        else:
            agent = ProxyAgent(endpoint, reactor, pool)
            if proxy.authorization is not None:
                headers = Headers() if headers is None else headers.copy()
                headers.setRawHeaders(b"proxy-authorization", [proxy.authorization])
        response: IResponse = await agent.request(method, uri, headers, bodyProducer)
        return response

    def _proxyEndpoint(self, proxy: OutboundProxy) -> IStreamClientEndpoint:
        endpoint: Any = HostnameEndpoint(
            cast(Any, self._proxyGuard),
            proxy.host,
            proxy.port,
            timeout=self._connectSeconds,
        )
        if proxy.scheme == "http":
            return cast(IStreamClientEndpoint, endpoint)
        host = proxy.host.encode("ascii")
        return wrapClientTLS(self._policy.creatorForNetloc(host, proxy.port), endpoint)

    async def _check(self, host: str, port: int) -> None:
        """
        Look up a name, and check that the guard permits each of its addresses.

        @raise DNSLookupError: There is none, or it is not permitted.
        """
        if self._guard.permitsAll:
            return
        found: Deferred[list[str]] = Deferred()
        self._guard.unguardedResolver.resolveHostName(
            cast(IResolutionReceiver, _Addresses(found)), host, port
        )
        addresses = await found
        permitted = [self._guard.permits(address) for address in addresses]
        if not permitted or not all(permitted):
            raise DNSLookupError(host)


@implementer(IResolutionReceiver)
class _Addresses:
    """
    Collects the addresses of a name.
    """

    def __init__(self, found: "Deferred[list[str]]") -> None:
        self._found = found
        self._addresses: list[str] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Do nothing.
        """

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(cast(Any, address).host)

    def resolutionComplete(self) -> None:
        if not self._found.called:
            self._found.callback(self._addresses)


@implementer(IAgentEndpointFactory)
class _TunnelEndpoints:
    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        proxy: OutboundProxy,
        policy: IPolicyForHTTPS,
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._policy = policy

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        address = formatAuthority(uri.host.decode("ascii"), uri.port)
        tunnel = TunnelEndpoint(self._endpoint, self._proxy, address)
        return wrapClientTLS(
            self._policy.creatorForNetloc(uri.host, uri.port), cast(Any, tunnel)
        )
