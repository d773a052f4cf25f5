"""
The whole configuration, and the questions that other packages ask it.

There is one Struct for each mapping of the file, with the same keys; the defaults of
the attributes are the built-in defaults.  A reader of these classes can rely on every
value: L{openclaw.config.checking} has converted and compared them.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from openclaw.config.agent_settings import (
    AgentSettings,
    defaultAgentID,
    entriesByID,
    settingsOf,
)
from openclaw.config.agents import Agents
from openclaw.config.gateway import Gateway
from openclaw.config.models import LOCAL_PROVIDER, Model, ModelRef, Models
from openclaw.config.tools import Tools
from openclaw.config.value_types import AmountOrZero, Level, LogFormat, SecondsOrZero


class Session(Struct, frozen=True, kw_only=True):
    """
    Conversations that are kept.

    @ivar store: The SQLite file.  Default: C{sessions.sqlite} in the state
        directory.
    @ivar waitSeconds: The longest wait for a session that has a run.  Default: 60.
    @ivar maxWaiting: The runs that may wait for one session.  Default: 16.
    """

    store: Path | None = None
    waitSeconds: SecondsOrZero = 60
    maxWaiting: AmountOrZero = 16


class Logging(Struct, frozen=True, kw_only=True):
    """
    The daemon's log.

    @ivar level: The least important lines that are written.  Default: C{info}.
    @ivar format: C{text}, or C{json} for one JSON object a line.  Default: C{text}.
    @ivar auditFile: A file that has the audit lines, too.  Default: none.
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
        The agents, in the order of the file, with all defaults applied: at least
        one.
        """
        embedded = ModelRef(LOCAL_PROVIDER, self.models.local.id)
        return tuple(
            settingsOf(agentID, entry, self.agents, embedded)
            for agentID, entry in entriesByID(self.agents).items()
        )

    def defaultAgentID(self) -> str:
        """
        The id of the agent for callers who name none.
        """
        return defaultAgentID(self.agents)

    def toolSettings(self, name: str) -> Any:
        """
        Return the settings of a tool, for its L{openclaw.interfaces.ToolContext}.
        """
        return self.tools.settingsOf(name)

    def modelOf(self, reference: ModelRef) -> Model | None:
        """
        Return the configuration of a model, or C{None} if there is none: a provider
        that lists no models may have this one all the same.
        """
        if reference.provider == LOCAL_PROVIDER:
            local = self.models.local
            known = [Model(id=local.id, contextWindow=local.contextSize)]
        elif reference.provider in self.models.providers:
            known = [*self.models.providers[reference.provider].models]
        else:
            known = []
        return next((model for model in known if model.id == reference.model), None)

    def modelFault(self, reference: ModelRef) -> str | None:
        """
        Why there is no such model, in one line, or C{None} if there may be one: a
        provider that lists no models is believed to have every one.
        """
        providers = self.models.providers
        if reference.provider == LOCAL_PROVIDER:
            known = [self.models.local.id]
        elif reference.provider not in providers:
            names = ", ".join([LOCAL_PROVIDER, *providers])
            return (
                f'no provider "{reference.provider}" is configured; there are: {names}'
            )
        else:
            known = [model.id for model in providers[reference.provider].models]
        if not known or reference.model in known:
            return None
        return (
            f'the provider "{reference.provider}" has no model "{reference.model}"; '
            f"it has: {', '.join(known)}"
        )
