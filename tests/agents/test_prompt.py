"""
Tests of L{openclaw.agents.prompt}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.prompt import systemPrompt
from openclaw.config import AgentSettings
from tests.agents.stage import AGENT


def agent(systemPrompt: str | None = None, name: str = "Main") -> AgentSettings:
    """
    An agent with this prompt.
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
    The system prompt is short, and the agent's own.
    """

    def test_configured(self) -> None:
        """
        It is what is configured, without the blanks that a block of YAML leaves.
        """
        self.assertEqual(systemPrompt(agent("Be kind.\n"), "", ""), "Be kind.")

    def test_unconfigured(self) -> None:
        """
        Without one the agent is told its name at least.
        """
        told = systemPrompt(agent(name="Ada"), "", "")
        self.assertEqual(told, "You are Ada, a helpful assistant.")
        self.assertIn("main", systemPrompt(agent(name=""), "", ""))

    def test_switchedOff(self) -> None:
        """
        An empty one is a choice: the agent is told nothing.
        """
        self.assertEqual(systemPrompt(agent(""), "", ""), "")
        self.assertEqual(systemPrompt(agent(" \n"), "", ""), "")

    def test_instructions(self) -> None:
        """
        The request's own instructions follow.
        """
        told = systemPrompt(agent("Be kind."), "Be brief.", "")
        self.assertEqual(told, "Be kind.\n\nBe brief.")
        self.assertEqual(systemPrompt(agent(""), "Be brief.", ""), "Be brief.")

    def test_channel(self) -> None:
        """
        The channel stands between them.
        """
        self.assertEqual(
            systemPrompt(agent("Be kind."), "Be brief.", "slack"),
            "Be kind.\n\nYou are talking through the channel slack.\n\nBe brief.",
        )
