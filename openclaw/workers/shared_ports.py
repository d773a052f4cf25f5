"""
Listening sockets that several processes share: the daemon opens them, workers adopt
them.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import execute
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import ServerFactory
from zope.interface import implementer

from openclaw.net.twisted_internals import AdoptedUNIXPort, adoptPort
from openclaw.workers.connection_balance import ConnectionBalance
from openclaw.workers.worker_messages import SharedSocket

DEFER_SECONDS = 0.003
"""
The time for which a connection is left to a worker that has fewer.
"""


class _BalancedAccept:
    """
    Accepts one connection at a time, and none while another worker has fewer.
    Twisted's ports accept all that are pending, so that one worker would get most of a
    burst.

    @ivar balance: The numbers of connections of all workers.
    """

    balance: ConnectionBalance
    _timer: IDelayedCall | None = None

    def doRead(self) -> None:
        port: Any = self
        if self.balance.shouldDefer():
            port.stopReading()
            self._timer = port.reactor.callLater(DEFER_SECONDS, self._resume)
        else:
            super().doRead()  # type: ignore[misc]

    def _resume(self) -> None:
        """
        Accept the connection, if it is still pending.
        """
        port: Any = self
        self._timer = None
        super().doRead()  # type: ignore[misc]
        if port.connected and not port.disconnecting:
            port.startReading()

    def _cancelTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def numberAccepts(self) -> int:
        """
        Connections accepted at a time.
        """
        return 1

    @numberAccepts.setter
    def numberAccepts(self, number: int) -> None:
        """
        Ignore the number that Twisted computes.
        """


class SharedPort(_BalancedAccept, tcp.Port):
    def connectionLost(self, reason: Any) -> None:
        self._cancelTimer()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class SharedUNIXPort(_BalancedAccept, AdoptedUNIXPort):
    def connectionLost(self, reason: Any) -> None:
        self._cancelTimer()
        super().connectionLost(reason)


class AdoptingReactor:
    """
    Stands in for the reactor when endpoints listen: each call adopts the next open
    port.  So other features of an endpoint, such as TLS or the PROXY protocol, work as
    usual.
    """

    def __init__(
        self, reactor: Any, sockets: Sequence[SharedSocket], balance: ConnectionBalance
    ) -> None:
        self._reactor = reactor
        self._balance = balance
        self._sockets = list(sockets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def adopt(self, factory: IProtocolFactory) -> IListeningPort:
        """
        Listen on the next port.

        @raise CannotListenError: There are no more ports.
        """
        if not self._sockets:
            raise CannotListenError(None, None, "the port can't be shared")
        socket = self._sockets.pop(0)
        kind: Any
        more: tuple[Any, ...]
        if socket.family == unix.Port.addressFamily:
            kind, more = SharedUNIXPort, (factory,)
        else:
            kind, more = SharedPort, (socket.family, factory)
        port = adoptPort(kind, self._reactor, socket.descriptor, *more)
        port.balance = self._balance
        port.startListening()
        return port  # type: ignore[no-any-return]

    def listenTCP(self, _: int, factory: ServerFactory, *args: Any, **more: Any) -> Any:
        return self.adopt(factory)

    def listenUNIX(
        self, _: str, factory: ServerFactory, *args: Any, **more: Any
    ) -> Any:
        return self.adopt(factory)

    def listenSSL(
        self,
        _: int,
        factory: ServerFactory,
        contextFactory: Any,
        *args: Any,
        **more: Any,
    ) -> Any:
        # Importing the TLS libraries takes 10 MB of memory.
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return self.adopt(TLSMemoryBIOFactory(contextFactory, False, factory))


@implementer(IStreamServerEndpoint)
class AdoptedEndpoint:
    """
    An endpoint for an open port whose description can't be used in this process:
    systemd passes its sockets only to the process that it starts.
    """

    def __init__(self, adopting: AdoptingReactor) -> None:
        self._adopting = adopting

    def listen(self, factory: IProtocolFactory) -> Any:
        return execute(self._adopting.adopt, factory)


def sharedSockets(ports: Sequence[Any], first: int) -> list[SharedSocket]:
    """
    Return the ports' sockets with their descriptors in a worker.

    @param first: The descriptor of the first one.
    """
    return [
        SharedSocket(number, port.socket.family)
        for number, port in enumerate(ports, first)
    ]


def isShareable(port: object) -> bool:
    """
    Return whether other processes can adopt the port.
    """
    return isinstance(port, tcp.Port)
