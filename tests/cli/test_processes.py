"""
Tests of C{openclaw agent} in separate processes.
"""

import json

from twisted.internet.defer import gatherResults

from openclaw.testing import ServedCall
from tests.cli.command_process import Command
from tests.cli.served_model import ServedTestCase


class CommandTestCase(ServedTestCase):
    """
    A test case with processes.
    """

    timeout = 60

    def start(self, *arguments: str, stdin: bytes | None = None) -> Command:
        """
        Start C{openclaw agent}.
        """
        command = Command.start(self.environ, "agent", *arguments, stdin=stdin)
        self.addCleanup(command.kill)
        return command

    def said(self, call: ServedCall) -> list[str]:
        """
        Return the messages of a model call.
        """
        return [each["content"] for each in call.body["messages"][1:]]


class TurnTests(CommandTestCase):
    """
    One turn.
    """

    async def test_streams(self) -> None:
        """
        The text reaches the terminal while the model generates.
        """
        asked = self.model.nextCall()
        command = self.start("--message", "Hello?")
        call = await asked
        self.assertEqual(self.said(call), ["Hello?"])
        call.say("Hel")
        await command.until("Hel")
        call.say("lo.")
        await command.until("Hello.")
        call.finish()
        self.assertEqual(await command.ended, 0)
        self.assertEqual(command.stdout, "Hello.\n")
        self.assertEqual(command.stderr, "")

    async def test_options(self) -> None:
        """
        The options work, and the message can be piped in, in any language.
        """
        self.answering("Schön.")
        command = self.start(
            *("-m", "-", "--agent", "ops", "--session-key", "x", "--json", "--local"),
            *("--config", str(self.configure().rename(self.state / "my.yaml"))),
            stdin="Wie geht's? 你好\n".encode(),
        )
        self.assertEqual(await command.ended, 0)
        document = json.loads(command.stdout)
        self.assertEqual(document["sessionKey"], "agent:ops:x")
        self.assertEqual(document["result"]["payloads"][0]["text"], "Schön.")
        (call,) = self.model.calls
        self.assertEqual(self.said(call), ["Wie geht's? 你好\n"])

    async def test_failure(self) -> None:
        """
        Without an answer the exit status is not 0, and one line has the reason.
        """
        self.model.answer = lambda call: call.refuse(401)
        command = self.start("--message", "Hello?")
        self.assertEqual(await command.ended, 1)
        self.assertEqual(command.stdout, "")
        self.assertRegex(command.stderr, r"\Aopenclaw: [^\n]+\n\Z")

    async def test_noMessage(self) -> None:
        """
        An empty message is rejected, and so are bytes that are not text.
        """
        commands = [
            self.start("--message", " "),
            self.start("--message", "-", stdin=b""),
            self.start("--message", "-", stdin=b"\xff"),
            self.start("--message", "\udcff"),
        ]
        statuses = await gatherResults([command.ended for command in commands])
        self.assertEqual(statuses, [1, 1, 1, 1])
        for command, words in zip(
            commands, ["empty", "empty", "not UTF-8", "not UTF-8"], strict=True
        ):
            self.assertRegex(command.stderr, r"\Aopenclaw: [^\n]+\n\Z")
            self.assertIn(words, command.stderr)
        self.assertEqual(self.model.calls, [])


class InterruptTests(CommandTestCase):
    """
    Ctrl-C.
    """

    async def check(self, command: Command, call: ServedCall, shown: str) -> None:
        """
        Interrupt a command, and assert that it stops the model and exits with the
        signal's status.
        """
        command.interrupt()
        await call.gone
        self.assertEqual(await command.ended, 130)
        self.assertEqual(command.stdout, shown)
        self.assertEqual(command.stderr, "openclaw: The run was cancelled.\n")

    async def test_whileSpeaking(self) -> None:
        """
        During the answer: the socket is closed, and the session can be used
        immediately.  It has the user's message.
        """
        asked = self.model.nextCall()
        command = self.start("--message", "Hello?")
        call = await asked
        call.say("Hel")
        await command.until("Hel")
        await self.check(command, call, "Hel")
        self.answering("Yes.")
        again = self.start("--message", "Still there?")
        self.assertEqual(await again.ended, 0)
        self.assertEqual(self.said(self.model.calls[1]), ["Hello?", "Still there?"])

    async def test_beforeTheFirstWord(self) -> None:
        """
        Before the first output.
        """
        asked = self.model.nextCall()
        command = self.start("--message", "Hello?", "--json")
        await self.check(command, await asked, "")


class SharingTests(CommandTestCase):
    """
    Processes that share a session.
    """

    async def test_atTheSameTime(self) -> None:
        """
        Concurrent runs are serialised, each gets the messages of the one before, and
        nothing is lost.
        """
        open_: list[int] = []

        def answer(call: ServedCall) -> None:
            open_.append(sum(not each.ended for each in self.model.calls))
            call.say(f"You said {self.said(call)[-1]}")
            call.finish()

        self.model.answer = answer
        names = ["a", "b", "c"]
        commands = [self.start("--message", name) for name in names]
        statuses = await gatherResults([command.ended for command in commands])
        self.assertEqual(statuses, [0, 0, 0], [each.stderr for each in commands])
        self.assertEqual(open_, [1, 1, 1])
        for command, name in zip(commands, names, strict=True):
            self.assertEqual(command.stdout, f"You said {name}\n")
        last = self.said(self.model.calls[2])
        self.assertEqual(sorted(last[::2]), names)
        self.assertEqual(last[1::2], [f"You said {name}" for name in last[::2][:2]])
        for index, call in enumerate(self.model.calls):
            self.assertEqual(self.said(call), last[: 2 * index + 1])

    async def test_wait(self) -> None:
        """
        A process waits for a session in use, without interrupting the other; after the
        time limit it fails with the reason.
        """
        self.configure("session: {waitSeconds: 0.3}\n")
        asked = self.model.nextCall()
        first = self.start("--message", "One.")
        call = await asked
        second = self.start("--message", "Two.")
        self.assertEqual(await second.ended, 1)
        self.assertIn("Another process is using this session", second.stderr)
        self.assertEqual(len(self.model.calls), 1)
        call.say("First.")
        call.finish()
        self.assertEqual(await first.ended, 0)
        self.answering("Third.")
        third = self.start("--message", "Three.")
        self.assertEqual(await third.ended, 0)
        said = self.said(self.model.calls[1])
        self.assertEqual(said, ["One.", "First.", "Three."])

    async def test_killed(self) -> None:
        """
        After a kill during a turn the session can be used immediately, and has the
        user's message.
        """
        asked = self.model.nextCall()
        first = self.start("--message", "One.")
        call = await asked
        call.say("Fir")
        await first.until("Fir")
        first.kill()
        self.assertIsNone(await first.ended)
        await call.gone
        self.answering("Second.")
        second = self.start("--message", "Two.")
        self.assertEqual(await second.ended, 0)
        self.assertEqual(self.said(self.model.calls[1]), ["One.", "Two."])

    async def test_otherSessions(self) -> None:
        """
        Other sessions are free meanwhile.
        """
        asked = self.model.nextCall()
        first = self.start("--message", "One.", "--session-key", "a")
        call = await asked
        asked = self.model.nextCall()
        second = self.start("--message", "Two.", "--session-key", "b")
        other = await asked
        other.say("Second.")
        other.finish()
        self.assertEqual(await second.ended, 0)
        call.say("First.")
        call.finish()
        self.assertEqual(await first.ended, 0)
        self.assertEqual(first.stdout, "First.\n")
