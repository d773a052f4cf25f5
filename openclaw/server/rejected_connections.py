"""
Connections over the limit.
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
from openclaw.server.error_responses import renderErrorResponse
from openclaw.server.gateway_request import newRequestID


class RejectedConnection(Protocol):
    """
    A connection over the limit: it gets an error response, and is closed.
    """

    _abortCall: IDelayedCall | None = None

    def __init__(
        self, rejected: set[Any], reactor: IReactorTime, error: OpenClawError
    ) -> None:
        """
        @param rejected: The set of open rejected connections, which this one joins.
        """
        self._rejected = rejected
        self._reactor = reactor
        self._error = error

    def connectionMade(self) -> None:
        transport = self.transport
        assert transport is not None
        self._rejected.add(self)
        self._abortCall = self._reactor.callLater(LINGER_SECONDS, self.abort)
        transport.write(renderErrorResponse(newRequestID(), self._error))
        halfClose(transport)

    def abort(self) -> None:
        transport = self.transport
        assert transport is not None
        transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._abortCall is not None and self._abortCall.active():
            self._abortCall.cancel()
        self._rejected.discard(self)


def halfClose(transport: object) -> None:
    """
    Send what was written and close the write side, but go on reading: closing a
    connection with unread input resets it, and the client may lose the response. (TLS
    connections read on by themselves.)
    """
    if ITCPTransport.providedBy(transport) and not ISSLTransport.providedBy(transport):
        transport.loseWriteConnection()
    else:
        transport.loseConnection()  # type: ignore[attr-defined]
