"""
Tests of L{openclaw.cli.agent} in this process.
"""

import json
from io import StringIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from openclaw.cli.agent import MAIN_SESSION, TurnCommand, TurnOptions
from openclaw.messages import AssistantMessage, Message, UserMessage
from openclaw.sessions.store.sqlite import SQLiteSessionStore
from tests.cli.served_model import ServedTestCase


class Screen(StringIO):
    """
    The output of a terminal, on which tests can wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._awaited: list[tuple[str, Deferred[None]]] = []

    def until(self, text: str) -> Deferred[None]:
        """
        Wait until the terminal shows exactly this.
        """
        awaited: Deferred[None] = Deferred()
        self._awaited.append((text, awaited))
        return awaited

    def flush(self) -> None:
        """
        Check whether the awaited text is complete.
        """
        for text, awaited in list(self._awaited):
            if self.getvalue() == text:
                self._awaited.remove((text, awaited))
                awaited.callback(None)


class TerminalTestCase(ServedTestCase):
    """
    A test case with the terminal of a turn.
    """

    def setUp(self) -> None:
        super().setUp()
        self.stdout, self.stderr = Screen(), StringIO()

    def terminal(self, message: str = "Hello.", environ=None, **more) -> TurnCommand:
        """
        Return a command that has not run yet.

        @param environ: Further variables of the environment.
        """
        return TurnCommand(
            TurnOptions(message=message, **more),
            environ={**self.environ, **environ} if environ else self.environ,
            reactor=reactor,
            stdout=self.stdout,
            stderr=self.stderr,
        )

    def run_(self, message: str = "Hello.", **more) -> Deferred[int]:
        """
        Run the command.
        """
        return Deferred.fromCoroutine(self.terminal(message, **more).run())

    async def transcript(self, key: str) -> list[Message]:
        """
        Return the stored transcript of a session.
        """
        store = SQLiteSessionStore(
            reactor=reactor,
            path=self.state / "sessions.sqlite",
            log=Logger(),
        )
        await store.open()
        kept = await store.transcript(key)
        await store.close()
        return list(kept)

    async def assertRefused(self, running: Deferred[int], *words: str) -> None:
        """
        Assert that there is no answer, only one line with the reason.
        """
        self.assertEqual(await running, 1)
        self.assertEqual(self.stdout.getvalue(), "")
        self.assertRegex(self.stderr.getvalue(), r"\Aopenclaw: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, self.stderr.getvalue())


class AnswerTests(TerminalTestCase):
    """
    The answer on the terminal.
    """

    async def test_streams(self) -> None:
        """
        The text is shown as it arrives, with a line break at the end.
        """
        asked = self.model.nextCall()
        running = self.run_()
        call = await asked
        for shown in ["Hel", "Hello", "Hello you."]:
            call.say(shown[len(self.stdout.getvalue()) :])
            await self.stdout.until(shown)
        call.finish()
        self.assertEqual(await running, 0)
        self.assertEqual(self.stdout.getvalue(), "Hello you.\n")
        self.assertEqual(self.stderr.getvalue(), "")

    async def test_asks(self) -> None:
        """
        The model gets the message and the agent's prompt.
        """
        self.answering("Yes.")
        await self.run_("Are you there?", agent="OPS")
        (call,) = self.model.calls
        self.assertEqual(call.body["model"], "m1")
        self.assertEqual(
            [(each["role"], each["content"]) for each in call.body["messages"]],
            [("system", "Be brief."), ("user", "Are you there?")],
        )

    async def test_conversation(self) -> None:
        """
        Turns are added to the agent's main session.
        """
        self.answering("I am here.")
        await self.run_("Are you there?")
        await self.run_("Still?")
        self.assertEqual(
            [each["content"] for each in self.model.calls[1].body["messages"][1:]],
            ["Are you there?", "I am here.", "Still?"],
        )
        answer = AssistantMessage("I am here.")
        self.assertEqual(
            await self.transcript(f"agent:main:{MAIN_SESSION}"),
            [UserMessage("Are you there?"), answer, UserMessage("Still?"), answer],
        )

    async def test_sessionKey(self) -> None:
        """
        A session can be named; a whole key also selects the agent.
        """
        self.answering("Yes.")
        await self.run_("One.", sessionKey="Mine")
        await self.run_("Two.", sessionKey="agent:ops:Mine")
        kept = await self.transcript("agent:main:Mine")
        self.assertEqual(kept, [UserMessage("One."), AssistantMessage("Yes.")])
        kept = await self.transcript("agent:ops:Mine")
        self.assertEqual(kept, [UserMessage("Two."), AssistantMessage("Yes.")])

    async def test_thoughts(self) -> None:
        """
        The model's reasoning is not shown.
        """
        asked = self.model.nextCall()
        running = self.run_()
        call = await asked
        call.delta(reasoning_content="hm")
        call.say("Yes.")
        call.finish()
        self.assertEqual(await running, 0)
        self.assertEqual(self.stdout.getvalue(), "Yes.\n")

    async def test_private(self) -> None:
        """
        Stored files are private.
        """
        self.answering("Yes.")
        self.environ["OPENCLAW_STATE_DIR"] = str(self.state / "new" / "state")
        await self.run_(
            environ={"OPENCLAW_CONFIG_PATH": str(self.state / "openclaw.yaml")}
        )
        directory = self.state / "new" / "state"
        self.assertEqual(directory.stat().st_mode & 0o777, 0o700)
        (store,) = directory.glob("*.sqlite")
        self.assertEqual(store.stat().st_mode & 0o777, 0o600)


class DocumentTests(TerminalTestCase):
    """
    The answer as JSON.
    """

    async def test_document(self) -> None:
        """
        There is one document, in one line, in the format of the original.
        """
        self.answering("Hello you.")
        self.assertEqual(await self.run_(json=True, agent="ops", sessionKey="x"), 0)
        self.assertEqual(self.stdout.getvalue().count("\n"), 1)
        document = json.loads(self.stdout.getvalue())
        run = document.pop("runId")
        self.assertTrue(run.startswith("run_"))
        meta = document["result"]["meta"]
        self.assertGreaterEqual(meta.pop("durationMs"), 0)
        self.assertEqual(
            document,
            {
                "sessionKey": "agent:ops:x",
                "agentId": "ops",
                "status": "ok",
                "summary": "completed",
                "result": {
                    "payloads": [{"text": "Hello you.", "mediaUrl": None}],
                    "meta": {
                        "finishReason": "stop",
                        "usage": {
                            "prompt_tokens": 5,
                            "completion_tokens": 2,
                            "cached_tokens": 0,
                            "reasoning_tokens": 0,
                            "estimated": False,
                        },
                    },
                },
            },
        )

    async def test_failure(self) -> None:
        """
        Without an answer there is no document.
        """
        self.model.answer = lambda call: call.refuse(401)
        await self.assertRefused(self.run_(json=True), "served")


class NoAnswerTests(TerminalTestCase):
    """
    Runs without an answer.
    """

    async def test_model(self) -> None:
        """
        The model rejects the request: the error says so, and the user's message is
        stored.
        """
        self.model.answer = lambda call: call.refuse(500)
        await self.assertRefused(self.run_("Hello?"), "served")
        kept = await self.transcript("agent:main:main")
        self.assertEqual(kept, [UserMessage("Hello?")])

    async def test_cut(self) -> None:
        """
        The model's answer is truncated: the received part is shown, and then the error.
        """
        asked = self.model.nextCall()
        running = self.run_()
        call = await asked
        call.say("Hel")
        await self.stdout.until("Hel")
        call.cut()
        self.assertEqual(await running, 1)
        self.assertEqual(self.stdout.getvalue(), "Hel")
        self.assertRegex(self.stderr.getvalue(), r"\Aopenclaw: [^\n]+\n\Z")

    async def test_wrongTarget(self) -> None:
        """
        An unknown agent, a reserved session, and one of another agent are rejected
        before anything is stored.
        """
        for request, word in (
            ({"agent": "ghost"}, "'main', 'ops'"),
            ({"sessionKey": "cron:x"}, "reserved"),
            ({"agent": "ops", "sessionKey": "agent:main:x"}, "'main'"),
        ):
            self.stderr = StringIO()
            await self.assertRefused(self.run_(**request), word)
        self.assertEqual(self.model.calls, [])
        self.assertEqual(list(self.state.glob("*.sqlite")), [])

    async def test_badConfiguration(self) -> None:
        """
        All errors of the configuration are shown.
        """
        self.configure("gateway: {port: many}\nsession: {waitSeconds: -1}\n")
        self.assertEqual(await self.run_(), 1)
        for key in ("gateway.port", "session.waitSeconds"):
            self.assertIn(key, self.stderr.getvalue())

    async def test_noConfiguration(self) -> None:
        """
        The error names the missing configuration.
        """
        missing = str(self.state / "missing.yaml")
        await self.assertRefused(
            self.run_(environ={"OPENCLAW_CONFIG_PATH": missing}), missing
        )

    async def test_noStateDirectory(self) -> None:
        """
        The error names a state directory that can't be created.
        """
        self.environ["OPENCLAW_STATE_DIR"] = str(self.state / "openclaw.yaml" / "x")
        config = str(self.state / "openclaw.yaml")
        await self.assertRefused(
            self.run_(environ={"OPENCLAW_CONFIG_PATH": config}), "can't be created"
        )

    async def test_noStore(self) -> None:
        """
        The error names a session store that can't be opened.
        """
        (self.state / "sessions.sqlite").mkdir()
        await self.assertRefused(self.run_(), "sessions.sqlite")
        self.assertEqual(self.model.calls, [])

    async def test_ownFault(self) -> None:
        """
        An unexpected exception is shown.
        """
        self.environ = None
        self.assertEqual(await self.run_(), 1)
        self.assertIn("Traceback", self.stderr.getvalue())


class InterruptTests(TerminalTestCase):
    """
    Interrupts of a run.
    """

    async def test_whileSpeaking(self) -> None:
        """
        The model is stopped, and the incomplete answer is not stored.
        """
        asked = self.model.nextCall()
        terminal = self.terminal("Hello?")
        running = Deferred.fromCoroutine(terminal.run())
        call = await asked
        call.say("Hel")
        await self.stdout.until("Hel")
        terminal.interrupt()
        await call.gone
        self.assertEqual(await running, 1)
        self.assertEqual(self.stderr.getvalue(), "openclaw: The run was cancelled.\n")
        kept = await self.transcript("agent:main:main")
        self.assertEqual(kept, [UserMessage("Hello?")])

    async def test_beforeTheRun(self) -> None:
        """
        An interrupt before the run has begun prevents the call, and nothing is stored.
        """
        terminal = self.terminal("Hello?")
        running = Deferred.fromCoroutine(terminal.run())
        terminal.interrupt()
        self.assertEqual(await running, 1)
        self.assertEqual(self.model.calls, [])
        self.assertEqual(await self.transcript("agent:main:main"), [])

    async def test_afterTheEnd(self) -> None:
        """
        An interrupt after the end has no effect.
        """
        self.answering("Yes.")
        terminal = self.terminal()
        self.assertEqual(await terminal.run(), 0)
        terminal.interrupt()
        self.assertEqual(self.stdout.getvalue(), "Yes.\n")
