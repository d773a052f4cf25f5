"""
The topology of a gateway with several workers.
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
from openclaw.workers.connection_balance import ConnectionBalance, loadFile
from openclaw.workers.engine_sharing import EngineLease
from openclaw.workers.forwarding import (
    ForwardingAccess,
    ForwardingResource,
    RequestForwarder,
    workerSocket,
)
from openclaw.workers.limit_shares import divideLimits
from openclaw.workers.shared_guards import SharedQuotas, SharedThrottle
from openclaw.workers.shared_ports import AdoptedEndpoint, AdoptingReactor
from openclaw.workers.shared_store import FairStore
from openclaw.workers.worker_messages import SharedSocket
from openclaw.workers.worker_router import WorkerRouter


class WorkerMember:
    """
    One of several workers; see L{openclaw.workers.topology.Topology}.

    @ivar balance: The numbers of connections of all workers.
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
        @param folder: The directory of the workers' own sockets.
        @param secret: The secret in requests between workers.
        """
        self.peers = peers
        self.engine: Callable[..., Any] = engineLease.engine
        self.makeRunID: Callable[[], str] = partial(makeRunID, peers.number)
        self.balance = ConnectionBalance(loadFile(folder), peers.number, peers.count)
        self._adopting = AdoptingReactor(reactor, sockets, self.balance)
        self._folder = folder
        self._reactor = reactor
        self._log = log
        self._forwarder = RequestForwarder(folder, secret, reactor, log)
        self._router = WorkerRouter(peers)
        self._quotas = SharedQuotas(peers, reactor)
        self._secret = secret
        self._port: IListeningPort | None = None
        self._site: GatewaySite | None = None

    def divideLimits(self, config: Config) -> Config:
        return divideLimits(config, self.peers.count)

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        if description.startswith("systemd:"):
            return description, AdoptedEndpoint(self._adopting)
        return parseEndpoint(description, self._adopting)  # type: ignore[arg-type]

    def listener(self, reactor: Any) -> Any:
        return self._adopting

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        return SharedThrottle(self.peers, limits, clock, log)

    def quotas(self, clock: IReactorTime) -> Quotas:
        return self._quotas

    def store(self, store: ISessionStore) -> ISessionStore:
        fair: ISessionStore = FairStore(store, self.peers, self._reactor)
        return fair

    def forwardingResource(self, resource: Any) -> ForwardingResource:
        """
        Wrap the gateway's resource for the public ports.
        """
        return ForwardingResource(resource, self._router, self._forwarder, self._log)

    def listen(
        self,
        app: GatewayApp,
        live: Callable[[], LiveConfig],
        makeSite: Callable[[Any, Access], GatewaySite],
    ) -> None:
        """
        Listen for requests from other workers.

        @param makeSite: Creates a site from a resource and an access check.
        """
        access = ForwardingAccess(live, app.routes, self._secret, self._quotas)
        forwardedResource = ForwardingResource(
            app.resource,
            self._router,
            self._forwarder,
            self._log,
            access.forwardedCallerOf,
        )
        self._site = makeSite(forwardedResource, access)
        path = workerSocket(self._folder, self.peers.number)
        # A killed predecessor leaves its socket behind.
        path.unlink(missing_ok=True)
        self._port = self._reactor.listenUNIX(str(path), self._site, mode=0o600)

    async def untilIdle(self) -> None:
        """
        Wait until all forwarded requests have ended.
        """
        await self._forwarder.untilIdle()

    async def close(self) -> None:
        """
        Stop accepting connections and close all forwarding connections.
        """
        self.balance.markClosed()
        if self._port is not None:
            await maybeDeferred(self._port.stopListening)
        if self._site is not None:
            await self._site.close()
        await self._forwarder.close()
