"""
The keys of C{agents}.  What they come to is in L{openclaw.config.agent_settings}.
"""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from openclaw.config.models import ModelChoice, ModelRef
from openclaw.config.tools import ToolPolicy
from openclaw.config.value_types import AgentID, Amount, AmountOrZero, Seconds


class AgentDefaults(Struct, frozen=True, kw_only=True):
    """
    Defaults of all agents, and the limits for all.

    @ivar model: The model to ask.  Default: the embedded one, that is C{local/}
        and L{LocalModel.id}.
    @ivar embeddingModel: The model that embeds texts for callers.  Default: the
        embedded one.
    @ivar workspace: The agent's directory.  Default: none.
    @ivar systemPrompt: The agent's own instructions.  Default: none.
    @ivar timeoutSeconds: How long a run may take in all.  Default: 600.
    @ivar maxModelCalls: How often a run may ask a model.  Default: 25.
    @ivar tools: The tools of an agent.  Default: none.
    @ivar maxConcurrent: The runs at once in the whole gateway.  Default: 256.
    @ivar maxQueued: The runs that may wait for a place.  Default: 256.
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
    An agent.  What is C{None} comes from L{AgentDefaults}.

    @ivar default: Is this the agent for callers who name none?  At most one is.
    @ivar name: A name for people.  Default: the id.
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
    An agent of C{agents.list}.

    @ivar id: Its id, in lower case.
    """

    id: AgentID


class Agents(Struct, frozen=True, kw_only=True):
    """
    The agents.  Both forms may be used side by side; no id may come twice.

    @ivar list: The older form: each agent with its id.
    @ivar entries: The newer form: agents by their id, in lower case.
    """

    defaults: AgentDefaults = AgentDefaults()
    list: tuple[ListedAgent, ...] = ()
    entries: Mapping[AgentID, AgentEntry] = {}
