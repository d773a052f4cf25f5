"""
What each agent works with: its tools, and its workspace.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from openclaw.agents.toolbox import OfferedTool
from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import allowed


@dataclass
class Equipment:
    """
    The tools and workspaces of all agents.
    """

    catalogue: Catalogue
    _workspaces: dict[str, Workspace] = field(default_factory=dict, init=False)

    def toolsOf(
        self, agent: AgentSettings, permits: Callable[[str], bool] = lambda tool: True
    ) -> dict[str, OfferedTool]:
        """
        The tools that an agent has.

        @param permits: Whether the caller may reach the tool of that name.
        """
        policy = agent.tools
        if policy.profile == "none" and not policy.allow:
            # Looking for tools imports them all.
            return {}
        found = self.catalogue.tools()
        names = allowed(found, policy.profile, policy.allow, policy.deny)
        return {
            name: OfferedTool(found[name], self.catalogue.reader(name))
            for name in names
            if permits(name)
        }

    def workspaceOf(self, agent: AgentSettings) -> Workspace | None:
        """
        An agent's workspace, with what was read of it so far.
        """
        if agent.workspace is None:
            return None
        kept = self._workspaces.get(agent.id)
        if kept is None or kept.path != agent.workspace:
            kept = self._workspaces[agent.id] = Workspace(agent.workspace)
        return kept


__all__ = ["Equipment"]
