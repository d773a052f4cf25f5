"""
The interface of a connection, and of its site, as requests use it.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport

from openclaw.server.admission import Admission
from openclaw.server.limits import FairBudget


class Access(Protocol):
    """
    The access checks.
    """

    def admit(self, request: Any) -> Admission:
        """
        Decide on a request from its method, path and headers; its body has not arrived.
        """


class RequestSite(Protocol):
    """
    The part of a site that requests use.

    @ivar bodyBudget: The memory for bodies, in bytes.
    @ivar requests: The requests in progress of tokens and users.
    """

    reactor: IReactorTime
    access: Access
    bodyBudget: FairBudget
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
        The request target.
        """

    @target.setter
    def target(self, target: bytes) -> None: ...

    @property
    def version(self) -> bytes: ...

    @property
    def site(self) -> RequestSite: ...

    def sendContinue(self) -> None:
        """
        Send C{100 Continue}.
        """

    def abort(self) -> None: ...
