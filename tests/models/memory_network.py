"""
A network in memory: the real HTTP client on one side, real servers on the other, and
connections that transfer data when a test says so.
"""

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, SynchronousResolver
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from twisted.web.resource import Resource
from twisted.web.server import Site


class End(FakeTransport):
    """
    One end of a connection, which can be paused, and distinguishes closing from
    aborting.

    @ivar paused: Whether reading is paused.
    @ivar aborted: Whether it was aborted.
    """

    paused = False
    aborted = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def abortConnection(self) -> None:
        """
        Close immediately; unsent data is lost.
        """
        # TLS also reports this as an error.
        assert not self.disconnected, "it is closed already"
        self.stream = []
        self.aborted = self.disconnecting = True
        self.disconnectReason = ConnectionAborted()


class Link:
    """
    A connection.

    @ivar client: The client's end.
    @ivar server: The server's end.
    """

    def __init__(self, client: IProtocol, server: IProtocol) -> None:
        here, there = (IPv4Address("TCP", "127.0.0.1", port) for port in (50000, 80))
        self.client = End(client, False, here, there)
        self.server = End(server, True, there, here)
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    @property
    def closed(self) -> bool:
        """
        Return whether both sides are closed.
        """
        return bool(self.client.disconnected and self.server.disconnected)

    def pump(self) -> bool:
        """
        Deliver one read to one end, or the loss of the connection.

        @return: Whether there was anything to deliver.
        """
        both = ((self.client, self.server), (self.server, self.client))
        return any(self._move(end, other) for end, other in both)

    def _move(self, end: End, other: End) -> bool:
        if end.disconnected:
            return False
        if end.disconnecting:
            end.disconnected = True
            end.reportDisconnect()
            return True
        data = None if end.paused else other.getOutBuffer()
        if data:
            end.bufferReceived(data)
        elif other.disconnected and not end.paused:
            if other.aborted:
                end.disconnectReason = ConnectionLost()
            end.disconnecting = True
        else:
            return False
        return True


class Network(MemoryReactorClock):
    """
    The reactor of a client.  Names are resolved immediately; a port without a server
    refuses connections, a mute one does not respond.

    @ivar links: All connections so far, oldest first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Link] = []
        self._servers: dict[int, IProtocolFactory | None] = {}
        self._errors: dict[int, Exception] = {}
        self._dialled: list[tuple] = []

    def listen(self, port: int, server: IProtocolFactory | None) -> None:
        """
        Serve a port from now on; C{None} makes it mute.
        """
        self._servers[port] = server

    def fail(self, port: int, error: Exception) -> None:
        """
        Let connections to a port fail.
        """
        self._errors[port] = error

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
        """
        Begin to open a connection; L{flush} continues it.
        """
        factory.doStart()
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        self._dialled.append((port, factory, connector))
        return connector

    def dial(self, port: int, received: bytearray) -> Link:
        """
        Open a raw connection to which the test writes.

        @param received: A buffer for received data.
        """
        client, server = Protocol(), self._servers[port]
        client.dataReceived = received.extend
        self.links.append(Link(client, server.buildProtocol(None)))
        return self.links[-1]

    def flush(self) -> None:
        """
        Deliver all data in transit.
        """
        self.advance(0)
        while self._connect() or any(link.pump() for link in self.links):
            self.advance(0)

    def wait(self, seconds: float) -> None:
        """
        Advance the clock, and deliver all data before and after.
        """
        self.flush()
        self.advance(seconds)
        self.flush()

    @property
    def open(self) -> list[Link]:
        """
        Return the connections that are not closed.
        """
        return [link for link in self.links if not link.closed]

    def _connect(self) -> bool:
        dialled, self._dialled = self._dialled, []
        for port, factory, connector in dialled:
            if connector.stoppedConnecting:
                continue
            if port not in self._servers or port in self._errors:
                error = self._errors.get(port, ConnectionRefusedError())
                reason = Failure(error)
                factory.clientConnectionFailed(connector, reason)
            elif (server := self._servers[port]) is None:
                self._dialled.append((port, factory, connector))
            else:
                client = factory.buildProtocol(connector.getDestination())
                self.links.append(Link(client, server.buildProtocol(None)))
        return len(self._dialled) < len(dialled)


class Unresolved(SynchronousResolver):
    """
    Names that are unknown, or are never resolved.
    """

    def __init__(self, answers: bool) -> None:
        self._answers = answers

    def resolveHostName(self, resolutionReceiver, *args, **kwargs):
        resolutionReceiver.resolutionBegan(None)
        if self._answers:
            resolutionReceiver.resolutionComplete()


class RawServer(Factory):
    """
    A server without responses of its own: the test writes the bytes.

    @ivar received: The bytes of each connection, oldest first.
    """

    noisy = False

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        self._connections: list[Protocol] = []

    def buildProtocol(self, addr: object) -> Protocol:
        received = bytearray()
        connection = Protocol()
        connection.dataReceived = received.extend
        self.received.append(received)
        self._connections.append(connection)
        return connection

    def write(self, data: bytes) -> None:
        """
        Write to the latest connection.
        """
        self._connections[-1].transport.write(data)

    def close(self) -> None:
        """
        Close the latest connection.
        """
        self._connections[-1].transport.loseConnection()


def siteOf(resource: Resource) -> Site:
    """
    Return a server with persistent connections and without timers.
    """
    return Site(resource, timeout=None, reactor=Clock())


__all__ = ["End", "Link", "Network", "RawServer", "Unresolved", "siteOf"]
