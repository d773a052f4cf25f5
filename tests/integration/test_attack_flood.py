"""
Clients that send too much, or disconnect after it.
"""

from collections.abc import Callable
from time import monotonic

from tests.integration.attacker import (
    ALIVE,
    KNOWN,
    AttackerTestCase,
    completion,
    resident,
)
from tests.integration.http_caller import Connection

LEAVING: tuple[Callable[[Connection], None], ...] = (
    Connection.close,
    Connection.reset,
    Connection.halfClose,
)


class FloodTests(AttackerTestCase):
    """
    Pipelined requests.
    """

    async def test_fair(self) -> None:
        """
        A client with thousands of pipelined requests gets the responses in order,
        without delaying others.
        """
        await self.begin()
        count = 3000
        connection = await self.connect(ALIVE * count)
        longest = 0.0
        for _ in range(20):
            began = monotonic()
            answer = await self.caller(self.daemon).get("/healthz")
            await answer.whole()
            longest = max(longest, monotonic() - began)
        self.assertLess(longest, 0.5)
        connection.transport.write(b"GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = await connection.until("/last")
        self.assertEqual(received.count('"live"'), count)
        connection.close()
        await self.assertUnharmed()

    async def test_behindAStream(self) -> None:
        """
        A client that floods during a stream is disconnected, and the provider's call is
        cancelled.
        """
        await self.begin()
        asked = self.upstream.nextCall()
        connection = await self.connect(completion(stream=True))
        call = await asked
        call.say("begin")
        await connection.until("begin")
        before = resident(self.daemon.pid)
        for _ in range(100):
            connection.transport.write(b"x" * 65_536)
        await call.gone
        await connection.lost
        self.assertLess(resident(self.daemon.pid) - before, 8)
        await self.assertUnharmed()

    async def test_hidden(self) -> None:
        """
        A disconnect after pipelined bytes is noticed, before the first output and after
        it, streaming or not.
        """
        await self.begin()
        for leave in LEAVING:
            for stream in (True, False):
                asked = self.upstream.nextCall()
                connection = await self.connect(completion(stream=stream))
                call = await asked
                connection.transport.write(b"x" * 40_000)
                if stream:
                    call.say("begin")
                    await connection.until("begin")
                leave(connection)
                await call.gone
        await self.assertUnharmed()


class LeavingTests(AttackerTestCase):
    """
    Connections that are closed at any point of a request.
    """

    async def test_everyPoint(self) -> None:
        """
        Wherever a request is cut off, nothing of it is left.
        """
        await self.begin()
        self.upstream.says("so")
        whole = completion(stream=True)
        points = [0, 1, 9, len(KNOWN) - 1, len(KNOWN), len(whole) - 20, len(whole) - 1]
        for leave in LEAVING:
            for point in (*points, len(whole)):
                connection = await self.connect(whole[:point])
                leave(connection)
                await connection.lost
            for sent in (
                ALIVE * 50,
                b"no HTTP\r\n",
                KNOWN + b"Content-Length: 99999999\r\n\r\nabc",
            ):
                connection = await self.connect(sent)
                leave(connection)
                await connection.lost
        await self.assertUnharmed()
