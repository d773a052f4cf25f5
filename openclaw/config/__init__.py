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
from openclaw.config.entries import AgentDefaults, AgentEntry, Agents, ListedAgent
from openclaw.config.gateway import (
    HTTP,
    TLS,
    Auth,
    ChatCompletions,
    Endpoints,
    Gateway,
    RateLimit,
    TrustedProxy,
)
from openclaw.config.images import Images
from openclaw.config.kinds import AuthMode, ToolProfile
from openclaw.config.metrics import Metrics
from openclaw.config.models import (
    LOCAL_MODEL,
    LOCAL_PROVIDER,
    LocalModel,
    Model,
    ModelChoice,
    ModelRef,
    Models,
    Provider,
)
from openclaw.config.origins import CORS
from openclaw.config.reading import Loaded, load, locate, stateDirectory
from openclaw.config.root import Config, Logging, Session
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
    "CORS",
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
    "Images",
    "ListedAgent",
    "Loaded",
    "LocalModel",
    "Logging",
    "Metrics",
    "Model",
    "ModelChoice",
    "ModelRef",
    "Models",
    "Provider",
    "RateLimit",
    "ReachableTools",
    "Secret",
    "Session",
    "ToolPolicy",
    "ToolProfile",
    "Tools",
    "TrustedProxy",
    "WebFetchSettings",
    "WebTools",
    "check",
    "credentialInForce",
    "load",
    "locate",
    "stateDirectory",
]
