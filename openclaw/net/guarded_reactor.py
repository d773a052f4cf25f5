"""
A reactor that connects only to the public Internet.

L{GuardedReactor} replaces the reactor below an HTTP agent.  Its name resolver returns
only permitted addresses, and it connects only to those.  Since the very address that is
connected to is checked, neither the spelling of a URL nor a changed DNS record can
evade the check.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IResolutionReceiver,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

_NOT_PUBLIC: Sequence[IPv4Network | IPv6Network] = [
    ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # Azure's internal service
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/96",
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b:1::/48",
        "2001::/23",  # Teredo and others, which tunnel to IPv4
        "2002::/16",  # 6to4, which tunnels to IPv4, too
        "fec0::/10",
    )
]

READ_BYTES = 4096
"""
Limit of one read from a socket.
"""

_NAT64 = IPv6Network("64:ff9b::/96")
"""
The prefix of IPv4 addresses in a network without IPv4: the last 32 bits are the
address.
"""


def isPublic(address: str) -> bool:
    """
    Return whether an IP address is a unicast address of the public Internet.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip in _NAT64:
            ip = ip_address(int(ip) & 0xFFFF_FFFF)
    return not (
        not ip.is_global
        or ip.is_private
        or ip.is_loopback
        or ip.is_link_local
        or ip.is_multicast
        or ip.is_reserved
        or ip.is_unspecified
        or any(ip in network for network in _NOT_PUBLIC)
    )


class _LimitedConnection(ProtocolWrapper):
    """
    A connection with a limit of received bytes, headers included.
    """

    def makeConnection(self, transport: Any) -> None:
        # Twisted's parser takes microseconds for each line and each chunk, and a server
        # may send nearly empty ones.
        transport.bufferSize = READ_BYTES
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        if self.factory.arrived(len(data)):
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        else:
            self.transport.abortConnection()  # type: ignore[union-attr]


class _LimitingFactory(WrappingFactory):
    """
    Builds the connections of a L{GuardedReactor}.
    """

    noisy = False
    protocol = _LimitedConnection

    def __init__(self, wrapped: Any, arrived: Callable[[int], bool]) -> None:
        """
        @param arrived: Called with the number of bytes received; returns whether they
            are within the limits.
        """
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.arrived = arrived


@implementer(IReactorPluggableNameResolver, IReactorTCP, IReactorTime)
class GuardedReactor:
    """
    The part of a reactor that an HTTP agent needs, for one fetch.

    @ivar refused: Whether an address was refused.
    """

    def __init__(self, reactor: Any, *, allowPrivate: bool, maxBytes: int) -> None:
        """
        @param allowPrivate: Permit all addresses.
        @param maxBytes: Limit of the bytes received over all connections.
        """
        self._reactor = reactor
        self._allowPrivate = allowPrivate
        self._left = self._part = maxBytes
        self._connectors: list[Any] = []
        self.refused = False

    @property
    def nameResolver(self) -> IHostnameResolver:
        return _GuardedResolver(self._reactor.nameResolver, self)

    @property
    def unguardedResolver(self) -> IHostnameResolver:
        """
        Resolves a name to all its addresses.
        """
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver

    @property
    def permitsAll(self) -> bool:
        return self._allowPrivate

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError

    def permits(self, address: str) -> bool:
        """
        Return whether an address may be connected to, and record a refusal.
        """
        permitted = self._allowPrivate or isPublic(address)
        self.refused = self.refused or not permitted
        return permitted

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> IConnector:
        """
        Connect to an address.

        @raise ValueError: It is not permitted.  The resolver should have excluded it.
        """
        if not self.permits(host):
            raise ValueError("this address may not be used")
        connector: IConnector = self._reactor.connectTCP(
            host,
            port,
            _LimitingFactory(factory, self._countReceived),
            timeout,
            bindAddress,
        )
        self._connectors.append(connector)
        return connector

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def abort(self) -> None:
        """
        Close all connections at once, in any state.
        """
        connectors, self._connectors = self._connectors, []
        for connector in connectors:
            if connector.state == "connected":
                # An orderly shutdown of TLS could wait for the server.
                connector.transport.abortConnection()
            elif connector.state == "connecting":
                connector.stopConnecting()

    def limitNext(self, maxBytes: int) -> None:
        """
        Limit the bytes received from now on, besides the overall limit.
        """
        self._part = maxBytes

    def _countReceived(self, size: int) -> bool:
        # One read may contain the end of this part and the beginning of the next.
        permitted = self._part > 0
        self._left -= size
        self._part -= size
        return permitted and self._left >= 0

    def seconds(self) -> float:
        return self._reactor.seconds()  # type: ignore[no-any-return]

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        return self._reactor.callLater(  # type: ignore[no-any-return]
            delay, callable, *args, **kwargs
        )

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        return self._reactor.getDelayedCalls()  # type: ignore[no-any-return]


@implementer(IHostnameResolver)
class _GuardedResolver:
    """
    Resolves names to permitted addresses only.
    """

    def __init__(self, resolver: IHostnameResolver, guard: GuardedReactor) -> None:
        self._resolver = resolver
        self._guard = guard

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        return self._resolver.resolveHostName(
            _GuardedReceiver(resolutionReceiver, self._guard),
            hostName,
            portNumber,
            addressTypes,
            transportSemantics,
        )


@implementer(IResolutionReceiver)
class _GuardedReceiver:
    """
    Passes on the permitted addresses.
    """

    def __init__(self, receiver: IResolutionReceiver, guard: GuardedReactor) -> None:
        self._receiver = receiver
        self._guard = guard

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        if self._guard.permits(address.host):  # type: ignore[attr-defined]
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        self._receiver.resolutionComplete()
