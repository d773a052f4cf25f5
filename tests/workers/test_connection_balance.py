"""
Tests of L{openclaw.workers.connection_balance}, and of ports that use it.
"""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from openclaw.workers.connection_balance import ConnectionBalance, createLoadFile
from openclaw.workers.shared_ports import AdoptingReactor, isShareable, sharedSockets


class BalanceTests(SynchronousTestCase):
    """
    Two workers and their daemon.
    """

    def setUp(self):
        """
        Give both no connections.
        """
        path = Path(self.mktemp())
        self.daemon = createLoadFile(path, 2)
        self.workers = [ConnectionBalance(path, number, 2) for number in (0, 1)]
        self.have(0, 0)

    def have(self, *counts):
        """
        Give them these numbers of connections, and let each check twice.
        """
        for worker, count in zip(self.workers, counts, strict=True):
            worker.connections = range(count)
            worker.shouldDefer()
        return [worker.shouldDefer() for worker in self.workers]

    def test_less(self):
        """
        A worker with more connections leaves the next one to a worker with fewer; with
        equal numbers, none does.
        """
        self.assertEqual(self.have(3, 2), [True, False])
        self.assertEqual(self.have(2, 3), [False, True])
        self.assertEqual(self.have(3, 3), [False, False])

    def test_absent(self):
        """
        No connection is left to a worker that is stopping or dead.
        """
        self.have(3, 0)
        self.workers[1].markClosed()
        self.assertFalse(self.workers[0].shouldDefer())
        self.have(3, 0)
        self.daemon.markClosed(1)
        self.assertFalse(self.workers[0].shouldDefer())

    def test_notYetThere(self):
        """
        No connection is left to a worker that has not started.
        """
        path = Path(self.mktemp())
        createLoadFile(path, 2)
        first = ConnectionBalance(path, 0, 2)
        first.connections = range(9)
        self.assertFalse(first.shouldDefer())


class Greeter(Protocol):
    """
    A protocol that sends the number of its worker.
    """

    def connectionMade(self):
        self.factory.connections.append(self)
        self.transport.write(self.factory.name)
        self.transport.loseConnection()


class Listener(Protocol):
    """
    The protocol of the client.
    """

    def __init__(self):
        self.heard = b""
        self.done = Deferred()

    def dataReceived(self, data):
        self.heard += data

    def connectionLost(self, reason):
        self.done.callback(self.heard)


class PortTests(TestCase):
    """
    One port, adopted twice.
    """

    async def adopt(self):
        """
        @return: The port's number, and the connections of each of two workers.
        """
        nobody = Factory.forProtocol(Protocol)
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await endpoint.listen(nobody)
        self.addCleanup(port.stopListening)
        port.stopReading()
        self.assertTrue(isShareable(port))
        path = Path(self.mktemp())
        createLoadFile(path, 2)
        taken = []
        for number in (0, 1):
            balance = ConnectionBalance(path, number, 2)
            [socket_] = sharedSockets([port], port.socket.fileno())
            factory = Factory.forProtocol(Greeter)
            factory.noisy = False
            factory.name = b"%d" % number
            factory.connections = balance.connections = []
            balance.shouldDefer()
            adopted = await TCP4ServerEndpoint(
                AdoptingReactor(reactor, [socket_], balance), 0
            ).listen(factory)
            self.assertEqual(adopted.getHost(), port.getHost())
            self.addCleanup(adopted.stopListening)
            taken.append(factory.connections)
        return port.getHost().port, taken

    async def connect(self, port):
        """
        Connect once.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        listener = await endpoint.connect(Factory.forProtocol(Listener))
        return await listener.done

    async def test_shares(self):
        """
        Each accepts half of the connections.
        """
        port, taken = await self.adopt()
        for _ in range(20):
            await self.connect(port)
        self.assertEqual([len(each) for each in taken], [10, 10])

    async def test_nobodyElseTakesIt(self):
        """
        A connection that the other worker does not accept is accepted after a moment.
        """
        port, taken = await self.adopt()
        taken[0] += [object()] * 5
        taken[1] += [object()] * 7
        self.assertIn(await self.connect(port), (b"0", b"1"))

    async def test_othersStay(self):
        """
        Closing the port in one worker leaves it open in the other.
        """
        port, taken = await self.adopt()
        [(adopted, _)] = [
            (each, None)
            for each in reactor.getReaders()
            if getattr(each, "factory", None) is not None
            and getattr(each.factory, "connections", None) is taken[0]
        ]
        await adopted.stopListening()
        taken[1] += [object()] * 3
        for _ in range(3):
            self.assertEqual(await self.connect(port), b"1")
