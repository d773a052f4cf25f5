"""
A caller who goes away: the model stops at once, whatever the run was doing.
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
The ways in which callers disconnect.
"""


class GoneCallerTests(DaemonTestCase):
    """
    The provider sees that its own connection is closed.
    """

    async def test_beforeTheFirstWord(self) -> None:
        """
        A caller who leaves a stream before it began pays for no answer.
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
        A disconnect in the middle of a stream cancels it.
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
        A disconnect is noticed without a stream as well, though nothing is written.
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
        After a disconnect while waiting for a session the provider is never asked.
        """
        daemon = await self.startDaemon()
        caller = self.caller(daemon)
        for leave in WAYS:
            first = self.upstream.nextCall()
            running = await caller.connect("first", user="u", stream=True)
            call = await first
            waiting = await caller.connect("second", user="u", stream=True)
            # The daemon reads in the order of sending: it has the second by now.
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
