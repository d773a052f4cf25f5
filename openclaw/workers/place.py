"""
A gateway's place: alone in its process and everywhere, or one among several workers.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.agents.requests import newRunID
from openclaw.auth.quotas import Quotas
from openclaw.auth.throttle import Throttle
from openclaw.config import Config, RateLimit
from openclaw.interfaces import ISessionStore
from openclaw.listening import Endpoint, endpointFrom
from openclaw.models.local.engine import Engine
from openclaw.workers.fellows import Fellows, Nobody


class Place(Protocol):
    """
    What of a gateway depends on who else there is.

    @ivar fellows: The others.
    @ivar engine: Makes what has the embedded model's process.
    @ivar newRunID: Makes the names of runs.
    """

    fellows: Fellows
    engine: Callable[..., Any]
    newRunID: Callable[[], str]

    def share(self, config: Config) -> Config:
        """
        What of a configuration's bounds is ours.
        """

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        See L{endpointFrom}.
        """

    def listener(self, reactor: Any) -> Any:
        """
        The reactor that the endpoint of the configuration listens with.
        """

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        """
        What counts failed attempts.
        """

    def quotas(self, clock: IReactorTime) -> Quotas:
        """
        What counts the requests of callers.
        """

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        The session store, as it is to be used.
        """


class Alone:
    """
    The only one.
    """

    def __init__(self) -> None:
        self.fellows: Fellows = Nobody()
        self.newRunID: Callable[[], str] = newRunID
        self.engine: Callable[..., Any] = Engine

    def share(self, config: Config) -> Config:
        """
        All of them.
        """
        return config

    def endpoint(self, description: str, reactor: Any) -> Endpoint:
        """
        See L{Place.endpoint}.
        """
        return endpointFrom(description, reactor)

    def listener(self, reactor: Any) -> Any:
        """
        See L{Place.listener}.
        """
        return reactor

    def throttle(self, limits: RateLimit, clock: IReactorTime, log: Logger) -> Throttle:
        """
        See L{Place.throttle}.
        """
        return Throttle(limits, clock, log)

    def quotas(self, clock: IReactorTime) -> Quotas:
        """
        See L{Place.quotas}.
        """
        return Quotas(clock)

    def store(self, store: ISessionStore) -> ISessionStore:
        """
        See L{Place.store}.
        """
        return store


__all__ = ["Alone", "Place"]
