"""
Typed configuration, read from YAML and JSON5; every error names its key.
"""

from openclaw.config.agents import MAIN_AGENT, AgentSettings, AgentTools
from openclaw.config.checking import check
from openclaw.config.credentials import (
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    CredentialInForce,
    credentialInForce,
)
from openclaw.config.kinds import AuthMode, ToolProfile
from openclaw.config.reading import Loaded, load, locate, stateDirectory
from openclaw.config.root import Config
from openclaw.config.schema import (
    HTTP,
    LOCAL_MODEL,
    LOCAL_PROVIDER,
    TLS,
    AgentDefaults,
    AgentEntry,
    Agents,
    Auth,
    ChatCompletions,
    Endpoints,
    Gateway,
    ListedAgent,
    LocalModel,
    Logging,
    Model,
    ModelChoice,
    ModelRef,
    Models,
    Provider,
    Session,
)
from openclaw.config.secret import Secret
from openclaw.config.tools import (
    ExecSettings,
    GrepSettings,
    ReachableTools,
    ToolPolicy,
    Tools,
    WebFetchSettings,
    WebTools,
)

__all__ = [
    "HTTP",
    "LOCAL_MODEL",
    "LOCAL_PROVIDER",
    "MAIN_AGENT",
    "PASSWORD_VARIABLE",
    "TLS",
    "TOKEN_VARIABLE",
    "AgentDefaults",
    "AgentEntry",
    "AgentSettings",
    "AgentTools",
    "Agents",
    "Auth",
    "AuthMode",
    "ChatCompletions",
    "Config",
    "CredentialInForce",
    "Endpoints",
    "ExecSettings",
    "Gateway",
    "GrepSettings",
    "ListedAgent",
    "Loaded",
    "LocalModel",
    "Logging",
    "Model",
    "ModelChoice",
    "ModelRef",
    "Models",
    "Provider",
    "ReachableTools",
    "Secret",
    "Session",
    "ToolPolicy",
    "ToolProfile",
    "Tools",
    "WebFetchSettings",
    "WebTools",
    "check",
    "credentialInForce",
    "load",
    "locate",
    "stateDirectory",
]
