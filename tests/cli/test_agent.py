"""
Tests of L{openclaw.cli.agent}, within this process.
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
    A terminal that tells when something can be read there.
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
        The program wants to be read.
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
        """
        Have a terminal.
        """
        super().setUp()
        self.stdout, self.stderr = Screen(), StringIO()

    def terminal(self, message: str = "Hello.", environ=None, **more) -> TurnCommand:
        """
        A turn that was not taken yet.

        @param environ: More variables of the environment.
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
        Take a turn.
        """
        return Deferred.fromCoroutine(self.terminal(message, **more).run())

    async def transcript(self, key: str) -> list[Message]:
        """
        Return the kept transcript of a session.
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
        Assert that there is no answer, but one line that says why.
        """
        self.assertEqual(await running, 1)
        self.assertEqual(self.stdout.getvalue(), "")
        self.assertRegex(self.stderr.getvalue(), r"\Aopenclaw: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, self.stderr.getvalue())


class AnswerTests(TerminalTestCase):
    """
    The agent answers on the terminal.
    """

    async def test_streams(self) -> None:
        """
        Its words are shown as they come, with a line break at the end and nothing
        else.
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
        The model is asked what was said, with the agent's prompt.
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
        Turns follow each other in the agent's main session.
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
        A session can be named; a whole key names the agent too.
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
        The model's thoughts are not shown.
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
        Kept files are readable for their owner only.
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
    A program wants the answer as JSON.
    """

    async def test_document(self) -> None:
        """
        One document, in one line, in the shape of the original's.
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
    There is no answer.
    """

    async def test_model(self) -> None:
        """
        The model refuses: the error says so, and the user's words are kept.
        """
        self.model.answer = lambda call: call.refuse(500)
        await self.assertRefused(self.run_("Hello?"), "served")
        kept = await self.transcript("agent:main:main")
        self.assertEqual(kept, [UserMessage("Hello?")])

    async def test_cut(self) -> None:
        """
        The model's answer breaks off: what came is shown, and then the error.
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
        An unknown agent, a reserved session, and one of another agent are refused
        before anything is kept.
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
        A configuration with faults is refused with all of them.
        """
        self.configure("gateway: {port: many}\nsession: {waitSeconds: -1}\n")
        self.assertEqual(await self.run_(), 1)
        for key in ("gateway.port", "session.waitSeconds"):
            self.assertIn(key, self.stderr.getvalue())

    async def test_noConfiguration(self) -> None:
        """
        A configuration that isn't there is named.
        """
        missing = str(self.state / "missing.yaml")
        await self.assertRefused(
            self.run_(environ={"OPENCLAW_CONFIG_PATH": missing}), missing
        )

    async def test_noStateDirectory(self) -> None:
        """
        So is a state directory that can't be made.
        """
        self.environ["OPENCLAW_STATE_DIR"] = str(self.state / "openclaw.yaml" / "x")
        config = str(self.state / "openclaw.yaml")
        await self.assertRefused(
            self.run_(environ={"OPENCLAW_CONFIG_PATH": config}), "can't be created"
        )

    async def test_noStore(self) -> None:
        """
        So is a session store that can't be opened.
        """
        (self.state / "sessions.sqlite").mkdir()
        await self.assertRefused(self.run_(), "sessions.sqlite")
        self.assertEqual(self.model.calls, [])

    async def test_ownFault(self) -> None:
        """
        When something fails that never should, the terminal shows what.
        """
        self.environ = None
        self.assertEqual(await self.run_(), 1)
        self.assertIn("Traceback", self.stderr.getvalue())


class InterruptTests(TerminalTestCase):
    """
    The user has had enough.
    """

    async def test_whileSpeaking(self) -> None:
        """
        The model is stopped, and the half answer not kept.
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
        An interrupt before the run has begun is obeyed too: nothing is asked and
        nothing kept.
        """
        terminal = self.terminal("Hello?")
        running = Deferred.fromCoroutine(terminal.run())
        terminal.interrupt()
        self.assertEqual(await running, 1)
        self.assertEqual(self.model.calls, [])
        self.assertEqual(await self.transcript("agent:main:main"), [])

    async def test_afterTheEnd(self) -> None:
        """
        An interrupt that comes too late leaves the answer.
        """
        self.answering("Yes.")
        terminal = self.terminal()
        self.assertEqual(await terminal.run(), 0)
        terminal.interrupt()
        self.assertEqual(self.stdout.getvalue(), "Yes.\n")
