"""
The HTTP server's edge: the connections that there are, and how many there may be.
"""

from collections.abc import Callable, Collection

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from openclaw.config import HTTP
from openclaw.errors import Crowded
from openclaw.net.batched_writes import writesOf
from openclaw.server.channel import IDLE_SECONDS, GatewayChannel
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.limits import (
    ConnectionCounts,
    FairBudget,
    addressBlock,
    affordable,
)
from openclaw.server.rejected_connections import RejectedConnection
from openclaw.server.request_channel import Access

CLOSE_SECONDS = 2.0
"""
Seconds for which callers may take to read the last bytes when the daemon stops.
"""

MAX_TURNED_AWAY = 32
"""
Rejected connections that get an answer at the same time; others are closed without a
word.
"""

CROWDED_SECONDS = 1.0
"""
When to try again where there was no room for a connection.
"""


class GatewaySite(Site):
    """
    A site that knows its connections, bounds their number and can close them.

    @ivar settings: What holds at the time of asking.
    @ivar connections: Those that are open.
    @ivar idle: Those of them without a request, the longest idle first.
    @ivar turnedAway: Those for which there was no room, until they are closed.
    @ivar bodies: The room for bodies.
    @ivar requests: The requests in progress of tokens and users, each of which keeps a
        connection.
    @ivar writes: What sends the answers.
    @ivar loopback: The addresses of ports that only this machine can reach: hosts
        and ports.
    """

    noisy = False
    protocol = GatewayChannel  # type: ignore[assignment]
    requestFactory = GatewayRequest  # type: ignore[assignment]

    def __init__(
        self,
        resource: IResource,
        access: Access,
        reactor: IReactorTime,
        settings: Callable[[], HTTP] = HTTP,
        descriptors: int | None = None,
    ) -> None:
        """
        @param descriptors: How many files the process may have open, if that is
            bounded.
        """
        super().__init__(
            resource,
            timeout=IDLE_SECONDS,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self.access = access
        self.settings = settings
        self.writes = writesOf(reactor)
        self.connections: set[GatewayChannel] = set()
        self.idle: dict[GatewayChannel, None] = {}
        self.turnedAway: set[RejectedConnection] = set()
        self.bodies = FairBudget(lambda: settings().maxBodyBytesInFlight)
        self.requests = FairBudget(lambda: self.mostConnections)
        self.loopback: Collection[tuple[str, int]] = frozenset()
        self._crowd = ConnectionCounts()
        self._descriptors = descriptors
        self._closed: Deferred[None] | None = None

    def acceptableProtocols(self) -> list[bytes]:
        """
        Return the protocols that TLS may negotiate.
        """
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """
        Start nothing: Twisted's clock for its access log would tick each second.
        """

    def stopFactory(self) -> None:
        """
        Nothing was started.
        """

    def log(self, request: Request) -> None:  # type: ignore[override]
        """
        Write nothing: each run has its line in the log, written where it ends.
        """

    # How many there may be

    @property
    def mostConnections(self) -> int:
        """
        The connections that there may be at once.
        """
        most = self.settings().maxConnections
        if self._descriptors is not None:
            most = min(most, affordable(self._descriptors))
        return most

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        """
        Somebody connects.

        @return: C{None} to close the connection at once.
        """
        origin = addressBlock(addr)
        if self._crowd[origin] >= self.settings().maxConnectionsPerAddress:
            return self._turnAway("You have too many connections.")
        if len(self.connections) >= self.mostConnections and not self._closeIdle():
            return self._turnAway("There are too many connections.")
        channel: GatewayChannel = super().buildProtocol(addr)
        channel.origin = origin
        return channel

    def _closeIdle(self) -> bool:
        """
        Close the connection that has been idle for longest.

        @return: Was there one?
        """
        longest = next(iter(self.idle), None)
        if longest is None:
            return False
        longest.makeRoom()
        return True

    def _turnAway(self, reason: str) -> RejectedConnection | None:
        if len(self.turnedAway) >= MAX_TURNED_AWAY:
            return None
        return RejectedConnection(
            self.turnedAway,
            self.reactor,
            Crowded(f"{reason} Try again soon.", retryAfter=CROWDED_SECONDS),
        )

    def connectionBegan(self, connection: GatewayChannel) -> None:
        """
        A connection is there.
        """
        self.connections.add(connection)
        self.idle[connection] = None
        self._crowd.enter(connection.origin)
        here = connection.getHost()
        if isinstance(here, IPv4Address | IPv6Address):
            connection.onNetwork = True
            connection.onLoopback = (here.host, here.port) in self.loopback

    def connectionEnded(self, connection: GatewayChannel) -> None:
        """
        A connection is gone.
        """
        self.connections.discard(connection)
        self.idle.pop(connection, None)
        self._crowd.leave(connection.origin)
        if self._closed is not None and not self.connections:
            closed, self._closed = self._closed, None
            closed.callback(None)

    # The end

    def close(self) -> "Deferred[None]":
        """
        Close all connections, behind the last bytes of their answers.

        @return: Fires when none is left.
        """
        for stranger in list(self.turnedAway):
            stranger.abort()
        if not self.connections:
            return succeed(None)
        self._closed = Deferred()
        patience = self.reactor.callLater(CLOSE_SECONDS, self._abort)
        for connection in list(self.connections):
            connection.loseConnection()
        return self._closed.addCallback(
            lambda _: patience.cancel() if patience.active() else None
        )

    def _abort(self) -> None:
        for connection in list(self.connections):
            connection.abort()
