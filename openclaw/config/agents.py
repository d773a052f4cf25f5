"""
What the agents of a configuration come to, with all defaults applied.
"""

from pathlib import Path

import msgspec

from openclaw.config.schema import AgentEntry, Agents, ModelChoice, ModelRef

MAIN_AGENT = "main"
"""
The id of the agent that exists when none is configured.
"""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that an agent is made of.

    @ivar id: Its id, in lower case.
    @ivar name: Its name for people.
    @ivar model: Which model it asks.
    @ivar systemPrompt: Its own instructions, or C{None}.
    @ivar workspace: Its directory, an absolute path, or C{None}.
    @ivar timeoutSeconds: How long one of its runs may take in all.
    """

    id: str
    name: str
    model: ModelChoice
    systemPrompt: str | None
    workspace: Path | None
    timeoutSeconds: float


def entriesByID(agents: Agents) -> dict[str, AgentEntry]:
    """
    The agents by their ids: those of C{agents.list}, then those of
    C{agents.entries}.  At least one: without any there is L{MAIN_AGENT}.
    """
    listed = {agent.id: agent for agent in agents.list}
    return {**listed, **agents.entries} or {MAIN_AGENT: AgentEntry()}


def defaultAgentID(agents: Agents) -> str:
    """
    The agent for callers who name none: the one that is marked, else L{MAIN_AGENT},
    else the first.
    """
    entries = entriesByID(agents)
    for agentID, entry in entries.items():
        if entry.default:
            return agentID
    return MAIN_AGENT if MAIN_AGENT in entries else next(iter(entries))


def settingsOf(
    agentID: str, entry: AgentEntry, agents: Agents, embedded: ModelRef
) -> AgentSettings:
    """
    What one agent comes to.

    @param embedded: The model for an agent that has no other.
    """
    defaults = agents.defaults
    prompt = entry.systemPrompt
    timeout = entry.timeoutSeconds
    return AgentSettings(
        id=agentID,
        name=entry.name or agentID,
        model=entry.model or defaults.model or ModelChoice(primary=embedded),
        # An empty prompt is a choice too: it switches the default off.
        systemPrompt=defaults.systemPrompt if prompt is None else prompt,
        workspace=entry.workspace or defaults.workspace,
        timeoutSeconds=defaults.timeoutSeconds if timeout is None else timeout,
    )


__all__ = [
    "MAIN_AGENT",
    "AgentSettings",
    "defaultAgentID",
    "entriesByID",
    "settingsOf",
]
