"""
Disconnects of clients in all phases: the model call is cancelled immediately.
"""

from collections.abc import Callable

from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Connection

WAYS: tuple[Callable[[Connection], None], ...] = (
    Connection.close,
    Connection.reset,
    Connection.halfClose,
)
"""
The ways in which clients disconnect.
"""


class GoneCallerTests(DaemonTestCase):
    """
    The connection to the provider is closed.
    """

    async def test_beforeTheFirstWord(self) -> None:
        """
        Before the first output of a stream.
        """
        caller = self.caller(await self.startDaemon())
        for leave in WAYS:
            asked = self.upstream.nextCall()
            connection = await caller.connect("hi", stream=True)
            call = await asked
            leave(connection)
            await call.gone

    async def test_inTheMiddleOfAStream(self) -> None:
        """
        During a stream.
        """
        caller = self.caller(await self.startDaemon())
        for leave in WAYS:
            asked = self.upstream.nextCall()
            connection = await caller.connect("hi", stream=True)
            call = await asked
            call.say("some", " words")
            await connection.until('" words"')
            leave(connection)
            await call.gone

    async def test_whileAWholeAnswerIsMade(self) -> None:
        """
        Without a stream, though nothing is written.
        """
        caller = self.caller(await self.startDaemon())
        for leave in WAYS:
            asked = self.upstream.nextCall()
            connection = await caller.connect("hi")
            call = await asked
            call.say("some", " words")
            leave(connection)
            await call.gone

    async def test_inTheQueueOfASession(self) -> None:
        """
        While waiting for a session: the provider is never called.
        """
        daemon = await self.startDaemon()
        caller = self.caller(daemon)
        for leave in WAYS:
            first = self.upstream.nextCall()
            running = await caller.connect("first", user="u", stream=True)
            call = await first
            waiting = await caller.connect("second", user="u", stream=True)
            # The daemon reads in the order of sending, so it has the second by now.
            await caller.get("/healthz")
            cancelled = daemon.nextLine("outcome=run_cancelled")
            leave(waiting)
            await cancelled
            call.say("done")
            call.finish()
            await running.until("[DONE]")
            running.close()

        self.upstream.says("so")
        await (await caller.ask("third", user="u")).whole()
        self.assertEqual(len(self.upstream.calls), len(WAYS) + 1)
        said = [text for role, text in self.upstream.heard() if role == "user"]
        self.assertEqual(said, ["first"] * len(WAYS) + ["third"])
