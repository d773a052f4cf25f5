"""
A gateway's place: alone in its process and everywhere, or one among several workers.
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
    The part of a gateway that depends on the other workers.

    @ivar peers: The others.
    @ivar engine: Makes what has the embedded model's process.
    @ivar makeRunID: Makes the names of runs.
    """

    peers: Peers
    engine: Callable[..., Any]
    makeRunID: Callable[[], str]

    def share(self, config: Config) -> Config:
        """
        Return this worker's share of a configuration's limits.
        """

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        See L{parseEndpoint}.
        """

    def listener(self, reactor: Any) -> Any:
        """
        The reactor that the endpoint of the configuration listens with.
        """

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        """
        Return the throttle of failed attempts.
        """

    def quotas(self, clock: IReactorTime) -> Quotas:
        """
        Return the quotas of callers.
        """

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        The session store, as it is to be used.
        """


class SingleProcess:
    """
    The only one.
    """

    def __init__(self) -> None:
        self.peers: Peers = NoPeers()
        self.makeRunID: Callable[[], str] = makeRunID
        self.engine: Callable[..., Any] = Engine

    def share(self, config: Config) -> Config:
        """
        All of them.
        """
        return config

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        See L{Topology.endpoint}.
        """
        return parseEndpoint(description, reactor)

    def listener(self, reactor: Any) -> Any:
        """
        See L{Topology.listener}.
        """
        return reactor

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        """
        See L{Topology.throttle}.
        """
        return Throttle(limits, clock, log)

    def quotas(self, clock: IReactorTime) -> Quotas:
        """
        See L{Topology.quotas}.
        """
        return Quotas(clock)

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        See L{Topology.store}.
        """
        return store
