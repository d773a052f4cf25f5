"""
From the configuration to the providers it names.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from twisted.logger import Logger
from twisted.web.http_headers import Headers

from openclaw import __version__
from openclaw.config import LOCAL_PROVIDER, Config, LocalModel, Provider, Secret
from openclaw.errors import ConfigError
from openclaw.interfaces import IModelProvider
from openclaw.models.connections import UpstreamAgent
from openclaw.models.local.provider import LocalModelProvider
from openclaw.models.provider import Dialect, HTTPModelProvider
from openclaw.models.upstream import Clocks

DIALECTS = {
    "openai-completions": ("openclaw.models.openai_completions", "OpenAICompletions"),
    "openai-responses": ("openclaw.models.openai_responses", "OpenAIResponses"),
    "anthropic-messages": ("openclaw.models.anthropic_messages", "AnthropicMessages"),
    "ollama": ("openclaw.models.ollama", "Ollama"),
    "google-generative-ai": (
        "openclaw.models.google_generative_ai",
        "GoogleGenerativeAI",
    ),
}
"""
The modules and names of the dialects, by what C{models.providers.<name>.api} says.
A dialect is imported when a provider speaks it.
"""

LOCAL_IDLE_SECONDS = 600
"""
How long the embedded model may be silent: questions wait in line inside its process,
and a large GGUF takes its time to read a long prompt.
"""


class Providers:
    """
    The providers in force.

    @ivar local: The embedded model.
    """

    local: LocalModelProvider

    def __init__(
        self, reactor: Any, environment: Mapping[str, str], log: Logger
    ) -> None:
        """
        @param reactor: A whole one: time, TCP and processes.

        @param environment: Whence the embedded model's process gets what it needs.
        """
        self._reactor = reactor
        self._environment = environment
        self._log = log
        self._made: dict[str, tuple[Provider | LocalModel, IModelProvider]] = {}

    def get(self, name: str) -> IModelProvider | None:
        """
        The provider of that name, if there is one.
        """
        made = self._made.get(name)
        return made[1] if made is not None else None

    def configure(self, config: Config) -> list[IModelProvider]:
        """
        Make what a configuration names.  What it leaves as it was is kept, with its
        connections and its process.

        @return: The providers that are no longer in force.  They still serve the
            calls that they have; it is for the caller to close them.
        """
        before = self._made
        self._made = {}
        named: dict[str, Provider | LocalModel] = {
            **config.models.providers,
            LOCAL_PROVIDER: config.models.local,
        }
        for name, settings in named.items():
            kept = before.get(name)
            if kept is not None and kept[0] == settings:
                self._made[name] = before.pop(name)
            else:
                self._made[name] = (settings, self._make(name, settings))
        return [provider for _, provider in before.values()]

    def all(self) -> list[IModelProvider]:
        """
        Every provider in force.
        """
        return [provider for _, provider in self._made.values()]

    def _make(self, name: str, settings: Provider | LocalModel) -> IModelProvider:
        if isinstance(settings, Provider):
            return self._remote(name, settings)
        self.local = LocalModelProvider(
            settings=settings,
            reactor=self._reactor,
            clock=self._reactor,
            connect=lambda baseURL, key: self._remote(
                name,
                Provider(
                    baseUrl=baseURL, apiKey=key, timeoutSeconds=LOCAL_IDLE_SECONDS
                ),
            ),
            environment=self._environment,
            log=self._log,
        )
        return self.local

    def _remote(self, name: str, settings: Provider) -> IModelProvider:
        clocks = Clocks(
            connect=settings.connectTimeoutSeconds, idle=settings.timeoutSeconds
        )
        dialect = dialectOf(settings.api)
        return HTTPModelProvider(
            name=name,
            baseURL=settings.baseUrl,
            dialect=dialect,
            headers=_headers(settings.headers, dialect, settings.apiKey),
            agent=UpstreamAgent(self._reactor, clocks.connect),
            clocks=clocks,
            reactor=self._reactor,
            log=self._log,
        )


def dialectOf(api: str) -> Dialect:
    """
    The dialect that a provider speaks.

    @raise KeyError: There is no such dialect.
    """
    module, name = DIALECTS[api]
    made: Dialect = getattr(import_module(module), name)()
    return made


def checkDialects(config: Config) -> None:
    """
    @raise ConfigError: A provider speaks a dialect that there is not.
    """
    faults = [
        f"models.providers.{name}.api: expected one of {', '.join(DIALECTS)},"
        f' got "{provider.api}"'
        for name, provider in config.models.providers.items()
        if provider.api not in DIALECTS
    ]
    if faults:
        raise ConfigError("The configuration is wrong:", faults)


def _headers(
    more: Mapping[str, Secret], dialect: Dialect, key: Secret | None
) -> Headers:
    headers = Headers({"User-Agent": [f"openclaw-twisted/{__version__}"]})
    for name, value in dialect.headers(key):
        headers.setRawHeaders(name, [value])
    for name, secret in more.items():
        headers.setRawHeaders(name, [secret.reveal()])
    return headers


__all__ = ["DIALECTS", "Providers", "checkDialects", "dialectOf"]
