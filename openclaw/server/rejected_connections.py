"""
Connections for which there is no room.
"""

from typing import Any

from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from openclaw.errors import OpenClawError
from openclaw.server.admission import LINGER_SECONDS
from openclaw.server.error_responses import errorResponse
from openclaw.server.gateway_request import newRequestID


class RejectedConnection(Protocol):
    """
    A connection for which there is no room: it is told so, and closed.
    """

    _cut: IDelayedCall | None = None

    def __init__(
        self, turnedAway: set[Any], reactor: IReactorTime, error: OpenClawError
    ) -> None:
        """
        @param turnedAway: Has the connection in it while it is open.
        """
        self._turnedAway = turnedAway
        self._reactor = reactor
        self._error = error

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        transport = self.transport
        assert transport is not None
        self._turnedAway.add(self)
        self._cut = self._reactor.callLater(LINGER_SECONDS, self.abort)
        transport.write(errorResponse(newRequestID(), self._error))
        closeBehind(transport)

    def abort(self) -> None:
        """
        Cut the connection.
        """
        transport = self.transport
        assert transport is not None
        transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        self._turnedAway.discard(self)


def closeBehind(transport: object) -> None:
    """
    Send no more than what was written, and read on: if a system closes a connection
    on which something is unread, the other side may never see the last answer.  (TLS
    reads on by itself.)
    """
    if ITCPTransport.providedBy(transport) and not ISSLTransport.providedBy(transport):
        transport.loseWriteConnection()
    else:
        transport.loseConnection()  # type: ignore[attr-defined]
