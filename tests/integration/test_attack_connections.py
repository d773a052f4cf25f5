"""
Many connections.
"""

from twisted.internet.defer import Deferred, gatherResults

from tests.integration.attacker import (
    ALIVE,
    KNOWN,
    AttackerTestCase,
    answersIn,
    completion,
    resident,
)
from tests.integration.http_caller import Connection
from tests.integration.processes import sockets

IDLE = 2000
BODY = 60_000


class CrowdTests(AttackerTestCase):
    """
    Limits of connections and bodies.
    """

    workers = 1
    """
    Several workers have rounded shares; these tests count exactly.
    """

    async def crowd(self, count: int, *sent: bytes) -> list[Connection]:
        """
        Open this many connections.
        """
        return await gatherResults(
            [Deferred.fromCoroutine(self.connect(*sent)) for _ in range(count)]
        )

    async def test_idle(self) -> None:
        """
        Thousands of idle connections take little memory, affect no other client, and
        leave nothing behind.
        """
        await self.begin()
        await self.assertUnharmed()
        before, open_ = resident(self.daemon.pid), sockets(self.daemon.pid)
        crowd = await self.crowd(IDLE)
        await self.assertUnharmed()
        self.assertLess(resident(self.daemon.pid) - before, IDLE * 0.02)
        for connection in crowd:
            connection.reset()
        await gatherResults([connection.lost for connection in crowd])
        await self.assertUnharmed()
        self.assertLessEqual(sockets(self.daemon.pid), open_ + 2)

    async def test_full(self) -> None:
        """
        At the limit, the connection that has been idle for longest is closed; if all
        are in use, the newest is rejected.
        """
        await self.begin(maxConnections=3)
        first, second = await self.connect(ALIVE), await self.connect(ALIVE)
        for connection in (first, second):
            await connection.until('"live"')
        asked = self.upstream.nextCall()
        running = await self.connect(completion(stream=True))
        call = await asked
        call.say("begin")
        third = await self.connect(ALIVE)
        await third.until('"live"')
        await first.lost
        self.assertFalse(second.lost.called)
        begun = []
        for _ in range(2):
            # Once it has its first response, half of the next request has arrived, too.
            begun.append(await self.connect(ALIVE + ALIVE[:-2]))
            await begun[-1].until('"live"')
        await second.lost
        await third.lost
        [answer] = await self.answersTo(ALIVE)
        self.assertRefused(answer, 503, "gateway_crowded")
        self.assertEqual(answer.headers["retry-after"], "1")
        call.say(" end")
        await running.until("end")
        for connection in (*begun, running):
            connection.reset()
        await call.gone
        await self.assertUnharmed()

    async def test_bodies(self) -> None:
        """
        Bodies are accepted up to the total limit; then large ones are rejected, and
        small ones accepted.
        """
        limits = {"maxBodyBytes": BODY, "bodyTimeoutSeconds": 30}
        await self.begin(
            maxBodyBytesInFlight=3 * BODY, endpoints={"chatCompletions": limits}
        )
        head = KNOWN + b"Content-Length: %d\r\n\r\n" % (BODY - 1000)
        # Declared bytes do not count.
        crowd = await self.crowd(13, head)
        await self.assertUnharmed()
        for connection in crowd[:2]:
            connection.transport.write(b" " * (BODY - 2000))
        chunked = KNOWN + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % BODY
        connection = await self.connect(chunked + b"x" * BODY)
        received = await connection.until('"code":')
        [answer] = answersIn(received)
        self.assertRefused(answer, 503, "gateway_crowded")
        self.assertEqual(answer.headers["retry-after-ms"], "1000")
        connection.close()
        await self.assertUnharmed()
        for connection in crowd:
            connection.reset()
        await gatherResults([connection.lost for connection in crowd])
        connection = await self.connect(head + b"x")
        await self.assertUnharmed()
        self.assertEqual(connection.received, "")
