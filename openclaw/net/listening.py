"""
Listening: endpoints and ports.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
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
    from openclaw.net.tls import RenewedCertificate

Endpoint = tuple[str, IStreamServerEndpoint]
"""
An endpoint, and its name for people.
"""


BACKLOG = 1024
"""
The listen backlog. Beyond it, the callers' systems try again after a second.
"""


_WAITED_FOR = frozenset({"tcp", "tcp6", "ssl", "unix"})
"""
The endpoint strings that have a backlog.
"""


class SecureEndpoint(SSL4ServerEndpoint):
    """
    An endpoint with a certificate that can be renewed.
    """

    certificate: "RenewedCertificate"

    @classmethod
    def of(cls, gateway: Gateway, reactor: IReactorCore, log: Logger) -> Self | None:
        """
        The one that the configuration wants, if it wants TLS.

        @raise StartError: The certificate can't be used.
        """
        certPath, keyPath = gateway.tls.certPath, gateway.tls.keyPath
        if certPath is None or keyPath is None:
            return None
        # The TLS libraries take 10 MB that others need not spend.
        from openclaw.net.tls import RenewedCertificate

        certificate = RenewedCertificate(certPath, keyPath, IReactorTime(reactor), log)
        endpoint = cls(
            reactor,
            gateway.port,
            certificate,
            backlog=BACKLOG,
            interface=gateway.interface(),
        )
        endpoint.certificate = certificate
        return endpoint


def endpointOf(gateway: Gateway, reactor: IReactorCore, log: Logger) -> Endpoint:
    """
    The endpoint for what the configuration says, and what to call it.

    @param log: Hears of renewed certificates.

    @raise StartError: The certificate can't be used.
    """
    interface = gateway.interface()
    name = f"{f'[{interface}]' if ':' in interface else interface}:{gateway.port}"
    secure = SecureEndpoint.of(gateway, reactor, log)
    if secure is not None:
        return name, secure
    kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
    return name, kind(reactor, gateway.port, backlog=BACKLOG, interface=interface)


def endpointFrom(description: str, reactor: IReactorCore) -> Endpoint:
    """
    Understand a Twisted endpoint string, without listening yet.  One that does not say
    how many connections may wait to be taken gets L{BACKLOG}, and not Twisted's 50.

    @raise StartError: It makes no sense, or names a certificate that can't be read,
        or a key that has a pass phrase.
    """
    _checkKey(description)
    wrapped = description.removeprefix("haproxy:")
    if wrapped != description:
        _, endpoint = endpointFrom(wrapped, reactor)
        return description, ProxyProtocolEndpoint(endpoint, reactor)
    full = description
    kind, *words = description.split(":")
    if kind in _WAITED_FOR and not any(word.startswith("backlog=") for word in words):
        full = f"{description}:backlog={BACKLOG}"
    try:
        return description, serverFromString(reactor, full)
    except Exception as error:
        # Endpoint plug-ins fail with whatever their parsing fails with.
        reason = str(error) or type(error).__name__
        raise StartError(f"Can't listen on {description!r}: {reason}") from None


def _checkKey(description: str) -> None:
    """
    Refuse a key with a pass phrase, for which OpenSSL would ask the terminal.

    @raise StartError: It has one, or can't be read.
    """
    words = [
        re.sub(r"\\(.)", r"\1", word)
        for word in re.findall(r"(?:[^:\\]|\\.)+", description)
    ]
    keys = [word.removeprefix("privateKey=") for word in words if "privateKey=" in word]
    if words[:1] == ["ssl"]:
        # The TLS libraries take 10 MB that others need not spend.
        from openclaw.net.tls import loadKey

        loadKey(Path(keys[0] if keys else "server.pem"))


@dataclass
class Listening:
    """
    The ports of one gateway.

    @ivar ports: Those that are open.
    """

    endpoints: Sequence[Endpoint]
    ports: list[IListeningPort] = field(default_factory=list)
    _closing: "list[Deferred[None]]" = field(default_factory=list, init=False)

    def start(self, factory: IProtocolFactory) -> None:
        """
        Listen.

        @raise StartError: A port can't be had.
        """
        for description, endpoint in self.endpoints:
            outcome: list[object] = []
            endpoint.listen(factory).addBoth(outcome.append)
            if not outcome:
                raise StartError(f"Listening on {description!r} takes too long.")
            port = outcome[0]
            if not IListeningPort.providedBy(port):
                self.stop()
                reason = getattr(port, "value", port)
                raise StartError(f"Can't listen on {description!r}: {reason}")
            self.ports.append(port)

    def refuseRemote(self) -> None:
        """
        Be sure that nobody but this machine can reach us.

        @raise StartError: They can.
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
        Take no more connections.

        @return: Fires when all ports are closed, those of a start that failed too.
        """
        ports, self.ports = self.ports, []
        stopping = [port.stopListening() for port in ports]
        self._closing += [each for each in stopping if isinstance(each, Deferred)]
        return DeferredList(self._closing).addCallback(lambda _: None)

    def renew(self) -> None:
        """
        Take up certificates that were renewed.
        """
        for _, endpoint in self.endpoints:
            if isinstance(endpoint, SecureEndpoint):
                endpoint.certificate.renew()

    def loopback(self) -> frozenset[tuple[str, int]]:
        """
        The ports that only this machine can reach, by TCP: hosts and ports.
        """
        hosts = [port.getHost() for port in self.ports]
        return frozenset(
            (host.host, host.port)
            for host in hosts
            if isinstance(host, IPv4Address | IPv6Address) and isLocal(host)
        )

    def urls(self) -> list[str]:
        """
        The base URLs of the ports, as a client on this machine writes them.
        """
        found = []
        for port, (name, endpoint) in zip(self.ports, self.endpoints, strict=False):
            host = port.getHost()
            if isinstance(host, IPv4Address | IPv6Address):
                secure = isinstance(endpoint, SSL4ServerEndpoint)
                scheme = "https" if secure else "http"
                found.append(f"{scheme}://{_reachable(host.host)}:{host.port}")
            else:
                found.append(name)
        return found


def isLocal(address: IAddress) -> bool:
    """
    Can nobody but this machine reach the address?
    """
    if isinstance(address, UNIXAddress):
        return True
    if isinstance(address, IPv4Address | IPv6Address):
        return ip_address(address.host.partition("%")[0]).is_loopback
    return False


def _reachable(host: str) -> str:
    if ip_address(host.partition("%")[0]).is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
