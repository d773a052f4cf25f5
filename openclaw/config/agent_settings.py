"""
The settings of agents, with all defaults applied.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from openclaw.config.agents import AgentDefaults, AgentEntry, Agents
from openclaw.config.findings import childPath, itemPath
from openclaw.config.models import LOCAL_MODEL, LOCAL_PROVIDER, ModelChoice, ModelRef
from openclaw.config.tools import ToolPolicy
from openclaw.config.value_types import ToolProfile

MAIN_AGENT = "main"
"""
The id of the agent of a configuration without agents.
"""


class ToolSelection(msgspec.Struct, frozen=True, kw_only=True):
    """
    The tools of an agent.

    @ivar profile: The named set of tools.
    @ivar allow: Tools in addition to the profile's.
    @ivar deny: Tools to remove, from the profile or from C{allow}.
    """

    profile: ToolProfile = "none"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    An agent's settings.

    @ivar id: The id, in lower case.
    @ivar name: The display name.
    @ivar model: The model and its fallbacks.
    @ivar embeddingModel: The model for C{/v1/embeddings}.
    @ivar systemPrompt: The agent's own instructions, or C{None}.
    @ivar workspace: The absolute path of the agent's directory, or C{None}.
    @ivar timeoutSeconds: The limit of a run's duration.
    @ivar maxModelCalls: The limit of model calls in a run.
    """

    id: str
    name: str
    model: ModelChoice
    systemPrompt: str | None
    workspace: Path | None
    timeoutSeconds: float
    embeddingModel: ModelRef = ModelRef(LOCAL_PROVIDER, LOCAL_MODEL)
    maxModelCalls: int = AgentDefaults().maxModelCalls
    tools: ToolSelection = ToolSelection()


def entriesByID(agents: Agents) -> dict[str, AgentEntry]:
    """
    Map the ids of agents to their entries: those of C{agents.list}, then those of
    C{agents.entries}.  Without any, the only one is L{MAIN_AGENT}.
    """
    listed = {agent.id: agent for agent in agents.list}
    return {**listed, **agents.entries} or {MAIN_AGENT: AgentEntry()}


def locateEntries(agents: Agents) -> Iterator[tuple[str, str, AgentEntry]]:
    """
    Yield each entry with the path of its key and its agent's id.
    """
    for index, agent in enumerate(agents.list):
        yield itemPath("agents.list", index), agent.id, agent
    for agentID, entry in agents.entries.items():
        yield childPath("agents.entries", agentID), agentID, entry


def defaultAgentID(agents: Agents) -> str:
    """
    Return the id of the agent for requests that name none: the one with C{default:
    true}, else L{MAIN_AGENT}, else the first.
    """
    entries = entriesByID(agents)
    for agentID, entry in entries.items():
        if entry.default:
            return agentID
    return MAIN_AGENT if MAIN_AGENT in entries else next(iter(entries))


def _selectTools(own: ToolPolicy, defaults: ToolPolicy) -> ToolSelection:
    """
    Merge an agent's tool policy with the defaults: its C{allow} replaces theirs, its
    C{deny} is added to theirs.
    """
    allow = defaults.allow if own.allow is None else own.allow
    return ToolSelection(
        profile=own.profile or defaults.profile or "none",
        allow=allow or (),
        deny=tuple(dict.fromkeys((*defaults.deny, *own.deny))),
    )


def resolveAgentSettings(
    agentID: str, entry: AgentEntry, agents: Agents, embeddedModel: ModelRef
) -> AgentSettings:
    """
    Merge an agent's entry with the defaults.

    @param embeddedModel: The model for an agent that has no other.
    """
    defaults = agents.defaults
    prompt = entry.systemPrompt
    return AgentSettings(
        id=agentID,
        name=entry.name or agentID,
        model=entry.model or defaults.model or ModelChoice(primary=embeddedModel),
        embeddingModel=(
            entry.embeddingModel or defaults.embeddingModel or embeddedModel
        ),
        # An empty prompt switches the default off.
        systemPrompt=defaults.systemPrompt if prompt is None else prompt,
        workspace=entry.workspace or defaults.workspace,
        # Neither number can be 0.
        timeoutSeconds=entry.timeoutSeconds or defaults.timeoutSeconds,
        maxModelCalls=entry.maxModelCalls or defaults.maxModelCalls,
        tools=_selectTools(entry.tools, defaults.tools),
    )
