"""
Batch the writes of one reactor event, and send them as soon as it is over.

Twisted's transports first ask the reactor whether a socket is writable, and send in the
reactor's next iteration.  Nearly always it is: asking costs two system calls and an
iteration.  A L{BatchingTransport} tries first, and leaves the rest to the real
transport.

Nothing is sent from within C{write}, so that the caller's state is consistent when the
bytes leave.
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

MAX_BATCHED_BYTES = 64 * 1024
"""
More than this is sent before the event is over.
"""


class WriteBatcher:
    """
    Batches the writes of a reactor's events.

    @ivar busy: Whether an event is being handled.
    @ivar waiting: The transports that have something to send when it is over.
    """

    def __init__(self) -> None:
        self.busy = False
        self.waiting: list[BatchingTransport] = []

    def wrapTransport(self, protocol: Protocol) -> None:
        """
        Replace a connected protocol's transport by one that batches.  Transports
        without a socket, such as those of TLS or of tests, stay as they are.
        """
        transport = protocol.transport
        if isinstance(transport, Connection):
            protocol.transport = BatchingTransport(self, transport)
            # An endpoint leaves its wrapper as the transport's protocol.
            transport.protocol = protocol

    def run(self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """
        Handle an event, and send what it wrote.
        """
        if self.busy:
            work(*args, **kwargs)
            return
        self.busy = True
        try:
            work(*args, **kwargs)
        finally:
            self.busy = False
            # If one fails, the others are sent after the next event.
            while self.waiting:
                self.waiting.pop().send()


@implementer(ITCPTransport)
class BatchingTransport:
    """
    A transport that batches the writes of an event, and otherwise delegates to the real
    one.
    """

    __slots__ = ("_batcher", "_pieces", "_real", "_size")

    def __init__(self, writes: WriteBatcher, real: Connection) -> None:
        self._batcher = writes
        self._real = real
        self._pieces: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, data: bytes) -> None:
        if not self._batcher.busy:
            self._real.write(data)
            return
        if not self._pieces:
            self._batcher.waiting.append(self)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_BATCHED_BYTES:
            self.send()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def send(self) -> None:
        if not self._pieces:
            return
        data, real = b"".join(self._pieces), self._real
        self._pieces.clear()
        self._size = 0
        # Bytes that the socket did not accept earlier have to go first.
        if real.connected and not hasUnsentBytes(real):
            sent = real.writeSomeData(data)
            # The reactor handles an error when it tries again.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            real.write(data)

    def loseConnection(self) -> None:
        self.send()
        self._real.loseConnection()

    def loseWriteConnection(self) -> None:
        self.send()
        self._real.loseWriteConnection()

    def abortConnection(self) -> None:
        self._pieces.clear()
        self._real.abortConnection()


_batcher: WeakKeyDictionary[Any, WriteBatcher] = WeakKeyDictionary()


def batcherFor(reactor: Any) -> WriteBatcher:
    """
    Return the batcher that all connections of a reactor share, since a read from one
    writes to others.
    """
    found = _batcher.get(reactor)
    if found is None:
        found = _batcher[reactor] = WriteBatcher()
    return found
