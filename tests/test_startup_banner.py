"""
Tests of L{openclaw.startup_banner}.
"""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.config import AgentEntry, Agents, Config
from openclaw.startup_banner import describeAgentChanges, describeAgents


def directoryOf(**entries: Any) -> AgentDirectory:
    """
    Return a directory of agents with these entries.
    """
    return AgentDirectory(Config(agents=Agents(entries=entries)))


class AgentLineTests(SynchronousTestCase):
    """
    The lines about agents at the start and after a reload.
    """

    def test_agents(self) -> None:
        """
        Each agent is listed with its model, and the default one is marked.
        """
        self.assertEqual(
            describeAgents(directoryOf(main=AgentEntry(), ops=AgentEntry())),
            "main (default) on local/smollm2-135m-instruct,"
            " ops on local/smollm2-135m-instruct",
        )

    def test_changes(self) -> None:
        """
        Added and removed agents and a new default are listed.
        """
        before = directoryOf(main=AgentEntry(), old=AgentEntry())
        after = directoryOf(ops=AgentEntry(), new=AgentEntry(default=True))
        self.assertEqual(
            describeAgentChanges(before, after),
            [
                "added ops, new",
                "removed main, old",
                "the default is now new, it was main",
            ],
        )
        self.assertEqual(describeAgentChanges(before, before), [])
