"""
Determine the client's address, and whether the proxies on the way are trusted.

A proxy can say for whom it asks: with the PROXY protocol, behind Twisted's endpoint
prefix C{haproxy:}, and with C{X-Forwarded-For}.  Anybody can say that, so only what
C{gateway.trustedProxies} name is listened to.
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
The name of all who come by a UNIX socket.
"""

UNKNOWN = "an unknown address"
IPV6_BITS = 64
"""
A site has at least as many addresses as the rest of the bits make: none is worth
counting by itself.
"""

REMEMBERED = 1024
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

    @ivar name: The address for counting, and for people: an IPv6 network of 64 bits
        is one.
    @ivar local: Does it come straight from this machine?
    @ivar trusted: Is it brought by a proxy that is believed when it says who asks?
    """

    name: str
    local: bool = False
    trusted: bool = False


class TrustedProxies:
    """
    The proxies that are believed.
    """

    def __init__(self, entries: Sequence[str] = ()) -> None:
        """
        @param entries: Addresses, networks and C{unix}.
        """
        self._unix = UNIX in entries
        self._networks: tuple[_Network, ...] = tuple(
            ip_network(entry) for entry in entries if entry != UNIX
        )

    def origin(self, transport: ITransport, headers: Headers) -> ClientAddress:
        """
        Determine the address that a request comes from.

        @param transport: What its connection was accepted by.
        """
        near, stated = _ends(transport)
        if stated is not None and not self._trusts(near):
            # Nobody asked them for whom they come.
            return ClientAddress(name=_name(near))
        if stated is not None and stated == near:
            # A proxy that is believed, and does not know for whom it asks.
            return ClientAddress(name=_name(near))
        peer = near if stated is None else stated
        if self._trusts(peer):
            return ClientAddress(name=_name(self._asker(peer, headers)), trusted=True)
        local = stated is None and _isLocal(peer)
        if local and any(headers.hasHeader(each) for each in _FORWARDING):
            # A proxy on this machine that nobody told us of brings strangers.
            return ClientAddress(name=f"{_name(peer)} (forwarded)")
        return ClientAddress(name=_name(peer), local=local)

    def _trusts(self, peer: "_Address | str") -> bool:
        if isinstance(peer, str):
            return peer == UNIX and self._unix
        return any(peer in network for network in self._networks)

    def _asker(self, peer: "_Address | str", headers: Headers) -> "_Address | str":
        """
        The last address in C{X-Forwarded-For} that is no trusted proxy's: what is
        before it, anybody may have written.
        """
        asker = peer
        lines = headers.getRawHeaders(_FORWARDED_FOR) or []
        for entry in reversed(b",".join(lines).split(b",")):
            found = _written(entry.decode("latin-1").strip())
            if found is None:
                break
            asker = found
            if not self._trusts(found):
                break
        return asker


NO_PROXIES = TrustedProxies()


def _ends(transport: ITransport) -> "tuple[_Address | str, _Address | str | None]":
    """
    @return: Who is at the other end of the connection; and, behind C{haproxy:}, who
        that says it is.
    """
    layers = [transport]
    while (inner := getattr(layers[-1], "transport", None)) is not None:
        layers.append(inner)
    near = _addressOf(layers[-1])
    for layer in layers:
        if isinstance(layer, ProxiedConnection):
            return near, near if layer.source is None else _plain(layer.source)
    return near, None


def _addressOf(transport: ITransport) -> "_Address | str":
    peer = transport.getPeer()
    if isinstance(peer, transports.UNIXAddress):
        return UNIX
    if isinstance(peer, transports.IPv4Address | transports.IPv6Address):
        host = peer.host
        found = _written(host.decode("ascii") if isinstance(host, bytes) else host)
        if found is not None:
            return found
    return UNKNOWN


@lru_cache(maxsize=REMEMBERED)
def _written(text: str) -> _Address | None:
    """
    An address as it is written, maybe with a port or a zone.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return _plain(found)


def _plain(found: _Address) -> _Address:
    """
    An IPv4 address that a socket for both kinds of addresses shows as an IPv6 one.
    """
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _isLocal(peer: "_Address | str") -> bool:
    return peer == UNIX if isinstance(peer, str) else peer.is_loopback


@lru_cache(maxsize=REMEMBERED)
def _name(peer: "_Address | str") -> str:
    if isinstance(peer, IPv6Address) and not peer.is_loopback:
        return str(IPv6Network((peer, IPV6_BITS), strict=False))
    return str(peer)
