"""
The place of a worker among others.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.logger import Logger

from openclaw.api.app import GatewayApp
from openclaw.api.peers import Peers, makeRunID
from openclaw.auth.quotas import Quotas
from openclaw.auth.throttle import Throttle
from openclaw.config import Config, RateLimit
from openclaw.interfaces import ISessionStore
from openclaw.net.listening import Endpoint, parseEndpoint
from openclaw.server.live_config import LiveConfig
from openclaw.server.request_channel import Access
from openclaw.server.site import GatewaySite
from openclaw.workers.connection_balance import ConnectionBalance, loadsOf
from openclaw.workers.engine_sharing import EngineLease
from openclaw.workers.forwarding import (
    ForwardingAccess,
    ForwardingResource,
    RequestForwarder,
    socketOf,
)
from openclaw.workers.limit_shares import shareOf
from openclaw.workers.shared_guards import SharedQuotas, SharedThrottle
from openclaw.workers.shared_ports import AdoptedEndpoint, Adopting
from openclaw.workers.shared_store import FairStore
from openclaw.workers.worker_messages import SharedSocket
from openclaw.workers.worker_router import WorkerRouter


class WorkerMember:
    """
    One of several workers; see L{openclaw.workers.topology.Topology}.

    @ivar balance: How many connections each has.
    """

    def __init__(
        self,
        *,
        peers: Peers,
        engineLease: EngineLease,
        sockets: Sequence[SharedSocket],
        folder: Path,
        secret: str,
        reactor: Any,
        log: Logger,
    ) -> None:
        """
        @param sockets: The ports, in the order of their endpoints.

        @param folder: Where the workers' own sockets are.

        @param secret: What the workers show each other.
        """
        self.peers = peers
        self.engine: Callable[..., Any] = engineLease.engine
        self.makeRunID: Callable[[], str] = partial(makeRunID, peers.number)
        self.balance = ConnectionBalance(loadsOf(folder), peers.number, peers.count)
        self._adopting = Adopting(reactor, sockets, self.balance)
        self._folder = folder
        self._reactor = reactor
        self._log = log
        self._forwarder = RequestForwarder(folder, secret, reactor, log)
        self._router = WorkerRouter(peers)
        self._quotas = SharedQuotas(peers, reactor)
        self._secret = secret
        self._port: IListeningPort | None = None
        self._site: GatewaySite | None = None

    def share(self, config: Config) -> Config:
        """
        An equal part.
        """
        return shareOf(config, self.peers.count)

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        One of the ports that are open.
        """
        if description.startswith("systemd:"):
            return description, AdoptedEndpoint(self._adopting)
        return parseEndpoint(description, self._adopting)  # type: ignore[arg-type]

    def listener(self, reactor: Any) -> Any:
        """
        Adopts instead of opening.
        """
        return self._adopting

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        """
        One that hears of others' failures.
        """
        return SharedThrottle(self.peers, limits, clock, log)

    def quotas(self, clock: IReactorTime) -> Quotas:
        """
        One that counts those who belong here.
        """
        return self._quotas

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        One that lets others have their turn.
        """
        fair: ISessionStore = FairStore(store, self.peers, self._reactor)
        return fair

    # The way to others, and theirs to us

    def forwarding(self, resource: Any) -> ForwardingResource:
        """
        A gateway's resources, as they are on the ports.
        """
        return ForwardingResource(resource, self._router, self._forwarder, self._log)

    def listen(
        self,
        app: GatewayApp,
        live: Callable[[], LiveConfig],
        sites: Callable[[Any, Access], GatewaySite],
    ) -> None:
        """
        Let others pass requests on to us.

        @param sites: Makes a site of a resource and a door.
        """
        door = ForwardingAccess(live, app.routes, self._secret, self._quotas)
        passedOn = ForwardingResource(
            app.resource,
            self._router,
            self._forwarder,
            self._log,
            door.forwardedCallerOf,
        )
        self._site = sites(passedOn, door)
        path = socketOf(self._folder, self.peers.number)
        # One who was here before us may have been killed.
        path.unlink(missing_ok=True)
        self._port = self._reactor.listenUNIX(str(path), self._site, mode=0o600)

    async def untilIdle(self) -> None:
        """
        Wait until others have answered all that we passed on.
        """
        await self._forwarder.untilIdle()

    async def close(self) -> None:
        """
        Let go of everything.
        """
        self.balance.leave()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        if self._site is not None:
            await self._site.close()
        await self._forwarder.close()
