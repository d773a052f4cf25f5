"""
The parts of a gateway that depend on the number of workers.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.agents.run_request import makeRunID
from openclaw.api.peers import NoPeers, Peers
from openclaw.auth.quotas import Quotas
from openclaw.auth.throttle import Throttle
from openclaw.config import Config, RateLimit
from openclaw.interfaces import ISessionStore
from openclaw.models.local.engine import Engine
from openclaw.net.listening import Endpoint, parseEndpoint


class Topology(Protocol):
    """
    The parts of a gateway that depend on other workers.

    @ivar peers: The other workers.
    @ivar engine: Creates the engine of the embedded model.
    @ivar makeRunID: Creates run ids.
    """

    peers: Peers
    engine: Callable[..., Any]
    makeRunID: Callable[[], str]

    def divideLimits(self, config: Config) -> Config:
        """
        Return the configuration with this worker's share of each limit.
        """

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        Parse an endpoint description; see L{parseEndpoint}.
        """

    def listener(self, reactor: Any) -> Any:
        """
        Return the reactor for the listeners of the configuration's endpoint.
        """

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        pass

    def quotas(self, clock: IReactorTime) -> Quotas:
        pass

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        Wrap the session store.
        """


class SingleProcess:
    def __init__(self) -> None:
        self.peers: Peers = NoPeers()
        self.makeRunID: Callable[[], str] = makeRunID
        self.engine: Callable[..., Any] = Engine

    def divideLimits(self, config: Config) -> Config:
        return config

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        return parseEndpoint(description, reactor)

    def listener(self, reactor: Any) -> Any:
        return reactor

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        return Throttle(limits, clock, log)

    def quotas(self, clock: IReactorTime) -> Quotas:
        return Quotas(clock)

    def store(self, store: ISessionStore) -> ISessionStore:
        return store
