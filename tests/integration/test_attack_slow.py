"""
Slow clients.
"""

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from tests.integration.attacker import (
    ALIVE,
    HOST,
    KNOWN,
    AttackerTestCase,
    answersIn,
    completion,
    resident,
)
from tests.integration.http_caller import Connection


class SlowTests(AttackerTestCase):
    """
    Deadlines that further bytes do not extend.
    """

    async def dribble(self, head: bytes, byte: bytes) -> Connection:
        """
        Send some bytes, and then a few from time to time, until the gateway closes the
        connection.
        """
        connection = await self.connect(head)
        dribbling = LoopingCall(connection.transport.write, byte)
        dribbling.clock = reactor
        self.addCleanup(lambda: dribbling.running and dribbling.stop())
        dribbling.start(0.1)
        await connection.until('"code":')
        dribbling.stop()
        return connection

    async def test_headers(self) -> None:
        """
        Slow headers are rejected, from the first line on; meanwhile others are served.
        """
        await self.begin()
        for head, byte in (
            (b"GET /hea", b"l"),
            (b"GET /healthz HTTP/1.1\r\n", b"a: b\r\n"),
            (ALIVE[:-2] + b"x: ", b"y"),
            (ALIVE + b"GET ", b"/"),
        ):
            connection = await self.dribble(head, byte)
            *before, last = answersIn(connection.received)
            self.assertEqual([each.status for each in before], [200] * len(before))
            self.assertRefused(last, 408, "request_timeout")
            connection.close()
        await self.assertUnharmed()

    async def test_bodies(self) -> None:
        """
        Slow bodies are rejected, of both kinds.
        """
        await self.begin()
        for kind, byte in (
            (b"Content-Length: 100\r\n", b" "),
            (b"Transfer-Encoding: chunked\r\n", b"1\r\n \r\n"),
        ):
            connection = await self.dribble(KNOWN + kind + b"\r\n", byte)
            [answer] = answersIn(connection.received)
            self.assertRefused(answer, 408, "request_timeout")
            connection.close()
        await self.assertUnharmed()

    async def test_patience(self) -> None:
        """
        The deadline only applies to the headers: a connection may be idle for longer,
        and a response may take longer.
        """
        await self.begin()
        idle, used = await self.connect(), await self.connect(ALIVE)
        await used.until('"live"')
        asked = self.upstream.nextCall()
        waiting = await self.connect(completion())
        call = await asked
        slow = await self.connect(b"GET ")
        await slow.lost
        for connection in (idle, used):
            connection.transport.write(ALIVE)
        await idle.until('"live"')
        call.say("so")
        call.finish()
        await waiting.until('"so"')
        self.assertEqual(used.received.count("200 OK"), 1 + 1)
        await self.assertUnharmed()


class ReaderTests(AttackerTestCase):
    """
    Clients that do not read.
    """

    async def test_stream(self) -> None:
        """
        If a large stream is not read, no more is read from the provider than fits into
        the network's buffers.
        """
        await self.begin()
        asked = self.upstream.nextCall()
        connection = await self.connect(completion(stream=True))
        call = await asked
        call.say("begin")
        await connection.until("begin")
        connection.transport.pauseProducing()
        before = resident(self.daemon.pid)
        word = "x" * 10_000
        for _ in range(4000):
            call.say(word)
        for _ in range(20):
            await self.caller(self.daemon).get("/healthz")
        self.assertLess(resident(self.daemon.pid) - before, 16)
        connection.reset()
        await call.gone
        await self.assertUnharmed()

    async def test_answers(self) -> None:
        """
        Responses do not accumulate for a client that sends requests without reading.
        """
        await self.begin()
        connection = await self.connect()
        connection.transport.pauseProducing()
        before = resident(self.daemon.pid)
        request = b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        for _ in range(200):
            connection.transport.write(request * 60)
        for _ in range(20):
            await self.caller(self.daemon).get("/healthz")
        self.assertLess(resident(self.daemon.pid) - before, 16)
        connection.reset()
        await self.assertUnharmed()
