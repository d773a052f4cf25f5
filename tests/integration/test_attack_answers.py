"""
Models and workspaces that cause large amounts of data, and the daemon's limits.
"""

import os

from openclaw.messages import MOST_CALLS
from openclaw.models.answer_limits import MOST_CONTENT
from openclaw.testing import ServedCall
from tests.integration.agent import AgentTestCase, calls, says, wants

LEFT = ".openclaw-0123456789abcdef"


class LargeAnswerTests(AgentTestCase):
    """
    A model's text and tool calls are limited.
    """

    async def test_calls(self) -> None:
        """
        As many calls as the limit are run; if there are more, none is, and the client
        gets an error, streamed or not.
        """
        caller = self.caller(await self.startAgent())
        many = [("ls", {})] * MOST_CALLS
        self.plays(wants(*many), says("Done."))
        self.assertEqual((await caller.ask("hi")).status, 200)
        self.assertEqual(len(self.told()), MOST_CALLS)

        write = [("write", {"path": "a.txt", "content": "x"})] * (MOST_CALLS + 1)
        self.upstream.answer = wants(*write)
        answer = await caller.ask("hi")
        self.assertEqual(answer.status, 502)
        self.assertEqual(await answer.code(), "upstream_too_large")
        streamed = await (await caller.ask("hi", stream=True)).whole()
        self.assertEqual(streamed.count('"upstream_too_large"'), 1)
        self.assertEqual(os.listdir(self.workspace), [])

    async def test_endless(self) -> None:
        """
        An endless reply is aborted, its connection is closed, and a stream has one
        terminal.
        """
        caller = self.caller(await self.startAgent())

        def endless(call: ServedCall) -> None:
            for _ in range(MOST_CONTENT // 2**20 + 2):
                call.say("x" * 2**20)

        self.upstream.answer = endless
        answer = await caller.ask("hi")
        self.assertEqual(await answer.code(), "upstream_too_large")
        await self.upstream.left()
        streamed = await (await caller.ask("hi", stream=True)).whole()
        self.assertEqual(streamed.count('"upstream_too_large"'), 1)
        self.assertNotIn('"finish_reason":"', streamed)
        await self.upstream.left()

    async def test_edit(self) -> None:
        """
        An edit that would make a file very large is refused with the size.
        """
        caller = self.caller(await self.startAgent())
        path = self.workspace / "a.txt"
        path.write_text("x" * 2**20)
        edit = {"path": "a.txt", "oldText": "x", "newText": "y" * 300}
        self.plays(calls("edit", replaceAll=True, **edit), says("Well."))
        self.assertEqual((await caller.ask("hi")).status, 200)
        [(_, told)] = self.told()
        self.assertIn(str(300 * 2**20), told)
        self.assertEqual(path.stat().st_size, 2**20)
        self.assertEqual(os.listdir(self.workspace), ["a.txt"])


class LargeWorkspaceTests(AgentTestCase):
    """
    The content of a workspace is limited.
    """

    async def test_skills(self) -> None:
        """
        Skills with large front matter are left out of the prompt, which is logged.
        """
        for number, size in (("1", 100), ("2", 20_000)):
            folder = self.workspace / "skills" / f"skill{number}"
            folder.mkdir(parents=True)
            more = "".join(f"k{line}: [a, b]\n" for line in range(size // 12))
            text = f"---\ndescription: Skill {number}.\n{more}---\n"
            (folder / "SKILL.md").write_text(text)
        daemon = await self.startAgent()
        self.upstream.answer = says("Hi.")
        self.assertEqual((await self.caller(daemon).ask("hi")).status, 200)
        [message, *_] = self.upstream.calls[-1].body["messages"]
        system = message["content"]
        self.assertIn("Skill 1.", system)
        self.assertNotIn("Skill 2.", system)
        await daemon.line("1 skills are left out, 'skill2' among them")

    async def test_leftovers(self) -> None:
        """
        A daemon removes temporary files of a killed one.
        """
        (self.workspace / "sub").mkdir()
        (self.workspace / "sub" / f"{LEFT}.tmp").write_text("half")
        (self.workspace / f"{LEFT}.note").write_text(f"sub/{LEFT}.tmp")
        daemon = await self.startAgent()
        await daemon.line("1 temporary files removed from ")
        self.assertEqual(os.listdir(self.workspace), ["sub"])
        self.assertEqual(os.listdir(self.workspace / "sub"), [])


__all__ = ["LargeAnswerTests", "LargeWorkspaceTests"]
