"""
Sends what is written during a read as soon as that read is over.

Twisted's reactor asks the kernel first whether a socket can take what was written to
it, and sends in its next turn.  Nearly always it can: to ask costs two system calls, a
turn of the reactor, and the time until that.  Here the transports of a connection are
given a reactor that tries first, and asks only if something is left.

What was written to a transport during one read goes out together.  Nothing is sent
from within C{write}: who writes is done with it when the bytes leave.
"""

from collections.abc import Callable
from typing import Any, ParamSpec
from weakref import WeakKeyDictionary, proxy

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IWriteDescriptor
from twisted.internet.protocol import Protocol

P = ParamSpec("P")


class Writes:
    """
    A reactor as the transports see it: it takes its time with writers until a read is
    over.  All else is the real one's.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: The real one; an L{twisted.internet.interfaces.IReactorFDSet}
            if there are transports of its own.
        """
        # It is the key under which this is kept.
        self._reactor = proxy(reactor)
        self._reading = False
        self._waiting: dict[IWriteDescriptor, None] = {}
        self._polled: set[IWriteDescriptor] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def adopt(self, transport: object, protocol: Protocol) -> None:
        """
        See to what is written to a transport from now on.  One that has no socket
        itself, as that of TLS or of a test, stays as it is.

        @param protocol: What reads from it, without anything between the two: an
            endpoint leaves its wrapper there.
        """
        if isinstance(transport, FileDescriptor):
            transport.reactor = self  # type: ignore[assignment]
            transport.protocol = protocol  # type: ignore[attr-defined]

    def during(
        self, read: Callable[P, object], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """
        Do what a read leads to, and send what it wrote.
        """
        if self._reading:
            read(*args, **kwargs)
            return
        self._reading = True
        try:
            read(*args, **kwargs)
        finally:
            self._reading = False
            if self._waiting:
                self._send()

    def _send(self) -> None:
        for writer in tuple(self._waiting):
            if writer not in self._waiting:
                continue  # Closed by what another one led to.
            try:
                failed = writer.doWrite() is not None
            except Exception:
                failed = True
            left = self._waiting.pop(writer, self) is None
            if left or failed:
                # How it fails is the reactor's to see.
                self._poll(writer)

    def _poll(self, writer: IWriteDescriptor) -> None:
        self._polled.add(writer)
        self._reactor.addWriter(writer)

    # What a transport asks of its reactor

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """
        There is something to write.
        """
        if writer in self._polled:
            return
        if self._reading:
            self._waiting[writer] = None
        else:
            self._poll(writer)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """
        There is nothing to write any more.
        """
        if writer in self._polled:
            self._polled.discard(writer)
            self._reactor.removeWriter(writer)
        else:
            self._waiting.pop(writer, None)


_writes: WeakKeyDictionary[Any, Writes] = WeakKeyDictionary()


def writesOf(reactor: Any) -> Writes:
    """
    The one that all connections of a reactor have in common: what is read from one is
    written to another.
    """
    found = _writes.get(reactor)
    if found is None:
        found = _writes[reactor] = Writes(reactor)
    return found


__all__ = ["Writes", "writesOf"]
