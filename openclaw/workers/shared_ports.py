"""
Ports that several processes share: one opens them, the others adopt them.
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

STEP_BACK_SECONDS = 0.003
"""
Seconds for which a connection is left to a worker that has fewer.
"""


class _OneByOne:
    """
    Takes one connection each time it is told that there are some, unless another
    worker has less.  A port of Twisted takes all there are, so that of many at once one
    worker would get most.

    @ivar balance: Who has how many.
    """

    balance: ConnectionBalance
    _later: IDelayedCall | None = None

    def doRead(self) -> None:
        """
        Somebody connects.
        """
        port: Any = self
        if self.balance.othersHaveLess():
            port.stopReading()
            self._later = port.reactor.callLater(STEP_BACK_SECONDS, self._goOn)
        else:
            super().doRead()  # type: ignore[misc]

    def _goOn(self) -> None:
        """
        Take the connection, if it is still there.
        """
        port: Any = self
        self._later = None
        super().doRead()  # type: ignore[misc]
        if port.connected and not port.disconnecting:
            port.startReading()

    def _forget(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    @property
    def numberAccepts(self) -> int:
        """
        Connections accepted at a time.
        """
        return 1

    @numberAccepts.setter
    def numberAccepts(self, number: int) -> None:
        """
        Twisted's own opinion.
        """


class SharedPort(_OneByOne, tcp.Port):
    """
    A TCP port that others have, too.
    """

    def connectionLost(self, reason: Any) -> None:
        """
        Close it here.
        """
        self._forget()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class SharedUNIXPort(_OneByOne, AdoptedUNIXPort):
    """
    A UNIX socket that others have, too.
    """

    def connectionLost(self, reason: Any) -> None:
        """
        Close it here.
        """
        self._forget()
        super().connectionLost(reason)


class Adopting:
    """
    Stands for the reactor where endpoints want to listen: each call takes the next of
    the ports that are open already.  So whatever an endpoint does beside that (TLS,
    another protocol in front) is done here as well.
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

        @raise CannotListenError: There is none.
        """
        if not self._sockets:
            raise CannotListenError(None, None, "the port can't be shared")
        shared = self._sockets.pop(0)
        kind: Any
        more: tuple[Any, ...]
        if shared.family == unix.Port.addressFamily:
            kind, more = SharedUNIXPort, (factory,)
        else:
            kind, more = SharedPort, (shared.family, factory)
        port = adoptPort(kind, self._reactor, shared.descriptor, *more)
        port.balance = self._balance
        port.startListening()
        return port  # type: ignore[no-any-return]

    def listenTCP(self, _: int, factory: ServerFactory, *args: Any, **more: Any) -> Any:
        """
        See L{twisted.internet.interfaces.IReactorTCP.listenTCP}.
        """
        return self.adopt(factory)

    def listenUNIX(
        self, _: str, factory: ServerFactory, *args: Any, **more: Any
    ) -> Any:
        """
        See L{twisted.internet.interfaces.IReactorUNIX.listenUNIX}.
        """
        return self.adopt(factory)

    def listenSSL(
        self,
        _: int,
        factory: ServerFactory,
        contextFactory: Any,
        *args: Any,
        **more: Any,
    ) -> Any:
        """
        See L{twisted.internet.interfaces.IReactorSSL.listenSSL}.
        """
        # The TLS libraries take 10 MB that others need not spend.
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return self.adopt(TLSMemoryBIOFactory(contextFactory, False, factory))


@implementer(IStreamServerEndpoint)
class AdoptedEndpoint:
    """
    An endpoint for a port that is open, where its own string means nothing in this
    process: systemd tells only the one that it has begun.
    """

    def __init__(self, adopting: Adopting) -> None:
        self._adopting = adopting

    def listen(self, factory: IProtocolFactory) -> Any:
        """
        See L{IStreamServerEndpoint.listen}.
        """
        return execute(self._adopting.adopt, factory)


def shared(ports: Sequence[Any], first: int) -> list[SharedSocket]:
    """
    Ports as another process will know them.

    @param first: The number of the first one there.
    """
    return [
        SharedSocket(number, port.socket.family)
        for number, port in enumerate(ports, first)
    ]


def isShareable(port: object) -> bool:
    """
    Can other processes have the port?
    """
    return isinstance(port, tcp.Port)
