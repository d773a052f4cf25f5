"""
Tests of L{openclaw.net.batched_writes}.
"""

from gc import collect
from socket import socketpair
from weakref import ref

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.net.batched_writes import (
    MAX_BATCHED_BYTES,
    BatchingTransport,
    WriteBatcher,
    batcherFor,
)


class Socket(Connection):
    """
    A transport with a simulated kernel buffer.

    @ivar sent: The bytes accepted by each call.
    @ivar room: The bytes that the buffer accepts; C{None} for any number.
    @ivar fault: An error to return instead.
    """

    def __init__(self, case: SynchronousTestCase, reactor: MemoryReactorClock) -> None:
        ours, theirs = socketpair()
        case.addCleanup(theirs.close)
        case.addCleanup(ours.close)
        super().__init__(ours, Protocol(), reactor)
        self.connected = 1
        self.sent: list[bytes] = []
        self.room: int | None = None
        self.fault: BaseException | None = None

    def writeSomeData(self, data: bytes) -> int | BaseException:
        if self.fault is not None:
            return self.fault
        taken = bytes(data)[: self.room]
        self.sent.append(taken)
        if self.room is not None:
            self.room -= len(taken)
        return len(taken)


class Producer:
    """
    A producer that records whether it is paused.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class WritesTests(SynchronousTestCase):
    """
    Writes within a read are sent when the read is over.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.batcher = batcherFor(self.reactor)
        self.socket, self.transport = self.adopted()

    def adopted(self) -> tuple[Socket, BatchingTransport]:
        """
        Make another connection with a batching transport.
        """
        socket = Socket(self, self.reactor)
        protocol = Protocol()
        protocol.transport = socket
        self.batcher.wrapTransport(protocol)
        self.assertIs(socket.protocol, protocol)
        return socket, protocol.transport

    def turn(self) -> None:
        """
        Run an iteration of the reactor in which all sockets are writable.
        """
        for writer in list(self.reactor.writers):
            why = writer.doWrite()
            if why is not None:
                writer.connectionLost(Failure(why))

    def test_interface(self) -> None:
        """
        It provides its interface.
        """
        self.assertTrue(verifyObject(ITCPTransport, self.transport))

    def test_together(self) -> None:
        """
        They are sent as one piece, without an iteration of the reactor, and not
        earlier.
        """

        def read(data: bytes) -> None:
            self.transport.write(data)
            self.transport.writeSequence([b"b", b"c"])
            self.assertEqual(self.socket.sent, [])

        self.batcher.run(read, b"a")
        self.assertEqual(self.socket.sent, [b"abc"])
        self.assertEqual(self.reactor.writers, set())

    def test_several(self) -> None:
        """
        A read from one connection may write to others.
        """
        socket, transport = self.adopted()
        self.batcher.run(lambda: (self.transport.write(b"a"), transport.write(b"b")))
        self.assertEqual((self.socket.sent, socket.sent), ([b"a"], [b"b"]))

    def test_withinRead(self) -> None:
        """
        A nested read is part of the outer one.
        """

        def inner() -> None:
            self.batcher.run(self.transport.write, b"a")
            self.assertEqual(self.socket.sent, [])
            self.transport.write(b"b")

        self.batcher.run(inner)
        self.assertEqual(self.socket.sent, [b"ab"])

    def test_readFails(self) -> None:
        """
        Writes of a read that raises are sent, too.
        """

        def read() -> None:
            self.transport.write(b"a")
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.batcher.run, read)
        self.assertEqual(self.socket.sent, [b"a"])

    def test_outsideReads(self) -> None:
        """
        Other writes are passed to the real transport.
        """
        self.transport.write(b"a")
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.turn()
        self.assertEqual(self.socket.sent, [b"a"])
        self.assertEqual(self.reactor.writers, set())

    def test_kernelIsFull(self) -> None:
        """
        Bytes that the kernel does not accept are passed to the real transport, and so
        are later ones, in order.
        """
        self.socket.room = 2
        self.batcher.run(self.transport.write, b"abc")
        self.assertEqual(self.socket.sent, [b"ab"])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.batcher.run(self.transport.write, b"d")
        self.assertEqual(self.socket.sent, [b"ab"])
        self.socket.room = None
        self.turn()
        self.assertEqual(b"".join(self.socket.sent), b"abcd")
        self.assertEqual(self.reactor.writers, set())
        self.batcher.run(self.transport.write, b"e")
        self.assertEqual(self.socket.sent[-1], b"e")

    def test_backPressure(self) -> None:
        """
        A producer is paused when the kernel's buffer is full, within the read, and
        resumed later.
        """
        producer = Producer()
        self.transport.registerProducer(producer, True)
        self.socket.room = 10

        def read() -> None:
            while not producer.calls:
                written.append(self.transport.write(b"x" * 1000))

        written: list[None] = []
        self.batcher.run(read)
        self.assertEqual(producer.calls, ["pause"])
        self.assertLess(len(written) * 1000, 3 * MAX_BATCHED_BYTES)
        self.socket.room = None
        self.turn()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(sum(map(len, self.socket.sent)), len(written) * 1000)

    def test_closedBehind(self) -> None:
        """
        Closing happens after what was written.
        """

        def read() -> None:
            self.transport.write(b"a")
            self.transport.loseConnection()

        self.batcher.run(read)
        self.assertEqual(self.socket.sent, [b"a"])
        self.turn()
        self.assertTrue(self.socket.disconnected)
        self.assertEqual(self.reactor.writers, set())

    def test_halfClosedBehind(self) -> None:
        """
        So does closing the write half.
        """
        self.socket.room = 1

        def read() -> None:
            self.transport.write(b"ab")
            self.transport.loseWriteConnection()

        self.batcher.run(read)
        self.socket.room = None
        self.turn()
        self.assertEqual(b"".join(self.socket.sent), b"ab")
        self.transport.write(b"c")
        self.assertEqual(self.reactor.writers, set())

    def test_aborted(self) -> None:
        """
        Writes before an abort are dropped.
        """

        def read() -> None:
            self.transport.write(b"a")
            self.transport.abortConnection()

        self.batcher.run(read)
        self.assertEqual(self.socket.sent, [])

    def test_lost(self) -> None:
        """
        The reactor detects a lost connection.
        """
        self.socket.fault = CONNECTION_LOST
        self.batcher.run(self.transport.write, b"a")
        self.assertFalse(self.socket.disconnected)
        self.turn()
        self.assertTrue(self.socket.disconnected)
        self.assertEqual(self.reactor.writers, set())

    def test_oneFails(self) -> None:
        """
        An error of one transport does not keep others from sending.
        """
        socket, transport = self.adopted()
        self.patch(socket, "writeSomeData", lambda data: 1 // 0)
        with self.assertRaises(ZeroDivisionError):
            self.batcher.run(
                lambda: (self.transport.write(b"a"), transport.write(b"b"))
            )
        self.batcher.run(lambda: None)
        self.assertEqual(self.socket.sent, [b"a"])

    def test_gone(self) -> None:
        """
        Nothing is sent on a closed connection.
        """

        def read() -> None:
            self.transport.write(b"a")
            self.socket.connected = 0

        self.batcher.run(read)
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, set())

    def test_others(self) -> None:
        """
        A transport without a socket is not wrapped.
        """
        protocol, transport = Protocol(), StringTransport()
        protocol.transport = transport
        self.batcher.wrapTransport(protocol)
        self.assertIs(protocol.transport, transport)

    def test_theRealOne(self) -> None:
        """
        Other attributes are those of the real transport.
        """
        self.transport.startReading()
        self.assertEqual(self.reactor.readers, {self.socket})
        self.assertEqual(self.transport.fileno(), self.socket.fileno())


class SharedTests(SynchronousTestCase):
    """
    Each reactor has a batcher of its own.
    """

    def test_same(self) -> None:
        """
        Repeated calls for a reactor return the same one.
        """
        one, two = MemoryReactorClock(), MemoryReactorClock()
        self.assertIs(batcherFor(one), batcherFor(one))
        self.assertIsNot(batcherFor(one), batcherFor(two))
        self.assertIsInstance(batcherFor(one), WriteBatcher)

    def test_forgotten(self) -> None:
        """
        It is freed with its reactor.
        """
        reactor = MemoryReactorClock()
        kept = ref(batcherFor(reactor))
        del reactor
        collect()
        self.assertIsNone(kept())


__all__ = ["SharedTests", "WritesTests"]
