"""
The registry of providers, made from the configuration.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.logger import Logger
from twisted.plugin import getPlugins
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from openclaw import plugins
from openclaw.config import LOCAL_PROVIDER, Config, LocalModel, Provider
from openclaw.errors import ConfigError
from openclaw.interfaces import IModelProvider, IModelProviderMaker
from openclaw.models.local.engine import Engine
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.models.provider_maker import HTTPProviderMaker

LOCAL_IDLE_SECONDS = 600
"""
Idle time-out of the embedded model, in seconds: requests are queued in its process, and
a large GGUF takes long to read a long prompt.
"""


LLAMA_CPP = HTTPProviderMaker(
    "llama.cpp",
    "openclaw.models.dialects.openai_completions.response.OpenAICompletions",
    "openclaw.models.dialects.openai_completions.embedding.LlamaCppEmbeddings",
)
"""
The provider of the embedded model's process.
"""


def findInstalledMakers() -> Iterable[Any]:
    return getPlugins(IModelProviderMaker, plugins)


Find = Callable[[], Iterable[Any]]
"""
Finds makers of providers.
"""


class ProviderMakers:
    """
    The installed makers of providers, by the value of C{api}.
    """

    def __init__(self, log: Logger, find: Find = findInstalledMakers) -> None:
        self._found: dict[str, list[IModelProviderMaker]] = {}
        for maker in find():
            try:
                verifyObject(IModelProviderMaker, maker)
            except Invalid as error:
                log.error(
                    "The model provider {origin} is left out: {fault}",
                    origin=_origin(maker),
                    fault=" ".join(str(error).split()),
                )
            else:
                self._found.setdefault(maker.api, []).append(maker)

    def get(self, api: str) -> IModelProviderMaker:
        """
        Return the maker for a value of C{api}.

        @raise ValueError: There is none, or more than one.
        """
        found = self._found.get(api, ())
        if not found:
            installed = ", ".join(sorted(self._found))
            raise ValueError(f'no plug-in has "{api}"; there are: {installed}')
        if len(found) > 1:
            origins = " and ".join(sorted(map(_origin, found)))
            raise ValueError(f'two plug-ins have "{api}": {origins}')
        return found[0]


def _origin(maker: Any) -> str:
    kind = type(maker)
    return f"{kind.__module__}.{kind.__qualname__}"


class Providers:
    """
    The configured providers.

    @ivar local: The embedded model.
    """

    local: LocalModelProvider

    def __init__(
        self,
        reactor: Any,
        environment: Mapping[str, str],
        log: Logger,
        find: Find = findInstalledMakers,
        engine: Callable[..., Any] = Engine,
    ) -> None:
        """
        @param reactor: A reactor with time, TCP, processes and threads.
        @param environment: Variables for the embedded model's process.
        @param engine: Makes the engine that runs the process.
        """
        self._engine = engine
        self._reactor = reactor
        self._environment = environment
        self._log = log
        self._find = find
        self._made: dict[str, tuple[Provider | LocalModel, IModelProvider]] = {}

    def get(self, name: str) -> IModelProvider | None:
        made = self._made.get(name)
        return made[1] if made is not None else None

    def configure(self, config: Config) -> list[IModelProvider]:
        """
        Make the providers of a configuration.  Unchanged ones are kept, with their
        connections and processes.

        @return: The providers that are no longer configured.  They continue to serve
            their calls; the caller has to close them.
        @raise ConfigError: A provider cannot be made.  Then nothing has changed.
        """
        named: dict[str, Provider | LocalModel] = {
            **config.models.providers,
            LOCAL_PROVIDER: config.models.local,
        }
        made = {
            name: entry
            for name, entry in self._made.items()
            if name in named and entry[0] == named[name]
        }
        new = {name: named[name] for name in named if name not in made}
        for name, provider in self._makeProviders(new).items():
            made[name] = (new[name], provider)
        before, self._made = self._made, made
        local = made[LOCAL_PROVIDER][1]
        assert isinstance(local, LocalModelProvider)
        self.local = local
        kept = {id(provider) for _, provider in made.values()}
        return [each for _, each in before.values() if id(each) not in kept]

    def all(self) -> list[IModelProvider]:
        return [provider for _, provider in self._made.values()]

    def _makeProviders(
        self, named: Mapping[str, Provider | LocalModel]
    ) -> dict[str, IModelProvider]:
        makers: ProviderMakers | None = None
        made: dict[str, IModelProvider] = {}
        errors: list[str] = []
        for name, settings in named.items():
            if isinstance(settings, LocalModel):
                made[name] = self._local(settings)
                continue
            try:
                # Looking up makers can import all plug-ins.
                makers = makers or ProviderMakers(self._log, self._find)
                maker = makers.get(settings.api)
                made[name] = maker.makeProvider(
                    name, settings, self._reactor, self._log
                )
            except ValueError as error:
                errors.append(f"models.providers.{name}: {error}")
            except Exception as error:
                self._log.failure("The provider {name} can't be made", name=name)
                errors.append(
                    f"models.providers.{name}: the plug-in for "
                    f'"{settings.api}" failed with {type(error).__name__}'
                )
        if errors:
            raise ConfigError("The configuration is wrong:", errors)
        return made

    def _local(self, settings: LocalModel) -> LocalModelProvider:
        return LocalModelProvider(
            settings=settings,
            reactor=self._reactor,
            clock=self._reactor,
            connect=lambda baseURL, key: LLAMA_CPP.makeProvider(
                LOCAL_PROVIDER,
                Provider(
                    baseUrl=baseURL, apiKey=key, timeoutSeconds=LOCAL_IDLE_SECONDS
                ),
                self._reactor,
                self._log,
            ),
            environment=self._environment,
            log=self._log,
            engine=self._engine,
        )


def checkDialects(
    config: Config, log: Logger, find: Find = findInstalledMakers
) -> list[str]:
    """
    Find providers whose C{api} is not installed.

    @return: A line for each, which begins with its key.
    """
    if not config.models.providers:
        return []
    makers = ProviderMakers(log, find)
    errors = []
    for name, provider in config.models.providers.items():
        try:
            makers.get(provider.api)
        except ValueError as error:
            errors.append(f"models.providers.{name}.api: {error}")
    return errors
