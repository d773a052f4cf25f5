"""
The settings of agents, with all defaults applied.
"""

from pathlib import Path

import msgspec

from openclaw.config.agents import AgentDefaults, AgentEntry, Agents
from openclaw.config.models import LOCAL_MODEL, LOCAL_PROVIDER, ModelChoice, ModelRef
from openclaw.config.tools import ToolPolicy
from openclaw.config.value_types import ToolProfile

MAIN_AGENT = "main"
"""
The id of the agent that exists when none is configured.
"""


class ToolSelection(msgspec.Struct, frozen=True, kw_only=True):
    """
    The tools of an agent.

    @ivar profile: The set of tools to begin with.
    @ivar allow: More than the profile gives.
    @ivar deny: What is taken away, whoever gave it.
    """

    profile: ToolProfile = "none"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that an agent is made of.

    @ivar id: Its id, in lower case.
    @ivar name: Its name for people.
    @ivar model: Which model it asks.
    @ivar embeddingModel: Which model embeds texts for its callers.
    @ivar systemPrompt: Its own instructions, or C{None}.
    @ivar workspace: Its directory, an absolute path, or C{None}.
    @ivar timeoutSeconds: How long one of its runs may take in all.
    @ivar maxModelCalls: How often one of its runs may ask a model.
    @ivar tools: Which tools it has.
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


def _toolsOf(own: ToolPolicy, defaults: ToolPolicy) -> ToolSelection:
    """
    Return the tools of an agent.

    @param own: What its entry says.  Its C{allow} stands in the place of the
        defaults'; its C{deny} adds to theirs.
    """
    allow = defaults.allow if own.allow is None else own.allow
    return ToolSelection(
        profile=own.profile or defaults.profile or "none",
        allow=allow or (),
        deny=tuple(dict.fromkeys((*defaults.deny, *own.deny))),
    )


def settingsOf(
    agentID: str, entry: AgentEntry, agents: Agents, embedded: ModelRef
) -> AgentSettings:
    """
    Return the settings of an agent.

    @param embedded: The model for an agent that has no other.
    """
    defaults = agents.defaults
    prompt = entry.systemPrompt
    return AgentSettings(
        id=agentID,
        name=entry.name or agentID,
        model=entry.model or defaults.model or ModelChoice(primary=embedded),
        embeddingModel=entry.embeddingModel or defaults.embeddingModel or embedded,
        # An empty prompt is a choice too: it switches the default off.
        systemPrompt=defaults.systemPrompt if prompt is None else prompt,
        workspace=entry.workspace or defaults.workspace,
        # None of the numbers can be 0.
        timeoutSeconds=entry.timeoutSeconds or defaults.timeoutSeconds,
        maxModelCalls=entry.maxModelCalls or defaults.maxModelCalls,
        tools=_toolsOf(entry.tools, defaults.tools),
    )
