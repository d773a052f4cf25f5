"""
Conversations that exceed the model's context window.
"""

import sqlite3
from contextlib import closing

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase

WINDOW = 2000
LONG = "This is a rather long remark about nothing in particular. " * 30
SUMMARY = "They talked about nothing in particular."


def isSummary(call: ServedCall) -> bool:
    """
    Return whether a model call is for a summary.
    """
    system = call.body["messages"][0]
    return system["role"] == "system" and system["content"].startswith("You summarise")


class LongConversationTests(DaemonTestCase):
    """
    A very long session.
    """

    def setUp(self) -> None:
        """
        Let the provider reply, also with summaries.
        """
        super().setUp()
        self.upstream.answer = self.answer

    def answer(self, call: ServedCall) -> None:
        """
        Reply to a model call.
        """
        call.say(SUMMARY if isSummary(call) else f"I see. {LONG}")
        call.finish(usage={"prompt_tokens": 7, "completion_tokens": 3})

    async def start(self, window: int | None) -> Daemon:
        """
        Start a daemon with a context window of this many tokens.
        """
        model = {"id": "words", "contextWindow": window}
        changes = {"models": {"providers": {"scripted": {"models": [model]}}}}
        return await self.startDaemon(
            config=self.configure(changes if window else None)
        )

    async def test_summarised(self) -> None:
        """
        No request exceeds the window, each begins with the summary once there is one,
        and the transcript has all messages.
        """
        daemon = await self.start(WINDOW)
        caller = self.caller(daemon)
        for number in range(12):
            said = await caller.ask(f"Number {number}. {LONG}", user="ann")
            self.assertTrue((await said.words()).startswith("I see."))
        asked = [call for call in self.upstream.calls if not isSummary(call)]
        self.assertEqual(len(asked), 12)
        self.assertLess(len(asked), len(self.upstream.calls))
        last = [message["content"] for message in asked[-1].body["messages"]]
        self.assertIn(SUMMARY, last[1])
        self.assertTrue(last[-1].startswith("Number 11."))
        for call in self.upstream.calls:
            text = "".join(message["content"] for message in call.body["messages"])
            self.assertLess(len(text) / 4, WINDOW)
        with closing(sqlite3.connect(self.state / "sessions.sqlite")) as database:
            count = database.execute("SELECT count(*) FROM messages").fetchone()
        self.assertEqual(count, (24,))

    async def test_afterARestart(self) -> None:
        """
        The summary survives a restart.
        """
        daemon = await self.start(WINDOW)
        caller = self.caller(daemon)
        for number in range(4):
            await (await caller.ask(f"Number {number}. {LONG}", user="ann")).words()
        await daemon.stop()
        self.upstream.calls.clear()
        caller = self.caller(await self.start(WINDOW * 100))
        await (await caller.ask("And?", user="ann")).words()
        (call,) = self.upstream.calls
        self.assertIn(SUMMARY, call.body["messages"][1]["content"])
        self.assertNotIn("Number 0.", str(call.body))

    async def test_unknownWindow(self) -> None:
        """
        If a provider rejects the conversation as too long it is called again with a
        summary; if that is too long, too, the client gets the error.
        """
        patience = [2]

        def refuse(call: ServedCall) -> None:
            if isSummary(call) or not patience[0]:
                self.answer(call)
                return
            patience[0] -= 1
            call.refuse(
                400,
                "This model's maximum context length is 2000 tokens. However, your"
                " messages resulted in 2401 tokens.",
                code="context_length_exceeded",
            )

        caller = self.caller(await self.start(None))
        for number in range(3):
            await (await caller.ask(f"Number {number}. {LONG}", user="ann")).words()
        self.upstream.answer = refuse
        tooLong = await caller.ask("And?", user="ann")
        self.assertEqual(tooLong.status, 400)
        self.assertEqual(await tooLong.code(), "context_length_exceeded")
        patience[0] = 1
        answered = await caller.ask("And?", user="ann", stream=True)
        self.assertEqual(answered.status, 200)
        self.assertTrue((await answered.words()).startswith("I see."))
