"""
Tests of L{openclaw.agents.prompt}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.prompt import buildSystemPrompt
from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings
from openclaw.interfaces import ToolSpec
from tests.agents.run_harness import AGENT

NOW = 1709251199.0
"""
The last second of 2024-02-29, a Thursday, in UTC.
"""

READ = ToolSpec("read", "Read a file.\nLong ones in pieces.", {"type": "object"})
GREET = ToolSpec("greet", "\n  Greet somebody. \n\nBe kind.\n", {"type": "object"})


def agent(systemPrompt: str | None = None, name: str = "Main") -> AgentSettings:
    """
    Return an agent with this prompt.
    """
    return AgentSettings(
        id="main",
        name=name,
        model=AGENT.model,
        systemPrompt=systemPrompt,
        workspace=None,
        timeoutSeconds=1.0,
    )


class SystemPromptTests(SynchronousTestCase):
    """
    The system prompt without tools and workspace.
    """

    def test_configured(self) -> None:
        """
        It is the configured text, without surrounding blanks of a YAML block.
        """
        self.assertEqual(buildSystemPrompt(agent("Be kind.\n")), "Be kind.")

    def test_unconfigured(self) -> None:
        """
        By default it contains the agent's name.
        """
        told = buildSystemPrompt(agent(name="Ada"))
        self.assertEqual(told, "You are Ada, a helpful assistant.")
        self.assertIn("main", buildSystemPrompt(agent(name="")))

    def test_switchedOff(self) -> None:
        """
        An empty prompt is used as it is.
        """
        self.assertEqual(buildSystemPrompt(agent("")), "")
        self.assertEqual(buildSystemPrompt(agent(" \n")), "")

    def test_instructions(self) -> None:
        """
        The request's instructions follow.
        """
        told = buildSystemPrompt(agent("Be kind."), instructions="Be brief.")
        self.assertEqual(told, "Be kind.\n\nBe brief.")
        self.assertEqual(
            buildSystemPrompt(agent(""), instructions="Be brief."), "Be brief."
        )

    def test_channel(self) -> None:
        """
        The channel is between them.
        """
        self.assertEqual(
            buildSystemPrompt(
                agent("Be kind."), instructions="Be brief.", channel="slack"
            ),
            "Be kind.\n\nYou are talking through the channel slack.\n\nBe brief.",
        )


class ToolTests(SynchronousTestCase):
    """
    The system prompt of an agent with tools.
    """

    def told(self, *tools: ToolSpec, **more: object) -> str:
        """
        Return the prompt of an agent with these tools.
        """
        return buildSystemPrompt(agent("Be kind."), tools=tools, now=NOW, **more)

    def test_lines(self) -> None:
        """
        The date comes first, and then one line for each tool, in order.
        """
        self.assertEqual(
            self.told(READ, GREET),
            "Be kind.\n\n"
            "Today is Thursday, 2024-02-29.\n\n"
            "Your tools:\n- read: Read a file.\n- greet: Greet somebody.",
        )

    def test_instructions(self) -> None:
        """
        The request's instructions come last.
        """
        told = self.told(READ, instructions="Be brief.", channel="slack")
        self.assertTrue(told.endswith("\n\nBe brief."))
        self.assertLess(told.index("slack"), told.index("Today"))

    def test_noTools(self) -> None:
        """
        Without tools there is no date, so that the prompt can be cached for days.
        """
        self.assertEqual(self.told(), "Be kind.")

    def test_noClock(self) -> None:
        """
        Without a time there is no date.
        """
        told = buildSystemPrompt(agent("Be kind."), tools=[READ])
        self.assertEqual(told, "Be kind.\n\nYour tools:\n- read: Read a file.")

    def test_switchedOff(self) -> None:
        """
        An agent with an empty prompt still gets the tools.
        """
        told = buildSystemPrompt(agent(""), tools=[READ])
        self.assertEqual(told, "Your tools:\n- read: Read a file.")


class WorkspaceTests(SynchronousTestCase):
    """
    The system prompt of an agent with a workspace.
    """

    def setUp(self) -> None:
        """
        Create an empty workspace.
        """
        self.path = Path(self.mktemp())
        self.path.mkdir()

    def told(self, *tools: ToolSpec, **more: object) -> str:
        """
        Return the prompt of an agent with this workspace.
        """
        workspace = Workspace(self.path)
        workspace.refresh()
        return buildSystemPrompt(
            agent("Be kind."), tools=tools, workspace=workspace, **more
        )

    def writeSkill(self) -> None:
        """
        Write a skill.
        """
        folder = self.path / "skills" / "pdf"
        folder.mkdir(parents=True)
        (folder / "SKILL.md").write_text("---\nname: pdf\ndescription: Read PDFs.\n---")

    def test_files(self) -> None:
        """
        The files follow with their names, before the request's instructions.
        """
        (self.path / "USER.md").write_text("Ada likes tea.\n")
        (self.path / "AGENTS.md").write_text("Ask first.\n")
        self.assertEqual(
            self.told(instructions="Be brief."),
            "Be kind.\n\n# AGENTS.md\n\nAsk first.\n\n"
            "# USER.md\n\nAda likes tea.\n\nBe brief.",
        )

    def test_changed(self) -> None:
        """
        A changed file is in the prompt from the next run on.
        """
        self.assertEqual(self.told(), "Be kind.")
        (self.path / "SOUL.md").write_text("Sing.")
        self.assertIn("Sing.", self.told())

    def test_skills(self) -> None:
        """
        Skills are listed in a line each, with their paths.
        """
        self.writeSkill()
        self.assertEqual(
            self.told(READ),
            "Be kind.\n\nYour tools:\n- read: Read a file.\n\n"
            f"Your workspace is the directory {self.path}.\n\n"
            "Skills, to be read before use:\n"
            "- pdf: Read PDFs. (skills/pdf/SKILL.md)",
        )

    def test_skillsUnread(self) -> None:
        """
        An agent that can't read files gets neither skills nor paths.
        """
        self.writeSkill()
        for tools in ((), (GREET,)):
            told = self.told(*tools)
            self.assertNotIn("pdf", told)
            self.assertNotIn(str(self.path), told)


class LengthTests(SynchronousTestCase):
    """
    Small models need short prompts.
    """

    def test_short(self) -> None:
        """
        Without tools and files an agent's prompt is far below 1,000 characters.
        """
        path = Path(self.mktemp())
        path.mkdir()
        for workspace in (None, Workspace(path), Workspace(path / "gone")):
            if workspace is not None:
                workspace.refresh()
            told = buildSystemPrompt(
                agent(name="A" * 64), channel="slack", workspace=workspace, now=NOW
            )
            self.assertLess(len(told), 200)
