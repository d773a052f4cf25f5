"""
The whole configuration.

There is one Struct for each mapping of the file, with the same keys; the defaults of
the fields are the built-in defaults.  L{openclaw.config.checking} has converted and
checked every value.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from openclaw.config.agent_settings import (
    AgentSettings,
    defaultAgentID,
    entriesByID,
    resolveAgentSettings,
)
from openclaw.config.agents import Agents
from openclaw.config.gateway import Gateway
from openclaw.config.models import LOCAL_PROVIDER, Model, ModelRef, Models
from openclaw.config.tools import Tools
from openclaw.config.value_types import AmountOrZero, Level, LogFormat, SecondsOrZero


class Session(Struct, frozen=True, kw_only=True):
    """
    Stored conversations.

    @ivar store: The SQLite file.  Default: C{sessions.sqlite} in the state directory.
    @ivar waitSeconds: The limit of waiting for a session that has a run.  Default: 60.
    @ivar maxWaiting: The limit of runs that wait for one session.  Default: 16.
    """

    store: Path | None = None
    waitSeconds: SecondsOrZero = 60
    maxWaiting: AmountOrZero = 16


class Logging(Struct, frozen=True, kw_only=True):
    """
    The daemon's log.

    @ivar level: The lowest level that is written.  Default: C{info}.
    @ivar format: C{text}, or C{json} for one JSON object per line.  Default: C{text}.
    @ivar auditFile: A further file for the audit lines.  Default: none.
    """

    level: Level = "info"
    format: LogFormat = "text"
    auditFile: Path | None = None


class Config(Struct, frozen=True, kw_only=True):
    """
    The whole configuration.  C{Config()} is the built-in default.
    """

    gateway: Gateway = Gateway()
    agents: Agents = Agents()
    tools: Tools = Tools()
    models: Models = Models()
    session: Session = Session()
    logging: Logging = Logging()

    def agentSettings(self) -> tuple[AgentSettings, ...]:
        """
        Return the settings of each agent, in the order of the file, with all defaults
        applied.  There is at least one.
        """
        embeddedModel = ModelRef(LOCAL_PROVIDER, self.models.local.id)
        return tuple(
            resolveAgentSettings(agentID, entry, self.agents, embeddedModel)
            for agentID, entry in entriesByID(self.agents).items()
        )

    def defaultAgentID(self) -> str:
        """
        Return the id of the agent for requests that name none.
        """
        return defaultAgentID(self.agents)

    def toolSettings(self, name: str) -> Any:
        """
        Return the settings of a tool, for its L{openclaw.interfaces.ToolContext}.
        """
        return self.tools.settingsOf(name)

    def findModel(self, reference: ModelRef) -> Model | None:
        """
        Return the configuration of a model, or C{None} if it is not configured: a
        provider that lists no models may serve it all the same.
        """
        if reference.provider == LOCAL_PROVIDER:
            local = self.models.local
            known = [Model(id=local.id, contextWindow=local.contextSize)]
        elif reference.provider in self.models.providers:
            known = [*self.models.providers[reference.provider].models]
        else:
            known = []
        return next((model for model in known if model.id == reference.model), None)

    def missingModelReason(self, reference: ModelRef) -> str | None:
        """
        Return the reason why there is no such model, in one line, or C{None} if there
        may be one: a provider that lists no models may serve any.
        """
        providers = self.models.providers
        if reference.provider == LOCAL_PROVIDER:
            known = [self.models.local.id]
        elif reference.provider not in providers:
            names = ", ".join([LOCAL_PROVIDER, *providers])
            return f'no provider "{reference.provider}" is configured; known: {names}'
        else:
            known = [model.id for model in providers[reference.provider].models]
        if not known or reference.model in known:
            return None
        return (
            f'the provider "{reference.provider}" has no model "{reference.model}"; '
            f"it has: {', '.join(known)}"
        )
