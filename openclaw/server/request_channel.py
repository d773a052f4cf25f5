"""
The parts of a connection, and of its site, that requests use.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport

from openclaw.server.admission import Admission
from openclaw.server.limits import FairBudget


class Access(Protocol):
    """
    Decides on requests by their headers.
    """

    def admit(self, request: Any) -> Admission:
        """
        Decide on a request of which only the method, the path and the headers are
        there.
        """


class RequestSite(Protocol):
    """
    The part of a site that requests use.

    @ivar bodies: The room for bodies, in bytes.
    @ivar requests: The requests in progress of tokens and users.
    """

    reactor: IReactorTime
    access: Access
    bodies: FairBudget
    requests: FairBudget


class RequestChannel(Protocol):
    """
    The part of a connection that requests use; see
    L{openclaw.server.channel.GatewayChannel}.
    """

    transport: ITransport | None
    persistent: bool
    origin: str | None
    onNetwork: bool
    onLoopback: bool
    callLater: Callable[..., IDelayedCall]

    @property
    def method(self) -> bytes:
        """
        The method of the request that is being received.
        """

    @property
    def target(self) -> bytes:
        """
        Its target.
        """

    @target.setter
    def target(self, target: bytes) -> None: ...

    @property
    def version(self) -> bytes:
        """
        Its HTTP version.
        """

    @property
    def site(self) -> RequestSite:
        """
        The site.
        """

    def invite(self) -> None:
        """
        Send C{100 Continue}.
        """

    def abort(self) -> None:
        """
        Close the connection at once.
        """
