"""
The keys of C{agents}.  L{openclaw.config.agent_settings} applies the defaults.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from openclaw.config.models import ModelChoice, ModelRef
from openclaw.config.tools import ToolPolicy
from openclaw.config.value_types import AgentID, Amount, AmountOrZero, Seconds


class AgentDefaults(Struct, frozen=True, kw_only=True):
    """
    Defaults of all agents, and limits of all runs.

    @ivar model: The model.  Default: the embedded one, C{local/} and L{LocalModel.id}.
    @ivar embeddingModel: The model for C{/v1/embeddings}.  Default: the embedded one.
    @ivar workspace: The agent's directory.  Default: none.
    @ivar systemPrompt: The agent's own instructions.  Default: none.
    @ivar timeoutSeconds: The limit of a run's duration.  Default: 600.
    @ivar maxModelCalls: The limit of model calls in a run.  Default: 25.
    @ivar tools: The tools of an agent.  Default: none.
    @ivar maxConcurrent: The limit of concurrent runs in the whole gateway.  Default:
        256.
    @ivar maxQueued: The limit of queued runs.  Default: 256.
    """

    model: ModelChoice | None = None
    embeddingModel: ModelRef | None = None
    workspace: Path | None = None
    systemPrompt: str | None = None
    timeoutSeconds: Seconds = 600
    maxModelCalls: Amount = 25
    tools: ToolPolicy = ToolPolicy()
    maxConcurrent: Amount = 256
    maxQueued: AmountOrZero = 256


class AgentEntry(Struct, frozen=True, kw_only=True):
    """
    An agent.  A field that is C{None} is taken from L{AgentDefaults}.

    @ivar default: Use this agent for requests that name none.  At most one agent has
        this.
    @ivar name: The display name.  Default: the id.
    """

    default: bool = False
    name: str | None = None
    model: ModelChoice | None = None
    embeddingModel: ModelRef | None = None
    systemPrompt: str | None = None
    workspace: Path | None = None
    timeoutSeconds: Seconds | None = None
    maxModelCalls: Amount | None = None
    tools: ToolPolicy = ToolPolicy()


class ListedAgent(AgentEntry, frozen=True, kw_only=True):
    """
    An entry of C{agents.list}.

    @ivar id: The id, in lower case.
    """

    id: AgentID


class Agents(Struct, frozen=True, kw_only=True):
    """
    The agents.  Both forms may be used together; an id may occur only once.

    @ivar list: The older form: a list of agents with ids.
    @ivar entries: The newer form: agents by id, in lower case.
    """

    defaults: AgentDefaults = AgentDefaults()
    list: tuple[ListedAgent, ...] = ()
    entries: Mapping[AgentID, AgentEntry] = {}
