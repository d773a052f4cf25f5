"""
The private names of Twisted that the daemon uses, under public names.

Private names may change in any release of Twisted, so no other module uses one.
L{TRIED_VERSIONS} lists the releases that pass the tests; the section on Twisted in
C{docs/release.md} says how to add one.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from twisted.internet import tcp, unix
from twisted.internet.endpoints import HostnameEndpoint
from twisted.web.http import HTTPChannel

TRIED_VERSIONS = ("26.10",)
"""
The releases of Twisted that pass the tests.
"""

_Port = TypeVar("_Port", bound=tcp.Port)


class ExtensibleHTTPChannel(HTTPChannel):
    """
    A server's HTTP connection that exposes its state to subclasses, with hooks for
    decisions that Twisted makes itself.
    """

    __slots__ = ()

    # State

    @property
    def isReceiving(self) -> bool:
        return bool(self._busyReceiving)

    @property
    def hasInput(self) -> bool:
        """
        Return whether received bytes are not parsed yet.
        """
        return bool(self._buffer)

    @property
    def isAnswering(self) -> bool:
        """
        Return whether the response to the latest request is not finished.
        """
        return bool(self._handlingRequest)

    @property
    def hasPipelinedInput(self) -> bool:
        """
        Return whether bytes are kept until that response is finished.
        """
        return bool(self._dataBuffer)

    def keepPipelined(self, data: bytes) -> None:
        """
        Keep bytes until the response is finished.  Unlike Twisted's own code, this
        never pauses the transport.
        """
        self._dataBuffer.append(data)

    def pauseReading(self) -> None:
        self._networkProducer.pauseProducing()

    def resumeReading(self) -> None:
        self._networkProducer.resumeProducing()

    @property
    def isWriteBlocked(self) -> bool:
        """
        Return whether the transport has asked for a pause.
        """
        return bool(self._waitingForTransport)

    @property
    def method(self) -> bytes:
        """
        The method of the request that is being received; empty before its first line
        was parsed.
        """
        method: bytes = getattr(self, "_command", b"")
        return method

    @property
    def target(self) -> bytes:
        """
        The target of that request.
        """
        target: bytes = self._path
        return target

    @target.setter
    def target(self, target: bytes) -> None:
        self._path = target

    @property
    def version(self) -> bytes:
        """
        The HTTP version of that request.
        """
        version: bytes = self._version
        return version

    @property
    def hasLargeHeaders(self) -> bool:
        """
        Return whether its headers exceed C{totalHeadersSize} or C{maxHeaders}.
        """
        return bool(
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        )

    # Hooks for subclasses

    def badRequest(self) -> None:
        """
        Respond to a malformed request.
        """
        super()._respondToBadRequestAndDisconnect()

    def bodyAnnounced(self, header: bytes, value: bytes, isFirst: bool) -> bool:
        """
        Check a header that delimits the body.

        @param header: C{Content-Length} or C{Transfer-Encoding}.
        @param isFirst: Whether it is the first such header of the request.
        @return: False if the request was refused.
        """
        return True

    def trailersReceived(self, trailers: Sequence[bytes]) -> bool:
        """
        Check the trailers of a chunked body.

        @return: False if the request was refused.
        """
        return True

    def lineLengthExceeded(self, line: bytes) -> None:
        self._receivedHeaderSize += len(line)
        self.badRequest()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.badRequest()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header in (b"Content-Length", b"Transfer-Encoding"):
            isFirst = self._transferDecoder is None
            if not self.bodyAnnounced(header, data, isFirst):
                return False
        chosen: bool = super()._maybeChooseTransferDecoder(header, data)
        return chosen

    def _finishRequestBody(self, data: bytes) -> None:
        trailers = getattr(self._transferDecoder, "_trailerHeaders", ())
        if self.trailersReceived(trailers):
            super()._finishRequestBody(data)


def hasUnsentBytes(transport: tcp.Connection) -> bool:
    """
    Return whether a transport has bytes that its socket did not accept.
    """
    return bool(transport.dataBuffer or transport._tempDataLen)


def abortResponse(transport: Any) -> None:
    """
    Close the connection of a response of Twisted's HTTP client.  Its transport only
    offers an orderly shutdown, which may never end.

    @param transport: The transport of the protocol that receives the body.
    """
    connection = transport._producer
    if connection is not None:
        connection.abortConnection()


class AdoptedUNIXPort(unix.Port):
    """
    A listening UNIX socket that is shared with other processes.  Its creator owns the
    file.
    """

    def startListening(self) -> None:
        """
        Accept connections, without changing the file's mode or the backlog.
        """
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        # Other processes still accept connections from it when this is closed.
        self._shouldShutdown = False
        opened: Any = self._preexistingSocket
        self.socket, self._preexistingSocket = opened, None
        self.fileno = opened.fileno  # type: ignore[method-assign]
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        """
        Close the socket in this process, and leave the file.
        """
        tcp.Port.connectionLost(self, reason)


def adoptPort(
    kind: type[_Port], reactor: Any, descriptor: int, *arguments: Any
) -> _Port:
    """
    Make a port of a socket that is listening already.  L{IReactorSocket.adoptStreamPort
    <twisted.internet.interfaces.IReactorSocket>} supports Twisted's own classes only.

    @param arguments: For TCP the address family and the factory, else the factory.
    """
    constructor: Any = kind._fromListeningDescriptor
    port: _Port = constructor(reactor, descriptor, *arguments)
    return port


class LenientHostnameEndpoint(HostnameEndpoint):
    """
    An endpoint that also looks up names which are not valid in the DNS, such as
    C{llm_server}: they are common in networks of containers.
    """

    @staticmethod
    def _hostAsBytesAndText(host: bytes | str) -> tuple[bool, bytes, str]:
        if isinstance(host, str) and _LENIENT_NAME.fullmatch(host):
            return False, host.encode("ascii"), host
        return HostnameEndpoint._hostAsBytesAndText(host)


_LENIENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}", re.ASCII)


def clientTLSOptions(host: str) -> Any:
    """
    Make options for TLS like L{optionsForClientTLS
    <twisted.internet.ssl.optionsForClientTLS>}, also for a name with C{_}.
    """
    # The TLS libraries take 10 MB.
    from twisted.internet.ssl import optionsForClientTLS

    if "_" not in host or not _LENIENT_NAME.fullmatch(host):
        return optionsForClientTLS(host)
    options: Any = optionsForClientTLS(host.replace("_", "-"))
    options._hostname = options._hostnameASCII = host
    options._hostnameBytes = host.encode("ascii")
    return options
