"""
Outbound proxies: the choice of one, and connections through it.

The environment is read as by curl, with L{urllib.request}; see
U{https://curl.se/docs/manpage.html#ENVIRONMENT}.
"""

import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

MAX_HEAD_BYTES = 16 * 1024
"""
Limit of a proxy's response to C{CONNECT}.
"""

_PORTS = {"http": 80, "https": 443}


class ProxyError(ConnectError):
    """
    The proxy did not connect.

    @ivar message: One sentence, without credentials and any text of the proxy.
    """

    def __init__(self, message: str) -> None:
        super().__init__(string=message)  # type: ignore[no-untyped-call]
        self.message = message


class InvalidProxy(ProxyError, ValueError):
    """
    The setting of a proxy is not valid.
    """


@dataclass(frozen=True, kw_only=True)
class OutboundProxy:
    """
    A proxy.

    @ivar scheme: C{http}, or C{https} if the connection to it is encrypted.
    @ivar authorization: The value of C{Proxy-Authorization}, or C{None}.
    """

    scheme: str
    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)


ProxyChooser = Callable[[str, str, int], OutboundProxy | None]
"""
Returns the proxy for a scheme, host and port, or C{None} for a direct connection.
"""


def parseProxy(text: str) -> OutboundProxy:
    """
    Parse the URL of a proxy; C{http://} may be missing.

    @raise ValueError: It is not valid.  The message does not contain it, since it may
        have a password.
    """
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in _PORTS:
        raise ValueError("not an http or https proxy")
    if not parts.hostname or port == 0 or text.split() != [text]:
        raise ValueError("not a URL")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a URL with a path")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + b64encode(pair.encode("utf-8", "replace"))
    return OutboundProxy(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        authorization=authorization,
    )


def proxyOfEnvironment(scheme: str, host: str, port: int) -> OutboundProxy | None:
    """
    Choose a proxy by C{HTTPS_PROXY}, C{HTTP_PROXY}, C{ALL_PROXY} and C{NO_PROXY}, in
    lower case, too.  Loopback addresses and C{localhost} are reached directly.

    @raise InvalidProxy: The variable is not valid.
    """
    proxies = urllib.request.getproxies_environment()
    url = proxies.get(scheme) or proxies.get("all")
    if not url or _isLoopback(host):
        return None
    isDirect = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]
    if isDirect(f"{host}:{port}", proxies):
        return None
    try:
        return parseProxy(url)
    except ValueError as error:
        name = f"{scheme}_proxy" if scheme in proxies else "all_proxy"
        raise InvalidProxy(f"{name} in the environment is {error}.") from None


def _isLoopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def formatAuthority(host: str, port: int) -> bytes:
    """
    Return C{host:port} as it is on the wire.
    """
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode("ascii")


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    Connects through a proxy with C{CONNECT}.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, proxy: OutboundProxy, address: bytes
    ) -> None:
        """
        @param endpoint: Connects to the proxy.
        @param address: The server's C{host:port}.
        """
        self._endpoint = endpoint
        lines = [b"CONNECT %b HTTP/1.1" % address, b"Host: %b" % address]
        if proxy.authorization is not None:
            lines.append(b"Proxy-Authorization: %b" % proxy.authorization)
        self._request = b"\r\n".join([*lines, b"", b""])

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[IProtocol]":
        """
        Connect, and fire with the protocol when the tunnel is open.
        """
        tunnels: list[_Tunnel] = []

        def cancel(_: object) -> None:
            connecting.cancel()
            for each in tunnels:
                each.abort(Failure(CancelledError()))

        done: Deferred[IProtocol] = Deferred(cancel)

        def failed(reason: Failure) -> None:
            if not done.called:
                done.errback(reason)

        def connected(tunnel: IProtocol) -> None:
            tunnels.append(cast(_Tunnel, tunnel))

        factory = _TunnelFactory(protocolFactory, self._request, done)
        connecting = self._endpoint.connect(cast(IProtocolFactory, factory))
        connecting.addCallbacks(connected, failed)
        return done


class _TunnelFactory(Factory):
    noisy = False

    def __init__(
        self,
        wrapped: IProtocolFactory,
        request: bytes,
        done: "Deferred[IProtocol]",
    ) -> None:
        self._wrapped = wrapped
        self._request = request
        self._done = done

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Tunnel(self._wrapped, self._request, self._done, addr)


class _Tunnel(Protocol):
    """
    Sends C{CONNECT}, reads the response, and then hands the transport over.
    """

    def __init__(
        self,
        wrapped: IProtocolFactory,
        request: bytes,
        done: "Deferred[IProtocol]",
        address: IAddress | None,
    ) -> None:
        self._wrapped = wrapped
        self._request = request
        self._done = done
        self._address = address
        self._head = bytearray()
        self._inner: IProtocol | None = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        if self._done.called:
            return
        self._head += data
        status = 100
        while status // 100 == 1:
            head, separator, rest = self._head.partition(b"\r\n\r\n")
            if not separator:
                if len(head) > MAX_HEAD_BYTES:
                    self.abort(Failure(ProxyError("The proxy sends too much.")))
                return
            status, self._head = _statusOf(head), rest
        if status // 100 == 2:
            self._handOver(bytes(rest))
        else:
            self.abort(Failure(ProxyError(_describe(status))))

    def _handOver(self, rest: bytes) -> None:
        inner = self._wrapped.buildProtocol(self._address)  # type: ignore[arg-type]
        if inner is None:
            self.abort(Failure(ProxyError("The connection is not wanted.")))
            return
        self._inner = inner
        # The transport stays: only what it delivers goes to another protocol.
        inner.makeConnection(cast(ITransport, self.transport))
        self._done.callback(inner)
        if rest:
            inner.dataReceived(rest)

    def abort(self, reason: Failure) -> None:
        """
        Close the connection before the tunnel is open.
        """
        if not self._done.called:
            self._done.errback(reason)
        if self._inner is None and self.transport is not None:
            cast(Any, self.transport).abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self._done.called:
            self._done.errback(ProxyError("The proxy closed the connection."))


def _statusOf(head: bytes | bytearray) -> int:
    parts = bytes(head.split(b"\r\n", 1)[0]).split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or len(parts[1]) != 3:
        return 0
    return int(parts[1]) if parts[1].isdigit() else 0


def _describe(status: int) -> str:
    if status in (401, 407):  # tinyproxy says 401 of a wrong password.
        return f"The proxy wants other credentials ({status})."
    if status == 0:
        return "The proxy's response is not HTTP."
    return f"The proxy refused the connection ({status})."
