"""
The tools and workspaces of all agents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from openclaw.agents.toolbox import OfferedTool
from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings
from openclaw.net.threads import runInThread
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import allowedTools


@dataclass
class AgentTools:
    catalogue: Catalogue
    log: Logger = field(default_factory=Logger)
    _refreshing: dict[str, "list[Deferred[None]]"] = field(
        default_factory=dict, init=False
    )
    _workspaces: dict[str, Workspace] = field(default_factory=dict, init=False)

    def selectTools(
        self, agent: AgentSettings, permits: Callable[[str], bool] = lambda tool: True
    ) -> dict[str, OfferedTool]:
        """
        Select the tools of an agent.

        @param permits: Returns whether the caller may use a tool, by name.
        """
        policy = agent.tools
        if policy.profile == "none" and not policy.allow:
            # Looking up tools imports all of them.
            return {}
        found = self.catalogue.tools()
        names = allowedTools(found, policy.profile, policy.allow, policy.deny)
        return {
            name: OfferedTool(found[name], self.catalogue.reader(name))
            for name in names
            if permits(name)
        }

    def getWorkspace(self, agent: AgentSettings) -> Workspace | None:
        """
        Return an agent's workspace, as it was last read.
        """
        if agent.workspace is None:
            return None
        kept = self._workspaces.get(agent.id)
        if kept is None or kept.path != agent.workspace:
            kept = Workspace(agent.workspace, self.log)
            self._workspaces[agent.id] = kept
        return kept

    async def refresh(self, agent: AgentSettings, reactor: Any) -> None:
        """
        Read, in a thread, what has changed in an agent's workspace.  Concurrent calls
        share one read.

        @param reactor: A reactor with threads.
        """
        workspace = self.getWorkspace(agent)
        if workspace is None:
            return
        waiting = self._refreshing.get(agent.id)
        if waiting is None:
            waiting = self._refreshing[agent.id] = []
            runInThread(reactor, lambda stop: workspace.refresh()).addBoth(
                self._refreshed, agent.id
            )
        done: Deferred[None] = Deferred()
        waiting.append(done)
        await done

    def _refreshed(self, outcome: object, agentID: str) -> None:
        if isinstance(outcome, Failure):
            self.log.failure("A workspace could not be read", outcome)
        for done in self._refreshing.pop(agentID):
            # The Deferred of a disconnected client has been cancelled.
            if not done.called:
                done.callback(None)
