"""
All that the daemon uses of Twisted and that is private there, under public names.

Private names may change in any release of Twisted, so no other module uses one.
L{TRIED_VERSIONS} names the releases that the tests have passed with; the section on
Twisted in C{docs/release.md} says how it grows.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from twisted.internet import tcp, unix
from twisted.web.http import HTTPChannel

TRIED_VERSIONS = ("26.10",)
"""
The releases of Twisted that all this was tried with.
"""

_Port = TypeVar("_Port", bound=tcp.Port)


class ExtensibleHTTPChannel(HTTPChannel):
    """
    A server's HTTP connection that shows its state to a subclass, and asks it what
    Twisted decides alone.
    """

    __slots__ = ()

    # Its state

    @property
    def isReceiving(self) -> bool:
        """
        Is a call of C{dataReceived} under way?
        """
        return bool(self._busyReceiving)

    @property
    def hasInput(self) -> bool:
        """
        Are there bytes that were received, but not understood yet?
        """
        return bool(self._buffer)

    @property
    def isAnswering(self) -> bool:
        """
        Does the latest request wait for the end of its answer?
        """
        return bool(self._handlingRequest)

    @property
    def hasInputAhead(self) -> bool:
        """
        Are there bytes that are kept until that answer is over?
        """
        return bool(self._dataBuffer)

    def keepAhead(self, data: bytes) -> None:
        """
        Keep some more of such bytes.  Unlike Twisted's own way, this never pauses the
        transport.
        """
        self._dataBuffer.append(data)

    def pauseReading(self) -> None:
        """
        Read no more from the transport, if it can pause.
        """
        self._networkProducer.pauseProducing()

    def resumeReading(self) -> None:
        """
        Read on.
        """
        self._networkProducer.resumeProducing()

    @property
    def isFull(self) -> bool:
        """
        Has the transport asked for a pause?
        """
        return bool(self._waitingForTransport)

    @property
    def method(self) -> bytes:
        """
        The method of the request that is being received; empty until its first line was
        understood.
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
        Are the headers of that request beyond C{totalHeadersSize} or C{maxHeaders}?
        """
        return bool(
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        )

    # What a subclass may decide

    def badRequest(self) -> None:
        """
        Answer a request that can't be understood.
        """
        super()._respondToBadRequestAndDisconnect()

    def bodyAnnounced(self, header: bytes, value: bytes, isFirst: bool) -> bool:
        """
        Decide on a header that says how the body is delimited.

        @param header: C{Content-Length} or C{Transfer-Encoding}.

        @param isFirst: It is the first such header of the request.

        @return: False if the request was refused.
        """
        return True

    def trailersReceived(self, trailers: Sequence[bytes]) -> bool:
        """
        Decide on the lines behind a chunked body.

        @return: False if the request was refused.
        """
        return True

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line does not end.
        """
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
    Decide whether a transport keeps bytes that its socket did not take.
    """
    return bool(transport.dataBuffer or transport._tempDataLen)


def abortResponse(transport: Any) -> None:
    """
    Close the connection on which a response of Twisted's HTTP client arrives.  Its
    transport can only say farewell, which may last for ever.

    @param transport: The transport of the protocol that the body is delivered to.
    """
    connection = transport._producer
    if connection is not None:
        connection.abortConnection()


class AdoptedUNIXPort(unix.Port):
    """
    A listening UNIX socket that other processes have, too: the file is left to those
    who made it.
    """

    def startListening(self) -> None:
        """
        Take connections; leave the file's mode and the backlog as they are.
        """
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        # Others still take connections from it when this is closed.
        self._shouldShutdown = False
        opened: Any = self._preexistingSocket
        self.socket, self._preexistingSocket = opened, None
        self.fileno = opened.fileno  # type: ignore[method-assign]
        self.startReading()

    def connectionLost(self, reason: Any) -> None:
        """
        Close it here, and leave the file.
        """
        tcp.Port.connectionLost(self, reason)


def adoptPort(
    kind: type[_Port], reactor: Any, descriptor: int, *arguments: Any
) -> _Port:
    """
    Make a port of a socket that listens already.  L{IReactorSocket.adoptStreamPort
    <twisted.internet.interfaces.IReactorSocket>} does that only for Twisted's own
    classes.

    @param arguments: For TCP the address family and the factory, else the factory.
    """
    constructor: Any = kind._fromListeningDescriptor
    port: _Port = constructor(reactor, descriptor, *arguments)
    return port
