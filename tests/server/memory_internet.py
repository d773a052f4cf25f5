"""
An Internet in memory, for a gateway to fetch from: a reactor with names, connections,
and threads that do their work when a test says so.
"""

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostnameResolver
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.models.memory_network import Network

SITE = "93.184.216.34"


class _Connector:
    """
    A connection that is being made, or was.
    """

    def __init__(self):
        self.made = self.client = None

    @property
    def state(self):
        """
        As of a connector of Twisted's.
        """
        if self.client is None:
            return "disconnected" if self.made.stoppedConnecting else "connecting"
        return "disconnected" if self.transport.disconnected else "connected"

    @property
    def transport(self):
        """
        The client's end.
        """
        return self.client.transport

    def stopConnecting(self):
        """
        Give up.
        """
        self.made.stopConnecting()


class _Threads:
    """
    A thread pool without threads.

    @ivar work: What is to be done.
    """

    def __init__(self):
        self.work = []

    def callInThreadWithCallback(self, onResult, work, *args, **kwargs):
        """
        Keep some work.
        """
        self.work.append((onResult, work, args, kwargs))

    def run(self):
        """
        Do it.
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
    A whole reactor over such an Internet.

    @ivar hosts: The addresses of names.
    @ivar connected: The addresses and ports that were connected to.
    @ivar threads: Its thread pool.
    """

    def __init__(self):
        super().__init__()
        self.hosts = {"site.example": [SITE]}
        self.connected = []
        self.threads = _Threads()
        self.nameResolver = self

    def resolveHostName(self, receiver, hostName, portNumber=0, *rest, **more):
        """
        Look for a name.
        """
        receiver.resolutionBegan(None)
        for address in self.hosts.get(hostName, ()):
            receiver.addressResolved(IPv4Address("TCP", address, portNumber))
        receiver.resolutionComplete()

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
        """
        Begin to open a connection.
        """
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
        """
        The thread pool.
        """
        return self.threads

    def callFromThread(self, callable, *args, **kwargs):
        """
        Do something in the reactor's thread, which is this one.
        """
        callable(*args, **kwargs)


__all__ = ["SITE", "Internet"]
