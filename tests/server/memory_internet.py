"""
An Internet in memory, from which a gateway can fetch: a reactor with names,
connections, and threads that run their work when a test says so.
"""

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostnameResolver
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.models.memory_network import Network

SITE = "93.184.216.34"


class _Connector:
    """
    A connection attempt, and its connection.
    """

    def __init__(self):
        self.made = self.client = None

    @property
    def state(self):
        """
        The state, as of Twisted's connectors.
        """
        if self.client is None:
            return "disconnected" if self.made.stoppedConnecting else "connecting"
        return "disconnected" if self.transport.disconnected else "connected"

    @property
    def transport(self):
        """
        Return the client's end.
        """
        return self.client.transport

    def stopConnecting(self):
        """
        Fail the attempt.
        """
        self.made.stopConnecting()


class _Threads:
    """
    A thread pool without threads.

    @ivar work: The pending work.
    """

    def __init__(self):
        self.work = []

    def callInThreadWithCallback(self, onResult, work, *args, **kwargs):
        """
        Queue some work.
        """
        self.work.append((onResult, work, args, kwargs))

    def run(self):
        """
        Run the queued work.
        """
        while self.work:
            onResult, work, args, kwargs = self.work.pop(0)
            try:
                result = work(*args, **kwargs)
            except Exception:
                onResult(False, Failure())
            else:
                onResult(True, result)


@implementer(IHostnameResolver)
class Internet(Network):
    """
    A reactor with such an Internet.

    @ivar hosts: The addresses of names.
    @ivar connected: The addresses and ports of all connections.
    @ivar threads: The thread pool.
    """

    def __init__(self):
        super().__init__()
        self.hosts = {"site.example": [SITE]}
        self.connected = []
        self.threads = _Threads()
        self.nameResolver = self

    def resolveHostName(self, receiver, hostName, portNumber=0, *rest, **more):
        receiver.resolutionBegan(None)
        for address in self.hosts.get(hostName, ()):
            receiver.addressResolved(IPv4Address("TCP", address, portNumber))
        receiver.resolutionComplete()

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
        self.connected.append((host, port))
        connector = _Connector()
        build = factory.buildProtocol

        def building(address):
            connector.client = build(address)
            return connector.client

        factory.buildProtocol = building
        connector.made = super().connectTCP(host, port, factory, timeout, bindAddress)
        return connector

    def getThreadPool(self):
        return self.threads

    def callFromThread(self, callable, *args, **kwargs):
        """
        Call a function, since this is the reactor's thread.
        """
        callable(*args, **kwargs)


__all__ = ["SITE", "Internet"]
