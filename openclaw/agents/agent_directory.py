"""
The directory of agents: resolves the agent of a request, and its model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from openclaw.config import AgentSettings, Config, ModelRef
from openclaw.errors import InvalidRequest, NotFound, PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.sessions.session_keys import SESSION_HEADER, agentOfKey

AGENT_HEADER = "x-openclaw-agent-id"
AGENT_HEADERS = (AGENT_HEADER, "x-openclaw-agent")
"""
The headers that name the agent; the first non-empty one is used.
"""

MODEL_HEADER = "x-openclaw-model"
DEFAULT_MODELS = ("openclaw", "openclaw/default")
"""
The model names of the default agent.
"""

AGENT_PREFIXES = ("openclaw:", "openclaw/", "agent:")
"""
The prefixes of an agent's ID in a model name.
"""


class AgentTarget(NamedTuple):
    """
    The agent of a request.

    @ivar agent: The agent.
    @ivar model: The model to call instead of the agent's own, if one is named.
    @ivar raw: Whether the model is called without the agent's prompt and tools.
    """

    agent: AgentSettings
    model: ModelRef | None
    raw: bool


@dataclass(frozen=True)
class AgentDirectory:
    config: Config
    agents: Mapping[str, AgentSettings] = field(init=False)
    defaultID: str = field(init=False)
    _aliases: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        agents = {agent.id: agent for agent in self.config.agentSettings()}
        aliases = self.config.gateway.http.endpoints.chatCompletions.modelAliases
        object.__setattr__(self, "agents", agents)
        object.__setattr__(self, "defaultID", self.config.defaultAgentID())
        object.__setattr__(self, "_aliases", aliases)

    def find(
        self,
        caller: ICaller,
        *,
        model: str | None = None,
        agentHeader: str | None = None,
        sessionHeader: str | None = None,
    ) -> AgentSettings:
        """
        Find the agent of a request: by header, by model, by the session that it names,
        or the default.

        @param model: The request's C{model}.
        @param agentHeader: The value of C{x-openclaw-agent-id}.
        @param sessionHeader: The value of C{x-openclaw-session-key}.
        @raise InvalidRequest: The request names an agent that the caller may not use,
            or two different agents.
        """
        asked: AgentSettings | None
        if agentHeader is not None and agentHeader.strip():
            asked = self._requireUsable(
                agentHeader.strip().lower(), caller, AGENT_HEADER
            )
        else:
            asked = self._findByModel(model, caller)
        sessionAgentID = (
            agentOfKey(sessionHeader) if sessionHeader is not None else None
        )
        if sessionAgentID is None:
            return asked or self._requireUsable(self.defaultID, caller, "model")
        if asked is None:
            return self._requireUsable(sessionAgentID, caller, SESSION_HEADER)
        if asked.id != sessionAgentID:
            raise InvalidRequest(
                f"The session belongs to agent '{sessionAgentID}', but the request is"
                f" for agent '{asked.id}'.",
                param=SESSION_HEADER,
            )
        return asked

    def _findByModel(self, model: str | None, caller: ICaller) -> AgentSettings | None:
        """
        @return: C{None} if the model is only the name of the gateway.
        """
        name = (model or "").strip()
        alias = self._aliases.get(name)
        if alias is not None:
            return self._requireUsable(alias.lower(), caller, "model")
        name = name.lower()
        if not name or name in DEFAULT_MODELS:
            return None
        for prefix in AGENT_PREFIXES:
            if name.startswith(prefix):
                return self._requireUsable(name[len(prefix) :].strip(), caller, "model")
        raise InvalidRequest(
            "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`. Agents you may"
            f" use: {self._listUsable(caller)}. For a client that insists on another"
            " name, the configuration's `modelAliases` maps it to an agent.",
            param="model",
            code="model_not_found",
        )

    def _requireUsable(
        self, agentID: str, caller: ICaller, param: str
    ) -> AgentSettings:
        agent = self.agents.get(agentID)
        if agent is not None and caller.mayUse(agentID):
            return agent
        raise InvalidRequest(
            f"Unknown agent '{agentID}'. Agents you may use:"
            f" {self._listUsable(caller)}.",
            param=param,
            code="unknown_agent",
        )

    def _listUsable(self, caller: ICaller) -> str:
        return ", ".join(f"'{known}'" for known in self.usableIDs(caller)) or "none"

    def usableIDs(self, caller: ICaller) -> list[str]:
        """
        Return the IDs of the agents that a caller may use, in the configuration's
        order.
        """
        return [agentID for agentID in self.agents if caller.mayUse(agentID)]

    def modelNames(self, caller: ICaller) -> list[str]:
        usable = self.usableIDs(caller)
        names = list(DEFAULT_MODELS) if self.defaultID in usable else []
        return names + [f"openclaw/{agentID}" for agentID in usable]

    def resolveModelOverride(
        self, agent: AgentSettings, asked: str | None, caller: ICaller
    ) -> ModelRef | None:
        """
        Resolve the model of C{x-openclaw-model}.

        @param asked: C{provider/model}, or the ID of a model that the agent or a
            provider lists.
        @raise NotFound: There is no such provider or model.
        @raise PermissionDenied: The caller may not use it.
        """
        name = (asked or "").strip()
        if not name:
            return None
        found = self._resolveModel(agent, name)
        if not caller.mayNameModel(str(found), isOwn=self._isOwnModel(found, caller)):
            raise PermissionDenied(
                f"You may not name the model '{found}' in `{MODEL_HEADER}`.",
                param=MODEL_HEADER,
                code="model_not_allowed",
            )
        return found

    def _isOwnModel(self, model: ModelRef, caller: ICaller) -> bool:
        return any(
            model in (each.model.primary, *each.model.fallbacks, each.embeddingModel)
            for each in self.config.agentSettings()
            if caller.mayUse(each.id)
        )

    def _resolveModel(self, agent: AgentSettings, name: str) -> ModelRef:
        for known in self._listModels(agent):
            if name in (known.model, f"{known.provider}/{known.model}"):
                return known
        provider, slash, model = name.partition("/")
        configured = self.config.models.providers.get(provider) if slash else None
        # A provider that lists no models accepts any model.
        if configured is not None and not configured.models and model:
            return ModelRef(provider, model)
        raise NotFound(
            f"Unknown model '{name}'.", param=MODEL_HEADER, code="model_not_found"
        )

    def _listModels(self, agent: AgentSettings) -> list[ModelRef]:
        known = [agent.model.primary, *agent.model.fallbacks, agent.embeddingModel]
        for name, provider in self.config.models.providers.items():
            known += [ModelRef(name, model.id) for model in provider.models]
        known.append(ModelRef("local", self.config.models.local.id))
        return known
