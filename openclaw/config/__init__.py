"""
Typed configuration, read from YAML and JSON5; every error names its key.
"""

from openclaw.config.agent_settings import MAIN_AGENT, AgentSettings, ToolSelection
from openclaw.config.agents import AgentDefaults, AgentEntry, Agents, ListedAgent
from openclaw.config.gateway import (
    CORS,
    HTTP,
    TLS,
    Auth,
    ChatCompletions,
    Endpoints,
    Gateway,
    Images,
    Metrics,
    RateLimit,
    TrustedProxy,
)
from openclaw.config.gateway_credential import (
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    ResolvedCredential,
    resolveCredential,
)
from openclaw.config.loading import LoadedConfig, findConfig, loadConfig, stateDirectory
from openclaw.config.models import (
    LOCAL_MODEL,
    LOCAL_PROVIDER,
    Compat,
    LocalModel,
    Model,
    ModelChoice,
    ModelRef,
    Models,
    Provider,
)
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
from openclaw.config.value_types import NO_PROXY, AuthMode, ToolProfile

__all__ = [
    "CORS",
    "HTTP",
    "LOCAL_MODEL",
    "LOCAL_PROVIDER",
    "MAIN_AGENT",
    "NO_PROXY",
    "PASSWORD_VARIABLE",
    "TLS",
    "TOKEN_VARIABLE",
    "AgentDefaults",
    "AgentEntry",
    "AgentSettings",
    "Agents",
    "Auth",
    "AuthMode",
    "ChatCompletions",
    "Compat",
    "Config",
    "Endpoints",
    "ExecSettings",
    "Gateway",
    "GrepSettings",
    "Images",
    "ListedAgent",
    "LoadedConfig",
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
    "ResolvedCredential",
    "Secret",
    "Session",
    "ToolPolicy",
    "ToolProfile",
    "ToolSelection",
    "Tools",
    "TrustedProxy",
    "WebFetchSettings",
    "WebTools",
    "findConfig",
    "loadConfig",
    "resolveCredential",
    "stateDirectory",
]
