"""
The PROXY protocol, versions 1 and 2, with which a proxy sends its client's address.

U{https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt}.  Twisted's own
C{haproxy:} endpoints wait for an unfinished header forever, refuse C{PROXY UNKNOWN}
without addresses, and raise on some malformed headers.
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
Default time-out for the header, in seconds.
"""

_V1, _V1_MAX_BYTES = b"PROXY ", 107
_V2, _V2_MIN_BYTES = b"\r\n\r\n\x00\r\nQUIT\n", 16
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
Address = IPv4Address | IPv6Address


class InvalidHeader(Exception):
    """
    The data is not a header of the PROXY protocol.
    """


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    A complete header.

    @ivar source: The client's address; C{None} if the proxy does not tell it, opened
        the connection for itself, or was not reached by TCP.
    @ivar size: The header's length in bytes.
    """

    source: Address | None
    size: int


def parseHeader(data: bytes) -> ProxyHeader | None:
    """
    Parse the header at the beginning of a connection.

    @return: C{None} if it is incomplete.
    @raise InvalidHeader: It is not valid.
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
        # The standard says to ignore the rest.
        return ProxyHeader(None, end + 2)
    if family not in (b"TCP4", b"TCP6") or len(fields) != 4:
        raise InvalidHeader
    source, _ = (_parseAddress(each, family) for each in fields[:2])
    if not all(each.isdigit() and int(each) < 65536 for each in fields[2:]):
        raise InvalidHeader
    return ProxyHeader(source, end + 2)


def _parseAddress(text: bytes, family: bytes) -> Address:
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

    @ivar source: See L{ProxyHeader}; C{None} before the header was received, too.
    """

    factory: "ProxyProtocolFactory"
    source: Address | None = None

    def __init__(self, factory: Any, wrappedProtocol: IProtocol) -> None:
        super().__init__(factory, wrappedProtocol)
        self._buffer: bytes | None = b""
        self._deadline: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        seconds = self.factory.headerSeconds()
        self._deadline = self.factory.callLater(seconds, self._timeOut)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        if self._buffer is None:
            self.wrappedProtocol.dataReceived(data)
            return
        self._buffer += data
        try:
            header = parseHeader(self._buffer)
        except InvalidHeader:
            self._refuse()
            return
        if header is not None:
            self._stopDeadline()
            self.source = header.source
            rest, self._buffer = self._buffer[header.size :], None
            if rest:
                self.wrappedProtocol.dataReceived(rest)

    def _timeOut(self) -> None:
        self._deadline = None
        self._refuse()

    def _refuse(self) -> None:
        """
        Close the connection without a response, which the proxy would not understand.
        """
        self._stopDeadline()
        self._buffer = b""
        self.transport.abortConnection()  # type: ignore[union-attr]

    def _stopDeadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stopDeadline()
        super().connectionLost(reason)


class ProxyProtocolFactory(WrappingFactory):
    """
    Builds connections that begin with a header.
    """

    protocol = ProxiedConnection

    def __init__(self, wrappedFactory: Any, reactor: Any) -> None:
        """
        @param wrappedFactory: A L{openclaw.server.site.GatewaySite}, or another
            factory, for which L{HEADER_SECONDS} is the time-out.
        """
        super().__init__(wrappedFactory)
        self.callLater = reactor.callLater

    def headerSeconds(self) -> float:
        """
        Return the time-out for a header, in seconds.
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
        return self.endpoint.listen(ProxyProtocolFactory(protocolFactory, self.reactor))
