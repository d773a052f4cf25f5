"""
The agents' own tools in the real daemon.
"""

from tests.integration.agent import AgentTestCase, calls, says
from tests.integration.http_caller import frames, streamedWords


class OwnToolTests(AgentTestCase):
    """
    The agent's own tools: the client gets only the agent's text.
    """

    def playFiles(self) -> None:
        """
        Let the model write a file, read it, and reply.
        """
        self.plays(
            calls("write", "I note it.", path="notes/a.txt", content="milk\neggs\n"),
            calls("read", path="notes/a.txt"),
            says("You need milk and eggs."),
        )

    def assertFilesUsed(self) -> None:
        """
        Assert that the file was written, and that the model got its content.
        """
        written = self.workspace / "notes" / "a.txt"
        self.assertEqual(written.read_text(), "milk\neggs\n")
        self.assertEqual(len(self.upstream.calls), 3)
        names = {"read", "write", "edit", "ls", "grep", "exec"}
        self.assertLessEqual(names, self.offered(0))
        told = self.told()
        self.assertEqual([callID for callID, _ in told], ["call_write", "call_read"])
        self.assertFalse(told[0][1].startswith("Error"), told[0][1])
        self.assertIn("milk", told[1][1])
        self.assertIn("eggs", told[1][1])

    async def test_filesStreamed(self) -> None:
        """
        An agent writes and reads a file in a run; the stream has the texts of its
        turns, separated, and one terminal.
        """
        daemon = await self.startAgent()
        self.playFiles()
        answer = await self.caller(daemon).ask("Remember milk, eggs.", stream=True)
        text = await answer.whole()
        self.assertEqual(streamedWords(text), "I note it.\n\nYou need milk and eggs.")
        self.assertNotIn("tool_calls", text)
        reasons = [
            choice["finish_reason"]
            for frame in frames(text)
            if isinstance(frame, dict)
            for choice in frame["choices"]
            if choice["finish_reason"] is not None
        ]
        self.assertEqual(reasons, ["stop"])
        self.assertFilesUsed()

    async def test_filesWhole(self) -> None:
        """
        The same without a stream; the usage is that of all model calls.
        """
        daemon = await self.startAgent()
        self.playFiles()
        answer = await (await self.caller(daemon).ask("Remember milk, eggs.")).json()
        [choice] = answer["choices"]
        self.assertEqual(
            choice["message"]["content"], "I note it.\n\nYou need milk and eggs."
        )
        self.assertFalse(choice["message"].get("tool_calls"))
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(answer["usage"]["total_tokens"], 3 * 10)
        self.assertFilesUsed()

    async def test_calledAreLogged(self) -> None:
        """
        Each tool call has a log line, without the file's content.
        """
        daemon = await self.startAgent()
        self.playFiles()
        await (await self.caller(daemon).ask("Remember milk, eggs.")).whole()
        await daemon.line(r"tool write run=run_\w+ agent=main outcome=ok")
        await daemon.line(r"tool read run=run_\w+ agent=main outcome=ok")
        self.assertNotIn("milk", daemon.text)

    async def test_withoutAnEnd(self) -> None:
        """
        A model that only calls tools is stopped at the limit, with an error that says
        so, streamed or not.
        """
        caller = self.caller(await self.startAgent(maxModelCalls=3))
        self.upstream.answer = calls("ls")
        whole = await caller.ask("hi")
        self.assertEqual(whole.status, 502)
        error = (await whole.json())["error"]
        self.assertEqual(error["code"], "max_model_calls")
        self.assertIn("3 times", error["message"])
        self.assertEqual(len(self.upstream.calls), 3)

        streamed = await (await caller.ask("hi", stream=True)).whole()
        self.assertIn('"max_model_calls"', streamed)
        self.assertEqual(len(self.upstream.calls), 6)

    async def test_sameFailure(self) -> None:
        """
        A model that repeats a failing call is stopped long before the limit.
        """
        caller = self.caller(await self.startAgent())
        self.upstream.answer = calls("read", path="nothing.txt")
        answer = await caller.ask("hi")
        self.assertEqual(answer.status, 502)
        self.assertEqual(await answer.code(), "repeated_tool_call")
        self.assertEqual(len(self.upstream.calls), 3)

    async def test_sameLog(self) -> None:
        """
        A model may read a log repeatedly, even if its first line is an error: that is
        not a failure of the tool.
        """
        (self.workspace / "log.txt").write_text("Error: disk full\n")
        caller = self.caller(await self.startAgent())
        looks = [calls("exec", command="cat log.txt")] * 4
        self.plays(*looks, says("Still full."))
        answer = await caller.ask("Watch the disk.")
        self.assertEqual(answer.status, 200)
        self.assertTrue(self.told()[-1][1].startswith("Error: disk full\n"))
