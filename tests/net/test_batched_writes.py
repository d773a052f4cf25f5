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
    A transport whose kernel is the test.

    @ivar sent: What the kernel took, an entry for each time it was asked.
    @ivar room: How many bytes it still takes; C{None} is any number.
    @ivar fault: What it says instead.
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
        """
        Send.
        """
        if self.fault is not None:
            return self.fault
        taken = bytes(data)[: self.room]
        self.sent.append(taken)
        if self.room is not None:
            self.room -= len(taken)
        return len(taken)


class Producer:
    """
    Knows whether its reader is slow.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        """
        The reader is slow.
        """
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """
        The reader has caught up.
        """
        self.calls.append("resume")

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self.calls.append("stop")


class WritesTests(SynchronousTestCase):
    """
    WriteBatcher that follow from a read are sent when the read is over.
    """

    def setUp(self) -> None:
        """
        Have a connection that was adopted.
        """
        self.reactor = MemoryReactorClock()
        self.batcher = batcherFor(self.reactor)
        self.socket, self.transport = self.adopted()

    def adopted(self) -> tuple[Socket, BatchingTransport]:
        """
        One more connection.
        """
        socket = Socket(self, self.reactor)
        protocol = Protocol()
        protocol.transport = socket
        self.batcher.wrapTransport(protocol)
        self.assertIs(socket.protocol, protocol)
        return socket, protocol.transport

    def turn(self) -> None:
        """
        Let the reactor have its turn, in which all sockets can be written to.
        """
        for writer in list(self.reactor.writers):
            why = writer.doWrite()
            if why is not None:
                writer.connectionLost(Failure(why))

    def test_interface(self) -> None:
        """
        It is what it says.
        """
        self.assertTrue(verifyObject(ITCPTransport, self.transport))

    def test_together(self) -> None:
        """
        It goes out in one piece, with no turn of the reactor, and not before.
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
        A read of one may be written to others.
        """
        socket, transport = self.adopted()
        self.batcher.run(lambda: (self.transport.write(b"a"), transport.write(b"b")))
        self.assertEqual((self.socket.sent, socket.sent), ([b"a"], [b"b"]))

    def test_withinRead(self) -> None:
        """
        A read may lead to another, which is a part of it.
        """

        def inner() -> None:
            self.batcher.run(self.transport.write, b"a")
            self.assertEqual(self.socket.sent, [])
            self.transport.write(b"b")

        self.batcher.run(inner)
        self.assertEqual(self.socket.sent, [b"ab"])

    def test_readFails(self) -> None:
        """
        WriteBatcher of a read that fails are sent all the same.
        """

        def read() -> None:
            self.transport.write(b"a")
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.batcher.run, read)
        self.assertEqual(self.socket.sent, [b"a"])

    def test_outsideReads(self) -> None:
        """
        All else goes the reactor's way.
        """
        self.transport.write(b"a")
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.turn()
        self.assertEqual(self.socket.sent, [b"a"])
        self.assertEqual(self.reactor.writers, set())

    def test_kernelIsFull(self) -> None:
        """
        Bytes that the kernel does not take go the reactor's way, and so do later ones,
        in their order.
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
        A producer that writes on and on is paused when the kernel is full, in the
        middle of the read, and resumed when it is not.
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
        Closing comes behind what was written.
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
        So does closing one half.
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
        WriteBatcher before an abort are lost.
        """

        def read() -> None:
            self.transport.write(b"a")
            self.transport.abortConnection()

        self.batcher.run(read)
        self.assertEqual(self.socket.sent, [])

    def test_lost(self) -> None:
        """
        That the connection is lost is for the reactor to find out.
        """
        self.socket.fault = CONNECTION_LOST
        self.batcher.run(self.transport.write, b"a")
        self.assertFalse(self.socket.disconnected)
        self.turn()
        self.assertTrue(self.socket.disconnected)
        self.assertEqual(self.reactor.writers, set())

    def test_oneFails(self) -> None:
        """
        A transport with a fault of its own keeps nobody from sending for long.
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
        Nothing is sent on a connection that is gone by then.
        """

        def read() -> None:
            self.transport.write(b"a")
            self.socket.connected = 0

        self.batcher.run(read)
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, set())

    def test_others(self) -> None:
        """
        A transport without a socket is left as it is.
        """
        protocol, transport = Protocol(), StringTransport()
        protocol.transport = transport
        self.batcher.wrapTransport(protocol)
        self.assertIs(protocol.transport, transport)

    def test_theRealOne(self) -> None:
        """
        Otherwise it is the real transport.
        """
        self.transport.startReading()
        self.assertEqual(self.reactor.readers, {self.socket})
        self.assertEqual(self.transport.fileno(), self.socket.fileno())


class SharedTests(SynchronousTestCase):
    """
    Each reactor has its own.
    """

    def test_same(self) -> None:
        """
        A second call for the same reactor returns the same.
        """
        one, two = MemoryReactorClock(), MemoryReactorClock()
        self.assertIs(batcherFor(one), batcherFor(one))
        self.assertIsNot(batcherFor(one), batcherFor(two))
        self.assertIsInstance(batcherFor(one), WriteBatcher)

    def test_forgotten(self) -> None:
        """
        It goes with its reactor.
        """
        reactor = MemoryReactorClock()
        kept = ref(batcherFor(reactor))
        del reactor
        collect()
        self.assertIsNone(kept())


__all__ = ["SharedTests", "WritesTests"]
