"""
The gateway's endpoints and listening ports.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from errno import EADDRINUSE
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Self

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from openclaw.config import Gateway
from openclaw.errors import StartError
from openclaw.net.proxy_protocol import ProxyProtocolEndpoint

if TYPE_CHECKING:
    from openclaw.net.tls import RenewableCertificate

Endpoint = tuple[str, IStreamServerEndpoint]
"""
An endpoint and its name for people.
"""


BACKLOG = 1024
"""
The listen backlog.  Beyond it, clients retry after a second.
"""


_WITH_BACKLOG = frozenset({"tcp", "tcp6", "ssl", "unix"})
"""
The kinds of endpoint strings that accept a backlog.
"""


class SecureEndpoint(SSL4ServerEndpoint):
    """
    A TLS endpoint whose certificate can be renewed.
    """

    certificate: "RenewableCertificate"

    @classmethod
    def of(cls, gateway: Gateway, reactor: IReactorCore, log: Logger) -> Self | None:
        """
        Make the endpoint for the configuration, if it has TLS.

        @raise StartError: The certificate cannot be used.
        """
        certPath, keyPath = gateway.tls.certPath, gateway.tls.keyPath
        if certPath is None or keyPath is None:
            return None
        # The TLS libraries take 10 MB, which plain HTTP does not need.
        from openclaw.net.tls import RenewableCertificate

        certificate = RenewableCertificate(
            certPath, keyPath, IReactorTime(reactor), log
        )
        endpoint = cls(
            reactor,
            gateway.port,
            certificate,
            backlog=BACKLOG,
            interface=gateway.interface(),
        )
        endpoint.certificate = certificate
        return endpoint


def makeEndpoint(gateway: Gateway, reactor: IReactorCore, log: Logger) -> Endpoint:
    """
    Make the endpoint for the configuration, with its name.

    @param log: Logs renewals of the certificate.
    @raise StartError: The certificate cannot be used.
    """
    interface = gateway.interface()
    name = f"{f'[{interface}]' if ':' in interface else interface}:{gateway.port}"
    secure = SecureEndpoint.of(gateway, reactor, log)
    if secure is not None:
        return name, secure
    kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
    return name, kind(reactor, gateway.port, backlog=BACKLOG, interface=interface)


def parseEndpoint(description: str, reactor: IReactorCore) -> Endpoint:
    """
    Parse a Twisted endpoint string.  Its default backlog is L{BACKLOG} instead of
    Twisted's 50.

    @raise StartError: It is not valid, or names a certificate that cannot be read, or a
        key that has a pass phrase.
    """
    _checkKey(description)
    wrapped = description.removeprefix("haproxy:")
    if wrapped != description:
        _, endpoint = parseEndpoint(wrapped, reactor)
        return description, ProxyProtocolEndpoint(endpoint, reactor)
    full = description
    kind, *words = description.split(":")
    if kind in _WITH_BACKLOG and not any(word.startswith("backlog=") for word in words):
        full = f"{description}:backlog={BACKLOG}"
    try:
        return description, serverFromString(reactor, full)
    except Exception as error:
        # Endpoint plug-ins raise any exception.
        reason = str(error) or type(error).__name__
        raise StartError(f"Can't listen on {description!r}: {reason}") from None


def _listenProblem(description: str, error: object) -> str:
    """
    Return the reason why a port can't be opened, with its address if the description
    does not have it.
    """
    if not isinstance(error, CannotListenError):
        return str(error)
    address = f"{error.interface}:{error.port}"
    cause = error.socketError
    reason = str(cause)
    if getattr(cause, "errno", None) == EADDRINUSE:
        reason += ". Stop the program that has it, or set another gateway.port"
    return f"{reason}." if address in description else f"{address}: {reason}."


def _checkKey(description: str) -> None:
    """
    Check that a key has no pass phrase, for which OpenSSL would ask on the terminal.

    @raise StartError: It has one, or cannot be read.
    """
    words = [
        re.sub(r"\\(.)", r"\1", word)
        for word in re.findall(r"(?:[^:\\]|\\.)+", description)
    ]
    keys = [word.removeprefix("privateKey=") for word in words if "privateKey=" in word]
    if words[:1] == ["ssl"]:
        # The TLS libraries take 10 MB, which plain HTTP does not need.
        from openclaw.net.tls import loadKey

        loadKey(Path(keys[0] if keys else "server.pem"))


@dataclass
class ListeningPorts:
    """
    The listening ports of one gateway.

    @ivar ports: The open ones.
    """

    endpoints: Sequence[Endpoint]
    ports: list[IListeningPort] = field(default_factory=list)
    _closing: "list[Deferred[None]]" = field(default_factory=list, init=False)

    def start(self, factory: IProtocolFactory) -> None:
        """
        Listen on all endpoints.

        @raise StartError: A port cannot be opened.
        """
        for description, endpoint in self.endpoints:
            outcome: list[object] = []
            endpoint.listen(factory).addBoth(outcome.append)
            if not outcome:
                raise StartError(f"Listening on {description!r} takes too long.")
            port = outcome[0]
            if not IListeningPort.providedBy(port):
                self.stop()
                error = getattr(port, "value", port)
                reason = _listenProblem(description, error)
                raise StartError(f"Can't listen on {description!r}: {reason}")
            self.ports.append(port)

    def refuseRemote(self) -> None:
        """
        Check that only this machine can reach the ports.

        @raise StartError: Other machines can.
        """
        for port, (name, _) in zip(self.ports, self.endpoints, strict=False):
            if not isLocal(port.getHost()):
                raise StartError(
                    f"Refusing to listen on {name!r}: other machines could reach it,"
                    " and no token or password is configured. Set gateway.auth.token"
                    " or gateway.auth.password, or bind to loopback."
                )

    def stop(self) -> "Deferred[None]":
        """
        Stop listening.

        @return: Fires when all ports are closed, including those of a failed start.
        """
        ports, self.ports = self.ports, []
        stopping = [port.stopListening() for port in ports]
        self._closing += [each for each in stopping if isinstance(each, Deferred)]
        return DeferredList(self._closing).addCallback(lambda _: None)

    def renew(self) -> None:
        """
        Reload certificates that have changed.
        """
        for _, endpoint in self.endpoints:
            if isinstance(endpoint, SecureEndpoint):
                endpoint.certificate.renew()

    def loopback(self) -> frozenset[tuple[str, int]]:
        """
        Return the host and port of each TCP port that only this machine can reach.
        """
        hosts = [port.getHost() for port in self.ports]
        return frozenset(
            (host.host, host.port)
            for host in hosts
            if isinstance(host, IPv4Address | IPv6Address) and isLocal(host)
        )

    def urls(self) -> list[str]:
        urls = []
        for port, (name, endpoint) in zip(self.ports, self.endpoints, strict=False):
            host = port.getHost()
            if isinstance(host, IPv4Address | IPv6Address):
                secure = isinstance(endpoint, SSL4ServerEndpoint)
                scheme = "https" if secure else "http"
                urls.append(f"{scheme}://{_formatHost(host.host)}:{host.port}")
            else:
                urls.append(name)
        return urls


def isLocal(address: IAddress) -> bool:
    """
    Return whether only this machine can reach an address.
    """
    if isinstance(address, UNIXAddress):
        return True
    if isinstance(address, IPv4Address | IPv6Address):
        return ip_address(address.host.partition("%")[0]).is_loopback
    return False


def _formatHost(host: str) -> str:
    if ip_address(host.partition("%")[0]).is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
