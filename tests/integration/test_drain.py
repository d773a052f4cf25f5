"""
SIGTERM: runs in progress can end, and no new ones start.
"""

import fcntl
import os
import signal

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Caller, Connection, frames, streamedWords

DRAINING = "Draining: 1 runs may go on"


class DrainTestCase(DaemonTestCase):
    """
    A daemon that gets SIGTERM during a stream.
    """

    async def startStreaming(
        self, drainSeconds: float
    ) -> tuple[Daemon, Caller, Connection, ServedCall]:
        """
        Start a stream, and wait for its first text.
        """
        config = self.configure({"gateway": {"drainSeconds": drainSeconds}})
        daemon = await self.startDaemon(config=config)
        caller = self.caller(daemon)
        asked = self.upstream.nextCall()
        connection = await caller.connect("hi", stream=True, user="ann")
        call = await asked
        call.say("Hello")
        await connection.until("Hello")
        return daemon, caller, connection, call

    def assertShutDown(self, connection: Connection) -> None:
        """
        Assert that the stream ended with one error, which has the reason.
        """
        self.assertEqual(streamedWords(connection.received), "Hello")
        *_, error, end = frames(connection.received)
        self.assertEqual(error["error"]["code"], "server_shutting_down")
        self.assertEqual(end, "[DONE]")

    def assertEndedBySIGTERM(self, daemon: Daemon) -> None:
        """
        Assert that it ended normally: after the cleanup, twistd ends by the signal that
        it got, for its parent.
        """
        self.assertEqual((daemon.status, daemon.signal), (None, signal.SIGTERM))
        self.assertIn("Stopped", daemon.text)
        self.assertIn("Server Shut Down", daemon.text)


class DrainTests(DrainTestCase):
    """
    The first SIGTERM.
    """

    async def test_streamIsFinished(self) -> None:
        """
        A stream that ends within the time limit is complete.
        """
        daemon, _, connection, call = await self.startStreaming(30)
        daemon.send("TERM")
        await daemon.line(DRAINING)
        call.say(" to you")
        call.finish()
        await connection.until("[DONE]")
        await daemon.ended
        self.assertEqual(streamedWords(connection.received), "Hello to you")
        self.assertEndedBySIGTERM(daemon)

    async def test_nothingNewBegins(self) -> None:
        """
        Meanwhile new requests are rejected with a time for a retry, C{/readyz} fails,
        and C{/healthz} succeeds.
        """
        daemon, caller, connection, call = await self.startStreaming(30)
        self.assertEqual((await caller.get("/readyz")).status, 200)
        daemon.send("TERM")
        await daemon.line(DRAINING)
        for streaming in (False, True):
            refused = await caller.ask("me too", stream=streaming)
            self.assertEqual(refused.status, 503)
            self.assertEqual(await refused.code(), "server_shutting_down")
            self.assertTrue(int(refused.header("retry-after")) > 0)
        ready = await caller.get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertEqual(
            (await ready.json())["failing"], ["the gateway is shutting down"]
        )
        self.assertEqual((await caller.get("/healthz")).status, 200)
        call.finish()
        await connection.until("[DONE]")
        await daemon.ended
        self.assertEqual(len(self.upstream.calls), 1)

    async def test_budgetIsOver(self) -> None:
        """
        A stream that takes longer is ended with the reason; the model call is
        cancelled.
        """
        daemon, _, connection, call = await self.startStreaming(0.2)
        daemon.send("TERM")
        await call.gone
        await daemon.ended
        await connection.lost
        self.assertShutDown(connection)
        self.assertEndedBySIGTERM(daemon)

    async def test_idleConnectionsDoNotHold(self) -> None:
        """
        Idle connections do not delay the end.
        """
        self.upstream.says("so")
        daemon = await self.startDaemon()
        caller = self.caller(daemon)
        connection = await caller.connect("hi")
        await connection.until('"usage"')
        daemon.send("TERM")
        await daemon.ended
        await connection.lost
        self.assertEndedBySIGTERM(daemon)


class HurryTests(DrainTestCase):
    """
    The second signal.
    """

    async def test_endsAtOnce(self) -> None:
        """
        A second SIGTERM ends the daemon immediately; the stream still has the reason.
        """
        daemon, _, connection, call = await self.startStreaming(3600)
        daemon.send("TERM")
        await daemon.line(DRAINING)
        daemon.send("TERM")
        await call.gone
        await daemon.ended
        await connection.lost
        self.assertShutDown(connection)
        self.assertEndedBySIGTERM(daemon)

    async def test_controlC(self) -> None:
        """
        The same applies to SIGINT.
        """
        daemon, _, connection, call = await self.startStreaming(3600)
        daemon.send("INT")
        await daemon.line(DRAINING)
        daemon.send("INT")
        await call.gone
        await daemon.ended
        await connection.lost
        self.assertShutDown(connection)
        self.assertEqual(daemon.signal, signal.SIGINT)

    async def test_usersWordsAreKept(self) -> None:
        """
        The session has the user's message, and can be continued.
        """
        daemon, _, connection, _ = await self.startStreaming(0)
        daemon.send("TERM")
        await daemon.ended
        await connection.lost
        self.upstream.says("so")
        caller = self.caller(await self.startDaemon())
        await (await caller.ask("again", user="ann")).whole()
        self.assertEqual(self.upstream.heard(), [("user", "hi"), ("user", "again")])


class StartingTests(DrainTestCase):
    """
    SIGTERM during the start.
    """

    async def test_isNoFault(self) -> None:
        """
        A daemon that waits for its session store is not ready, and ends like any other.
        """
        self.state.mkdir()
        # Like another process that creates a store here.
        lock = os.open(self.state, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon = self.spawn()
        port = (await daemon.line(r"starting on (\d+)"))[1]
        ready = await self.caller(f"http://127.0.0.1:{port}").get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn("session store is not open yet", await ready.whole())
        daemon.send("TERM")
        await daemon.line(f"TCP Port {port} Closed")
        os.close(lock)
        await daemon.ended
        self.assertEndedBySIGTERM(daemon)
        self.assertNotIn("Ready at", daemon.text)
        for trouble in ("Traceback", "#error", "#critical"):
            self.assertNotIn(trouble, daemon.text)
