"""
The HTTP site: its connections and their limits.
"""

from collections.abc import Callable, Collection

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from openclaw.config import HTTP
from openclaw.errors import CapacityExceeded
from openclaw.net.batched_writes import batcherFor
from openclaw.server.channel import IDLE_SECONDS, GatewayChannel
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.limits import (
    ConnectionCounts,
    FairBudget,
    addressBlock,
    connectionLimitFor,
)
from openclaw.server.rejected_connections import RejectedConnection
from openclaw.server.request_channel import Access

CLOSE_SECONDS = 2.0
"""
Time for clients to read the last bytes when the daemon stops, in seconds.
"""

MAX_REJECTED = 32
"""
Limit of rejected connections that get an error response at the same time; others are
closed at once.
"""

RETRY_SECONDS = 1.0
"""
Retry-After of a rejected connection, in seconds.
"""


class GatewaySite(Site):
    """
    A site that limits its connections and can close them.

    @ivar settings: Return the settings in force.
    @ivar connections: The open connections.
    @ivar idle: Those without a request, the longest idle first.
    @ivar rejected: The connections over the limit, until they are closed.
    @ivar bodyBudget: The memory for bodies, in bytes.
    @ivar requests: The requests in progress of tokens and users, each of which occupies
        a connection.
    @ivar writes: The batched writes of responses.
    @ivar loopback: Hosts and ports of listening loopback addresses.
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
        @param descriptors: The limit of open files of the process, if there is one.
        """
        super().__init__(
            resource,
            timeout=IDLE_SECONDS,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self.access = access
        self.settings = settings
        self.batcher = batcherFor(reactor)
        self.connections: set[GatewayChannel] = set()
        self.idle: dict[GatewayChannel, None] = {}
        self.rejected: set[RejectedConnection] = set()
        self.bodyBudget = FairBudget(lambda: settings().maxBodyBytesInFlight)
        self.requests = FairBudget(lambda: self.connectionLimit)
        self.loopback: Collection[tuple[str, int]] = frozenset()
        self._connectionCounts = ConnectionCounts()
        self._descriptors = descriptors
        self._closed: Deferred[None] | None = None

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """
        Do nothing: Twisted would start the clock of its access log, which ticks each
        second.
        """

    def stopFactory(self) -> None:
        """
        Do nothing, as L{startFactory} started nothing.
        """

    def log(self, request: Request) -> None:  # type: ignore[override]
        """
        Do nothing: each run writes its own log line when it ends.
        """

    # Limits

    @property
    def connectionLimit(self) -> int:
        limit = self.settings().maxConnections
        if self._descriptors is not None:
            limit = min(limit, connectionLimitFor(self._descriptors))
        return limit

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        origin = addressBlock(addr)
        if self._connectionCounts[origin] >= self.settings().maxConnectionsPerAddress:
            return self._reject("You have too many connections.")
        if len(self.connections) >= self.connectionLimit and not self._closeIdle():
            return self._reject("There are too many connections.")
        channel: GatewayChannel = super().buildProtocol(addr)
        channel.origin = origin
        return channel

    def _closeIdle(self) -> bool:
        """
        Close the connection that has been idle for longest.

        @return: False if none is idle.
        """
        longest = next(iter(self.idle), None)
        if longest is None:
            return False
        longest.closeIdle()
        return True

    def _reject(self, reason: str) -> RejectedConnection | None:
        if len(self.rejected) >= MAX_REJECTED:
            return None
        return RejectedConnection(
            self.rejected,
            self.reactor,
            CapacityExceeded(f"{reason} Try again soon.", retryAfter=RETRY_SECONDS),
        )

    def connectionOpened(self, connection: GatewayChannel) -> None:
        self.connections.add(connection)
        self.idle[connection] = None
        self._connectionCounts.add(connection.origin)
        local = connection.getHost()
        if isinstance(local, IPv4Address | IPv6Address):
            connection.onNetwork = True
            connection.onLoopback = (local.host, local.port) in self.loopback

    def connectionClosed(self, connection: GatewayChannel) -> None:
        self.connections.discard(connection)
        self.idle.pop(connection, None)
        self._connectionCounts.remove(connection.origin)
        if self._closed is not None and not self.connections:
            closed, self._closed = self._closed, None
            closed.callback(None)

    # Closing

    def close(self) -> "Deferred[None]":
        """
        Close all connections, each after the last bytes of its response.

        @return: Fires when all are closed.
        """
        for rejected in list(self.rejected):
            rejected.abort()
        if not self.connections:
            return succeed(None)
        self._closed = Deferred()
        timeout = self.reactor.callLater(CLOSE_SECONDS, self._abort)
        for connection in list(self.connections):
            connection.loseConnection()
        return self._closed.addCallback(
            lambda _: timeout.cancel() if timeout.active() else None
        )

    def _abort(self) -> None:
        for connection in list(self.connections):
            connection.abort()
