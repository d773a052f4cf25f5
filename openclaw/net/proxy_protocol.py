"""
The PROXY protocol, versions 1 and 2: a proxy says for whom it opened a connection.

U{https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt}.  Twisted's own
C{haproxy:} endpoints wait for an unfinished header for ever, refuse
C{PROXY UNKNOWN} without addresses, and raise on some headers that make no sense.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

HEADER_SECONDS = 10.0
"""
Default limit for the arrival of a header, in seconds.
"""

_V1, _V1_MAX_BYTES = b"PROXY ", 107
_V2, _V2_MIN_BYTES = b"\r\n\r\n\x00\r\nQUIT\n", 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
Address = IPv4Address | IPv6Address


class InvalidHeader(Exception):
    """
    The bytes are no header of the PROXY protocol.
    """


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    A whole header.

    @ivar source: The client's address; C{None} if the proxy does not say, speaks for
        itself, or was not reached by TCP.
    @ivar size: The header's length in bytes.
    """

    source: Address | None
    size: int


def parseHeader(data: bytes) -> ProxyHeader | None:
    """
    Parse the beginning of a connection.

    @return: C{None} as long as more has to come.

    @raise InvalidHeader: It can't become a header.
    """
    if data[: len(_V2)] == _V2[: len(data)]:
        return _parseV2(data)
    if data[: len(_V1)] == _V1[: len(data)]:
        return _parseV1(data)
    raise InvalidHeader


def _parseV1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(data) >= _V1_MAX_BYTES:
            raise InvalidHeader
        return None
    family, *fields = data[len(_V1) : end].split(b" ")
    if family == b"UNKNOWN":
        # What follows is to be ignored.
        return ProxyHeader(None, end + 2)
    if family not in (b"TCP4", b"TCP6") or len(fields) != 4:
        raise InvalidHeader
    source, _ = (_address(each, family) for each in fields[:2])
    if not all(each.isdigit() and int(each) < 65536 for each in fields[2:]):
        raise InvalidHeader
    return ProxyHeader(source, end + 2)


def _address(text: bytes, family: bytes) -> Address:
    try:
        found = ip_address(text.decode("ascii"))
    except ValueError:
        raise InvalidHeader from None
    if found.version != int(family[-1:]):
        raise InvalidHeader
    return found


def _parseV2(data: bytes) -> ProxyHeader | None:
    if len(data) < _V2_MIN_BYTES:
        return None
    command, family = data[12], data[13]
    size = _V2_MIN_BYTES + int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise InvalidHeader
    if len(data) < size:
        return None
    addresses = data[_V2_MIN_BYTES:size]
    source: Address | None = None
    if command == _PROXY and family in (_TCP4, _TCP6):
        kind, length, least = (
            (IPv4Address, 4, 12) if family == _TCP4 else (IPv6Address, 16, 36)
        )
        if len(addresses) < least:
            raise InvalidHeader
        source = kind(addresses[:length])
    return ProxyHeader(source, size)


class ProxiedConnection(ProtocolWrapper):
    """
    A connection that begins with a header.

    @ivar source: See L{ProxyHeader}; C{None} until the header is there, too.
    """

    factory: "ProxyProtocolFactory"
    source: Address | None = None

    def __init__(self, factory: Any, wrappedProtocol: IProtocol) -> None:
        super().__init__(factory, wrappedProtocol)
        self._begun: bytes | None = b""
        self._deadline: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        """
        Give the header a deadline.
        """
        seconds = self.factory.headerSeconds()
        self._deadline = self.factory.callLater(seconds, self._late)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        if self._begun is None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._begun += data
        try:
            header = parseHeader(self._begun)
        except InvalidHeader:
            self._refuse()
            return
        if header is not None:
            self._stopDeadline()
            self.source = header.source
            rest, self._begun = self._begun[header.size :], None
            if rest:
                self.wrappedProtocol.dataReceived(rest)

    def _late(self) -> None:
        self._deadline = None
        self._refuse()

    def _refuse(self) -> None:
        """
        Close.  Whoever does not speak the protocol would not understand an answer.
        """
        self._stopDeadline()
        self._begun = b""
        self.transport.abortConnection()  # type: ignore[union-attr]

    def _stopDeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._stopDeadline()
        super().connectionLost(reason)


class ProxyProtocolFactory(WrappingFactory):
    """
    Makes connections that begin with a header.
    """

    protocol = ProxiedConnection

    def __init__(self, wrappedFactory: Any, reactor: Any) -> None:
        """
        @param wrappedFactory: A L{openclaw.server.site.GatewaySite}, or any other
            factory, for which L{HEADER_SECONDS} hold.
        """
        super().__init__(wrappedFactory)
        self.callLater = reactor.callLater

    def headerSeconds(self) -> float:
        """
        The longest that a header may take, in seconds.
        """
        settings: Callable[[], Any] | None
        settings = getattr(self.wrappedFactory, "settings", None)
        return HEADER_SECONDS if settings is None else settings().headerTimeoutSeconds


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class ProxyProtocolEndpoint:
    """
    An endpoint whose connections begin with a header.
    """

    endpoint: IStreamServerEndpoint
    reactor: Any

    def listen(self, protocolFactory: IProtocolFactory) -> Any:
        """
        Listen.
        """
        return self.endpoint.listen(ProxyProtocolFactory(protocolFactory, self.reactor))
