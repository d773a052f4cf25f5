"""
A simulated Internet for L{openclaw.tools.web_fetch}.

The servers are real, on loopback.  Their names resolve to public addresses, and the
tool's reactor redirects connections to those addresses to the servers: so both the
bytes on the wire and the addresses can be checked.
"""

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from openclaw.tools.web_fetch import WebFetchTool
from tests.tools.tool_case import ToolTestCase

SITE = "93.184.216.34"


def answer(body=b"", status=b"200 OK", **headers):
    """
    Build an HTTP response.
    """
    given = {"content_type": "text/plain", "content_length": len(body), **headers}
    lines = [
        f"{name.replace('_', '-')}: {value}\r\n".encode()
        for name, value in given.items()
        if value is not None
    ]
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(lines) + b"\r\n" + body


def redirect(location, status=b"302 Found"):
    """
    Build a redirect.
    """
    return answer(status=status, location=location)


class Conversation(Protocol):
    def connectionMade(self):
        self.received = b""
        self.factory.conversations.append(self)
        self.factory.open.add(self)
        if self.factory.greeting:
            self.transport.write(self.factory.greeting)

    def dataReceived(self, data):
        self.received += data
        if b"\r\n\r\n" in self.received:
            path = self.received.split(b" ")[1].decode()
            reply = self.factory.pages.get(path)
            if reply is not None:
                self.transport.write(reply)

    def connectionLost(self, reason):
        self.factory.open.discard(self)
        if not self.factory.open and self.factory.closed is not None:
            self.factory.closed.callback(None)
            self.factory.closed = None


class Server(Factory):
    """
    An HTTP server.

    @ivar pages: Responses by path; requests of other paths get no response.
    @ivar conversations: All connections so far.
    @ivar open: The open connections.
    """

    noisy = False
    protocol = Conversation
    greeting = b""

    def __init__(self):
        self.pages, self.conversations, self.open = {}, [], set()
        self.closed = None

    def allClosed(self):
        """
        Return a Deferred that fires when no connection is open.
        """
        result = Deferred()
        if self.open:
            self.closed = result
        else:
            result.callback(None)
        return result


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class Net:
    """
    A reactor with a simulated Internet.

    @ivar hosts: The addresses of names.  A function is called for each look-up.
    @ivar routes: Loopback ports of servers, by simulated address and port.
    @ivar connected: The addresses and ports that were connected to.
    """

    def __init__(self):
        self.hosts, self.routes, self.connected = {}, {}, []
        self.asked = []
        self.nameResolver = self
        self.unresolved = False

    def __getattr__(self, name):
        return getattr(reactor, name)

    def resolveHostName(self, receiver, hostName, portNumber=0, *rest):
        self.asked.append(hostName)
        if self.unresolved:
            return
        receiver.resolutionBegan(None)
        found = self.hosts.get(hostName, [])
        for host in found() if callable(found) else found:
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, portNumber))
        receiver.resolutionComplete()
        return

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):
        """
        Connect to the server of a simulated address.
        """
        self.connected.append((host, port))
        # Nobody listens on port 1 of this machine.
        to = self.routes.get((host, port), 1)
        return reactor.connectTCP("127.0.0.1", to, factory, timeout)


class FetchTestCase(ToolTestCase):
    """
    A server, C{site.example}, at a public address.
    """

    def setUp(self):
        super().setUp()
        self.net = Net()
        self.server = self.serve(SITE, 80)
        self.net.hosts["site.example"] = [SITE]

    def serve(self, address, port, listen=None):
        """
        Start a server.
        """
        server = Server()
        listening = (listen or reactor.listenTCP)(0, server, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.addCleanup(server.allClosed)
        self.net.routes[address, port] = listening.getHost().port
        return server

    def fetch(self, url, **settings):
        """
        Call C{web_fetch}.
        """
        context = self.context(reactor=self.net, settings=settings)
        return WebFetchTool().run({"url": url}, context)

    def page(self, body, **headers):
        """
        Serve a page at C{/}.
        """
        self.server.pages["/"] = answer(body, **headers)
