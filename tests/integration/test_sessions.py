"""
Sessions over several requests, daemons and processes.
"""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from openclaw.testing import ServedCall
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Caller
from tests.integration.program import Program

OPENCLAW = Path(sys.executable).with_name("openclaw")
TABLES = ("sessions", "messages", "claims")
FIRST_TURN = [("user", "one"), ("assistant", "Hello")]


class SessionTestCase(DaemonTestCase):
    """
    A provider that replies C{Hello}, unless the test replies.
    """

    def setUp(self) -> None:
        """
        Let the provider reply.
        """
        super().setUp()
        self.upstream.says("Hello")

    def hold(self) -> None:
        """
        Let the test reply from now on.
        """
        self.upstream.answer = lambda call: None

    async def tell(self, caller: Caller, words: str, user: str = "ann") -> str:
        """
        Complete one turn of a user's session.
        """
        return await (await caller.ask(words, user=user)).words()

    def rows(self) -> dict[str, int]:
        """
        Return the number of rows of each table.
        """
        with closing(sqlite3.connect(self.state / "sessions.sqlite")) as database:
            return {
                table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in TABLES
            }


class MemoryTests(SessionTestCase):
    """
    The model gets earlier turns.
    """

    async def test_byUser(self) -> None:
        """
        A user's session is continued, and is not another user's.
        """
        caller = self.caller(await self.startGateway())
        await self.tell(caller, "one")
        await self.tell(caller, "elsewhere", user="Ann")
        await self.tell(caller, "two")
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])

    async def test_bySessionKey(self) -> None:
        """
        A session is found by its bare name, and by the whole key in the response; both
        take precedence over the user.
        """
        caller = self.caller(await self.startGateway())
        name = {"x-openclaw-session-key": "notes"}
        first = await caller.ask("one", headers=name)
        await first.whole()
        key = first.header("x-openclaw-session-key")
        self.assertEqual(key, "agent:main:notes")
        again = await caller.ask(
            "two", user="ann", headers={"x-openclaw-session-key": key}
        )
        await again.whole()
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])

    async def test_resentHistory(self) -> None:
        """
        A client that sends the whole conversation each time does not duplicate it.
        """
        caller = self.caller(await self.startGateway())
        await self.tell(caller, "one")
        conversation = [
            {"role": role, "content": text}
            for role, text in [*FIRST_TURN, ("user", "two")]
        ]
        await (await caller.ask("", user="ann", messages=conversation)).whole()
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])

    async def test_afterARestart(self) -> None:
        """
        A restarted daemon continues the session.
        """
        daemon = await self.startDaemon()
        await self.tell(self.caller(daemon), "one")
        await daemon.stop()
        await self.tell(self.caller(await self.startDaemon()), "two")
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])

    async def test_afterAKill(self) -> None:
        """
        A daemon that is killed during a reply loses nothing acknowledged, nor the
        user's message; the next one can continue immediately.
        """
        daemon = await self.startDaemon()
        caller = self.caller(daemon)
        await self.tell(caller, "one")
        self.hold()
        asked = self.upstream.nextCall()
        connection = await caller.connect("two", user="ann", stream=True)
        call = await asked
        call.say("half of")
        await connection.until("half of")
        await daemon.stop("KILL")
        await connection.lost

        self.upstream.says("Here I am")
        words = await self.tell(self.caller(await self.startDaemon()), "three")
        self.assertEqual(words, "Here I am")
        self.assertEqual(
            self.upstream.heard(), [*FIRST_TURN, ("user", "two"), ("user", "three")]
        )


class StatelessTests(SessionTestCase):
    """
    Requests without a session.
    """

    async def test_leavesNothing(self) -> None:
        """
        Neither a reply, nor a failure, nor a disconnect writes to the database.
        """
        daemon = await self.startDaemon()
        caller = self.caller(daemon)
        await (await caller.ask("one")).whole()
        await (await caller.ask("one", stream=True)).whole()
        self.upstream.answer = lambda call: call.refuse(500)
        await (await caller.ask("one")).whole()
        self.hold()
        asked = self.upstream.nextCall()
        connection = await caller.connect("one")
        call = await asked
        connection.close()
        await call.gone
        await daemon.stop()
        self.assertEqual(self.rows(), dict.fromkeys(TABLES, 0))

    async def test_isAlone(self) -> None:
        """
        The model does not get the request before.
        """
        caller = self.caller(await self.startGateway())
        await (await caller.ask("one")).whole()
        await (await caller.ask("two")).whole()
        self.assertEqual(self.upstream.heard(), [("user", "two")])


class OrderTests(SessionTestCase):
    """
    Concurrent runs.
    """

    async def test_oneAfterTheOtherInASession(self) -> None:
        """
        Two requests of a session are served in order, the second with the first one's
        reply; meanwhile another session streams.
        """
        self.hold()
        caller = self.caller(await self.startDaemon())
        asked = self.upstream.nextCall()
        first = await caller.connect("one", user="ann", stream=True)
        call = await asked
        second = await caller.connect("two", user="ann", stream=True)

        asked = self.upstream.nextCall()
        other = await caller.connect("other", user="bob", stream=True)
        otherCall = await asked
        self.assertEqual(self.upstream.heard(), [("user", "other")])
        otherCall.say("words for bob")
        await other.until("words for bob")

        asked = self.upstream.nextCall()
        call.say("Hello")
        call.finish()
        await first.until("[DONE]")
        secondCall = await asked
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])
        for each in (secondCall, otherCall):
            each.say("and so on")
            each.finish()
        for connection in (second, other):
            await connection.until("[DONE]")
            connection.close()
        first.close()

    async def test_tooManyWait(self) -> None:
        """
        A request over the limit of waiting ones is rejected immediately.
        """
        self.hold()
        daemon = await self.startDaemon(
            config=self.configure({"session": {"maxWaiting": 0}})
        )
        caller = self.caller(daemon)
        asked = self.upstream.nextCall()
        running = await caller.connect("one", user="ann")
        call = await asked
        refused = await caller.ask("two", user="ann")
        self.assertEqual(refused.status, 429)
        self.assertEqual(await refused.code(), "session_busy")
        self.assertTrue(refused.header("retry-after"))
        running.close()
        await call.gone


class TerminalTests(SessionTestCase):
    """
    C{openclaw agent} beside a daemon, in the same session.
    """

    def terminal(self, words: str, config: Path | None = None) -> Program:
        """
        Complete a turn with the command.
        """
        return self.start(
            *(sys.executable, str(OPENCLAW), "agent", "--local", "--json"),
            *("--config", str(config or self.configure())),
            *("--session-key", "openai-user:ann", "--message", words),
        )

    async def heldByTerminal(self) -> tuple[Program, ServedCall]:
        """
        Start a turn with the command, which lasts until the test ends it.
        """
        self.hold()
        asked = self.upstream.nextCall()
        terminal = self.terminal("one")
        return terminal, await asked

    async def test_sharesTheConversation(self) -> None:
        """
        The command gets the daemon's messages, and the daemon the command's.
        """
        caller = self.caller(await self.startDaemon())
        await self.tell(caller, "one")
        terminal = self.terminal("two")
        await terminal.ended
        self.assertEqual(terminal.status, 0, terminal.text)
        document = json.loads(terminal.output)
        self.assertEqual(document["sessionKey"], "agent:main:openai-user:ann")
        self.assertEqual(document["result"]["payloads"][0]["text"], "Hello")
        await self.tell(caller, "three")
        self.assertEqual(
            self.upstream.heard(),
            [
                *FIRST_TURN,
                ("user", "two"),
                ("assistant", "Hello"),
                ("user", "three"),
            ],
        )

    async def test_daemonWaitsForTheTerminal(self) -> None:
        """
        A request during a turn of the command waits for it.
        """
        caller = self.caller(await self.startDaemon())
        terminal, call = await self.heldByTerminal()
        waiting = await caller.connect("two", user="ann", stream=True)
        # The daemon has the request by now, and would call the model if it did not
        # wait.
        await caller.get("/healthz")
        asked = self.upstream.nextCall()
        call.say("Hello")
        call.finish()
        await terminal.ended
        self.assertEqual(terminal.status, 0, terminal.text)
        self.assertIs(await asked, self.upstream.calls[1])
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])
        waiting.close()

    async def test_daemonDoesNotWaitForEver(self) -> None:
        """
        A request over its time limit is rejected, and succeeds afterwards.
        """
        daemon = await self.startDaemon(
            config=self.configure({"session": {"waitSeconds": 0}}, "hasty.json")
        )
        caller = self.caller(daemon)
        terminal, call = await self.heldByTerminal()
        refused = await caller.ask("too early", user="ann")
        self.assertEqual(refused.status, 429)
        self.assertEqual(await refused.code(), "session_busy")
        call.say("Hello")
        call.finish()
        await terminal.ended
        self.upstream.says("Hello")
        await self.tell(caller, "two")
        self.assertEqual(self.upstream.heard(), [*FIRST_TURN, ("user", "two")])

    async def test_terminalDoesNotBreakIn(self) -> None:
        """
        A turn of the command waits for the daemon's run.
        """
        caller = self.caller(await self.startDaemon())
        self.hold()
        asked = self.upstream.nextCall()
        running = await caller.connect("one", user="ann", stream=True)
        call = await asked
        hasty = self.configure({"session": {"waitSeconds": 0}}, "hasty.json")
        terminal = self.terminal("two", hasty)
        await terminal.ended
        self.assertEqual(terminal.status, 1)
        self.assertIn("using this session", terminal.text)
        self.assertEqual(len(self.upstream.calls), 1)
        running.close()
        await call.gone
