"""
Sends what is written during an event, as a read or what a thread has done, as soon as
that event is over.

Twisted's transports ask the reactor first whether a socket can take what was written
to it, and send in its next turn.  Nearly always it can: to ask costs two system calls,
a turn of the reactor, and the time until that.  A L{PromptTransport} tries first, and
leaves to the real one what the socket did not take.

What was written during one event goes out together.  Nothing is sent from within
C{write}: who writes is done with it when the bytes leave.
"""

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from zope.interface import implementer

from openclaw.net.twisted_internals import hasUnsentBytes

P = ParamSpec("P")

MOST_BYTES = 64 * 1024
"""
So much is gathered at most: then it is time to see whether the socket takes it.
"""


class Writes:
    """
    The events of a reactor, and what they lead to.

    @ivar busy: Is one under way?
    @ivar waiting: Those who have something to send when it is over.
    """

    def __init__(self) -> None:
        self.busy = False
        self.waiting: list[PromptTransport] = []

    def adopt(self, protocol: Protocol) -> None:
        """
        Give a protocol that is connected a transport that sends at once.  Whatever has
        no socket itself, as the transport of TLS or of a test, stays as it is.
        """
        transport = protocol.transport
        if isinstance(transport, Connection):
            protocol.transport = PromptTransport(self, transport)
            # An endpoint leaves a wrapper between the two.
            transport.protocol = protocol

    def during(
        self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """
        Do what an event leads to, and send what that wrote.
        """
        if self.busy:
            work(*args, **kwargs)
            return
        self.busy = True
        try:
            work(*args, **kwargs)
        finally:
            self.busy = False
            # Should one fail, the others have their turn behind the next event.
            while self.waiting:
                self.waiting.pop().send()


@implementer(ITCPTransport)
class PromptTransport:
    """
    A transport that gathers what is written during an event.  For all else it is the
    real one.
    """

    __slots__ = ("_pieces", "_real", "_size", "_writes")

    def __init__(self, writes: Writes, real: Connection) -> None:
        self._writes = writes
        self._real = real
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, data: bytes) -> None:
        """
        Write some bytes.
        """
        if not self._writes.busy:
            self._real.write(data)
            return
        if not self._pieces:
            self._writes.waiting.append(self)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MOST_BYTES:
            self.send()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        Write some bytes.
        """
        self.write(b"".join(data))

    def send(self) -> None:
        """
        Send what was gathered.
        """
        if not self._pieces:
            return
        data, real = b"".join(self._pieces), self._real
        self._pieces.clear()
        self._size = 0
        # Not before what the socket did not take the last time.
        if real.connected and not hasUnsentBytes(real):
            sent = real.writeSomeData(data)
            # How it failed is for the reactor to see when it tries again.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            real.write(data)

    def loseConnection(self) -> None:
        """
        Close, behind what was written.
        """
        self.send()
        self._real.loseConnection()

    def loseWriteConnection(self) -> None:
        """
        Close one half, behind what was written.
        """
        self.send()
        self._real.loseWriteConnection()

    def abortConnection(self) -> None:
        """
        Close now.
        """
        self._pieces.clear()
        self._real.abortConnection()


_writes: WeakKeyDictionary[Any, Writes] = WeakKeyDictionary()


def writesOf(reactor: Any) -> Writes:
    """
    The one that all connections of a reactor have in common: what is read from one is
    written to another.
    """
    found = _writes.get(reactor)
    if found is None:
        found = _writes[reactor] = Writes()
    return found
