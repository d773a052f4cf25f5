"""
Tests of L{openclaw.writes}.
"""

from gc import collect
from weakref import ref

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from openclaw.writes import Writes, writesOf


class Socket(FileDescriptor):
    """
    A transport whose kernel is the test.

    @ivar sent: What the kernel took, an entry for each time it was asked.
    @ivar room: How many bytes it still takes; C{None} is any number.
    @ivar fault: What it says instead.
    """

    def __init__(self, reactor: MemoryReactorClock) -> None:
        super().__init__(reactor)
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
    What a read leads to is sent when the read is over.
    """

    def setUp(self) -> None:
        """
        Have a socket that was adopted.
        """
        self.reactor = MemoryReactorClock()
        self.writes = writesOf(self.reactor)
        self.socket = self.adopted()

    def adopted(self) -> Socket:
        """
        One more socket.
        """
        socket = Socket(self.reactor)
        self.writes.adopt(socket, Protocol())
        return socket

    def turn(self) -> None:
        """
        Let the reactor have its turn, in which all sockets can be written to.
        """
        for writer in list(self.reactor.writers):
            why = writer.doWrite()
            if why is not None:
                writer.connectionLost(why)

    def test_together(self) -> None:
        """
        It goes out in one piece, with no turn of the reactor, and not before.
        """

        def read(data: bytes) -> None:
            self.socket.write(data)
            self.socket.writeSequence([b"b", b"c"])
            self.assertEqual(self.socket.sent, [])

        self.writes.during(read, b"a")
        self.assertEqual(self.socket.sent, [b"abc"])
        self.assertEqual(self.reactor.writers, set())

    def test_several(self) -> None:
        """
        A read of one may be written to others.
        """
        other = self.adopted()
        self.writes.during(lambda: (self.socket.write(b"a"), other.write(b"b")))
        self.assertEqual((self.socket.sent, other.sent), ([b"a"], [b"b"]))

    def test_withinRead(self) -> None:
        """
        A read may lead to another, which is a part of it.
        """

        def inner() -> None:
            self.writes.during(self.socket.write, b"a")
            self.assertEqual(self.socket.sent, [])
            self.socket.write(b"b")

        self.writes.during(inner)
        self.assertEqual(self.socket.sent, [b"ab"])

    def test_readFails(self) -> None:
        """
        What a read that fails has written goes out all the same.
        """

        def read() -> None:
            self.socket.write(b"a")
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.writes.during, read)
        self.assertEqual(self.socket.sent, [b"a"])

    def test_outsideReads(self) -> None:
        """
        All else goes the reactor's way.
        """
        self.socket.write(b"a")
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.turn()
        self.assertEqual(self.socket.sent, [b"a"])
        self.assertEqual(self.reactor.writers, set())

    def test_kernelIsFull(self) -> None:
        """
        What is left goes the reactor's way, in its order.
        """
        self.socket.room = 2
        self.writes.during(self.socket.write, b"abc")
        self.assertEqual(self.socket.sent, [b"ab"])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.writes.during(self.socket.write, b"d")
        self.assertEqual(self.socket.sent, [b"ab"])
        self.socket.room = None
        self.turn()
        self.turn()
        self.assertEqual(b"".join(self.socket.sent), b"abcd")
        self.assertEqual(self.reactor.writers, set())
        self.writes.during(self.socket.write, b"e")
        self.assertEqual(self.socket.sent[-1], b"e")

    def test_backPressure(self) -> None:
        """
        A producer is paused when the kernel is full, and resumed when it is not.
        """
        producer = Producer()
        self.socket.registerProducer(producer, True)
        self.socket.room = 10
        self.writes.during(self.socket.write, b"x" * 2**17)
        self.assertEqual(producer.calls, ["pause"])
        self.socket.room = None
        self.turn()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_closedBehind(self) -> None:
        """
        Closing comes behind what was written.
        """

        def read() -> None:
            self.socket.write(b"a")
            self.socket.loseConnection()

        self.writes.during(read)
        self.assertEqual(self.socket.sent, [b"a"])
        self.assertFalse(self.socket.disconnected)
        self.turn()
        self.assertTrue(self.socket.disconnected)
        self.assertEqual(self.reactor.writers, set())

    def test_lost(self) -> None:
        """
        That the connection is lost is for the reactor to find out.
        """
        self.socket.fault = CONNECTION_LOST
        self.writes.during(self.socket.write, b"a")
        self.assertFalse(self.socket.disconnected)
        self.turn()
        self.assertTrue(self.socket.disconnected)
        self.assertEqual(self.reactor.writers, set())

    def test_brokenSocket(self) -> None:
        """
        So are the faults of a transport, which do the others no harm.
        """
        other = self.adopted()
        self.patch(self.socket, "writeSomeData", lambda data: 1 // 0)
        self.writes.during(lambda: (self.socket.write(b"a"), other.write(b"b")))
        self.assertEqual(other.sent, [b"b"])
        self.assertEqual(self.reactor.writers, {self.socket})
        self.assertRaises(ZeroDivisionError, self.turn)

    def test_lostBeforeItsTurn(self) -> None:
        """
        Nothing is sent on a connection that is gone by then.
        """

        def read() -> None:
            self.socket.write(b"a")
            self.socket.connectionLost(ConnectionDone())

        self.writes.during(read)
        self.assertEqual(self.socket.sent, [])
        self.assertEqual(self.reactor.writers, set())

    def test_lostByAnother(self) -> None:
        """
        Nor if it was the end of another that closed it.
        """
        other = self.adopted()
        producer = Producer()
        self.patch(
            producer, "resumeProducing", lambda: other.connectionLost(CONNECTION_DONE)
        )
        self.socket.registerProducer(producer, False)
        self.writes.during(lambda: (self.socket.write(b"a"), other.write(b"b")))
        self.assertEqual(other.sent, [])

    def test_written(self) -> None:
        """
        A producer who is told to go on while that is sent may write at once.
        """
        producer = Producer()
        self.socket.registerProducer(producer, True)
        self.patch(producer, "resumeProducing", lambda: self.socket.write(b"b"))
        self.writes.during(self.socket.write, b"a" * 2**17)
        self.turn()
        self.assertEqual(b"".join(self.socket.sent), b"a" * 2**17 + b"b")
        self.assertEqual(self.reactor.writers, set())

    def test_others(self) -> None:
        """
        What is no socket is left as it is.
        """
        transport = StringTransport()
        self.writes.adopt(transport, Protocol())
        self.writes.during(transport.write, b"a")
        self.assertEqual(transport.value(), b"a")

    def test_theReactor(self) -> None:
        """
        Otherwise it is the real reactor.
        """
        self.socket.startReading()
        self.assertEqual(self.reactor.readers, {self.socket})
        called: list[int] = []
        self.writes.callLater(1, called.append, 1)
        self.reactor.advance(1)
        self.assertEqual(called, [1])


class SharedTests(SynchronousTestCase):
    """
    Each reactor has its own.
    """

    def test_same(self) -> None:
        """
        Who asks again gets the same.
        """
        one, two = MemoryReactorClock(), MemoryReactorClock()
        self.assertIs(writesOf(one), writesOf(one))
        self.assertIsNot(writesOf(one), writesOf(two))
        self.assertIsInstance(writesOf(one), Writes)

    def test_forgotten(self) -> None:
        """
        It goes with its reactor.
        """
        reactor = MemoryReactorClock()
        kept = ref(writesOf(reactor))
        del reactor
        collect()
        self.assertIsNone(kept())


__all__ = ["SharedTests", "WritesTests"]
