"""
Determine the client's address, through trusted proxies only.

A proxy names the client with the PROXY protocol, behind Twisted's endpoint prefix
C{haproxy:}, or with C{X-Forwarded-For}. Anyone can send either, so only those from
C{gateway.trustedProxies} are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from twisted.internet import address as transports
from twisted.internet.interfaces import ITransport
from twisted.web.http_headers import Headers

from openclaw.net.proxy_protocol import ProxiedConnection

UNIX = "unix"
"""
The name of all clients that connect by UNIX socket.
"""

UNKNOWN = "an unknown address"
IPV6_BITS = 64
"""
Prefix length that IPv6 clients are counted by: a site has at least a /64.
"""

CACHE_SIZE = 1024
"""
Number of addresses whose parsed form is cached.
"""

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDING = (_FORWARDED_FOR, b"forwarded", b"x-real-ip")
_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientAddress:
    """
    The address that a request comes from.

    @ivar name: The address for counting and for the log: an IPv6 address is its /64
        network.
    @ivar local: True if the client is on this machine, without a proxy.
    @ivar trusted: True if the request came through a trusted proxy.
    """

    name: str
    local: bool = False
    trusted: bool = False


class TrustedProxies:
    """
    The proxies whose word on the client's address is used.
    """

    def __init__(self, entries: Sequence[str] = ()) -> None:
        """
        @param entries: IP addresses, networks, and C{unix}.
        """
        self._unix = UNIX in entries
        self._networks: tuple[_Network, ...] = tuple(
            ip_network(entry) for entry in entries if entry != UNIX
        )

    def origin(self, transport: ITransport, headers: Headers) -> ClientAddress:
        """
        Determine the address that a request comes from.

        @param transport: The transport of its connection.
        """
        peer, proxied = _getPeers(transport)
        if proxied is not None and not self._isTrusted(peer):
            # The peer is not a trusted proxy.
            return ClientAddress(name=_countingName(peer))
        if proxied is not None and proxied == peer:
            # A trusted proxy that does not name the client (PROXY UNKNOWN).
            return ClientAddress(name=_countingName(peer))
        peer = peer if proxied is None else proxied
        if self._isTrusted(peer):
            return ClientAddress(
                name=_countingName(self._forwardedClient(peer, headers)), trusted=True
            )
        local = proxied is None and _isLocal(peer)
        if local and any(headers.hasHeader(each) for each in _FORWARDING):
            # An unconfigured proxy on this machine: its clients may be anywhere.
            return ClientAddress(name=f"{_countingName(peer)} (forwarded)")
        return ClientAddress(name=_countingName(peer), local=local)

    def _isTrusted(self, peer: "_Address | str") -> bool:
        if isinstance(peer, str):
            return peer == UNIX and self._unix
        return any(peer in network for network in self._networks)

    def _forwardedClient(
        self, peer: "_Address | str", headers: Headers
    ) -> "_Address | str":
        """
        Return the last address in C{X-Forwarded-For} that is not a trusted proxy's.
        Clients may have written any before it.
        """
        client = peer
        lines = headers.getRawHeaders(_FORWARDED_FOR) or []
        for entry in reversed(b",".join(lines).split(b",")):
            found = _parseAddress(entry.decode("latin-1").strip())
            if found is None:
                break
            client = found
            if not self._isTrusted(found):
                break
        return client


NO_PROXIES = TrustedProxies()


def _getPeers(transport: ITransport) -> "tuple[_Address | str, _Address | str | None]":
    """
    @return: The address of the peer; and the source address in the PROXY header, or the
        peer's again if that is unknown, or C{None} without C{haproxy:}.
    """
    layers = [transport]
    while (inner := getattr(layers[-1], "transport", None)) is not None:
        layers.append(inner)
    peer = _peerAddress(layers[-1])
    for layer in layers:
        if isinstance(layer, ProxiedConnection):
            return peer, peer if layer.source is None else _unmapIPv4(layer.source)
    return peer, None


def _peerAddress(transport: ITransport) -> "_Address | str":
    peer = transport.getPeer()
    if isinstance(peer, transports.UNIXAddress):
        return UNIX
    if isinstance(peer, transports.IPv4Address | transports.IPv6Address):
        host = peer.host
        found = _parseAddress(host.decode("ascii") if isinstance(host, bytes) else host)
        if found is not None:
            return found
    return UNKNOWN


@lru_cache(maxsize=CACHE_SIZE)
def _parseAddress(text: str) -> _Address | None:
    """
    Parse an address, with or without port, brackets and zone.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return _unmapIPv4(found)


def _unmapIPv4(found: _Address) -> _Address:
    """
    Return the IPv4 address of an IPv4-mapped IPv6 one, as dual-stack sockets report it.
    """
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _isLocal(peer: "_Address | str") -> bool:
    return peer == UNIX if isinstance(peer, str) else peer.is_loopback


@lru_cache(maxsize=CACHE_SIZE)
def _countingName(peer: "_Address | str") -> str:
    if isinstance(peer, IPv6Address) and not peer.is_loopback:
        return str(IPv6Network((peer, IPV6_BITS), strict=False))
    return str(peer)
