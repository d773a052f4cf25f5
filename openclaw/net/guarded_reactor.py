"""
Connections to the public Internet, and to nowhere else.

L{GuardedReactor} stands in for the reactor below an HTTP agent.  It gives only
addresses that may be used to whoever looks up a name, and connects only to such
addresses.  Since what is checked is the very address that is connected to, it does
not matter how a URL is written or what a name resolves to a moment later.
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
        "100.64.0.0/10",  # between a provider and its customers
        "168.63.129.16/32",  # a cloud's own service, for its machines only
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/96",
        "::ffff:0:0/96",  # IPv4 in another dress
        "64:ff9b:1::/48",
        "2001::/23",  # Teredo among others, which tunnel to IPv4
        "2002::/16",  # 6to4, which does too
        "fec0::/10",
    )
]

READ_BYTES = 4096
"""
The most that is read from a socket before others have their turn.
"""

_NAT64 = IPv6Network("64:ff9b::/96")
"""
The prefix by which a network without IPv4 reaches it: the last 32 bits are the address.
"""


def isPublic(address: str) -> bool:
    """
    Is this an address on the public Internet, of one machine?

    @param address: An IP address.
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


class _Socket(ProtocolWrapper):
    """
    A connection that may only bring so much, headers and all.
    """

    def makeConnection(self, transport: Any) -> None:
        # Twisted's parser takes microseconds for each line and each chunk, and a
        # server may send such as are nearly empty.
        transport.bufferSize = READ_BYTES
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        if self.factory.arrived(len(data)):
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        else:
            self.transport.abortConnection()  # type: ignore[union-attr]


class _SocketFactory(WrappingFactory):
    """
    Makes the connections of a L{GuardedReactor}.
    """

    noisy = False
    protocol = _Socket

    def __init__(self, wrapped: Any, arrived: Callable[[int], bool]) -> None:
        """
        @param arrived: Told how many bytes have come; answers whether they may.
        """
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self.arrived = arrived


@implementer(IReactorPluggableNameResolver, IReactorTCP, IReactorTime)
class GuardedReactor:
    """
    As much of a reactor as an HTTP agent needs, for one fetch.

    @ivar refused: Was there an address that may not be used?
    """

    def __init__(self, reactor: Any, *, allowPrivate: bool, maxBytes: int) -> None:
        """
        @param allowPrivate: May any address be used?

        @param maxBytes: How much may be received in all.
        """
        self._reactor = reactor
        self._allowPrivate = allowPrivate
        self._left = self._part = maxBytes
        self._connectors: list[Any] = []
        self.refused = False

    @property
    def nameResolver(self) -> IHostnameResolver:
        """
        See L{IReactorPluggableNameResolver}.
        """
        return _GuardedResolver(self._reactor.nameResolver, self)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """
        Not for one fetch to decide.
        """
        raise NotImplementedError

    def permits(self, address: str) -> bool:
        """
        May this address be connected to?
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

        @raise ValueError: It may not be used.  It should not have come this far.
        """
        if not self.permits(host):
            raise ValueError("this address may not be used")
        connector: IConnector = self._reactor.connectTCP(
            host, port, _SocketFactory(factory, self._arrived), timeout, bindAddress
        )
        self._connectors.append(connector)
        return connector

    def listenTCP(self, *args: Any, **kwargs: Any) -> Any:
        """
        Not for those who fetch.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """
        Close all connections now, in whatever phase they are.
        """
        connectors, self._connectors = self._connectors, []
        for connector in connectors:
            if connector.state == "connected":
                # A polite end of TLS could wait for the other side.
                connector.transport.abortConnection()
            elif connector.state == "connecting":
                connector.stopConnecting()

    def expect(self, maxBytes: int) -> None:
        """
        Bound what may be received from now on, beside the bound of all.
        """
        self._part = maxBytes

    def _arrived(self, size: int) -> bool:
        # What ends this part may be in the same read as what follows it.
        permitted = self._part > 0
        self._left -= size
        self._part -= size
        return permitted and self._left >= 0

    def seconds(self) -> float:
        """
        See L{IReactorTime}.
        """
        return self._reactor.seconds()  # type: ignore[no-any-return]

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """
        See L{IReactorTime}.
        """
        return self._reactor.callLater(  # type: ignore[no-any-return]
            delay, callable, *args, **kwargs
        )

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """
        See L{IReactorTime}.
        """
        return self._reactor.getDelayedCalls()  # type: ignore[no-any-return]


@implementer(IHostnameResolver)
class _GuardedResolver:
    """
    Finds the addresses that may be used.
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
        """
        See L{IHostnameResolver}.
        """
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
    Hands on the addresses that may be used.
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
