"""
The parts of a doorkeeper, in memory or in a directory of the test.
"""

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from openclaw.auth.doorkeeper import AuthState
from openclaw.auth.named_tokens import (
    NamedTokens,
    StoredToken,
    editTokens,
    generateToken,
)
from openclaw.auth.quotas import Quotas
from openclaw.auth.rejection_log import RejectionLog
from openclaw.auth.throttle import Throttle
from openclaw.config import RateLimit

NOWHERE = Path("/nonexistent")


def accessStateOf(
    clock: IReactorTime,
    log: Logger,
    state: Path = NOWHERE,
    limits: RateLimit | None = None,
) -> AuthState:
    """
    Return the state of a doorkeeper.

    @param state: The directory with the named tokens.
    """
    return AuthState(
        tokens=NamedTokens(state, clock.seconds, log),
        throttle=Throttle(limits or RateLimit(), clock, log),
        quotas=Quotas(clock),
        rejections=RejectionLog(clock, log),
    )


def addToken(state: Path, label: str, **more: object) -> str:
    """
    Add a token to those of a directory.

    @return: The token.
    """
    token, digest = generateToken()
    given = {"createdAt": 0.0, "scopes": ("operator.write",), **more}
    with editTokens(state) as tokens:
        tokens.add(StoredToken(label=label, sha256=digest, **given))
    return token


def headersOf(headers: Mapping[str, str | bytes] | None = None) -> Headers:
    """
    Return the headers of a request.
    """
    made = Headers()
    for name, value in (headers or {}).items():
        raw = value if isinstance(value, bytes) else value.encode()
        made.addRawHeader(name.encode(), raw)
    return made


def lineFrom(
    host: str = "203.0.113.5", peer: IAddress | None = None
) -> StringTransport:
    """
    Return a connection from an address.
    """
    return StringTransport(peerAddress=peer or IPv4Address("TCP", host, 4711))


__all__ = ["NOWHERE", "accessStateOf", "addToken", "headersOf", "lineFrom"]
