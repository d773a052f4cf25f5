"""
Make providers over HTTP: all that a plug-in needs for one more dialect.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.logger import Logger
from twisted.python.reflect import namedAny
from twisted.web.http_headers import Headers
from zope.interface import implementer

from openclaw import __version__
from openclaw.config import NO_PROXY, Provider, Secret
from openclaw.interfaces import IModelProvider, IModelProviderMaker
from openclaw.models.call_phases import Timeouts
from openclaw.models.embedding_calls import EmbeddingDialect
from openclaw.models.profile_table import ROWS
from openclaw.models.profiles import resolveProfile
from openclaw.models.provider import Dialect, HTTPModelProvider
from openclaw.net.http_pool import HTTPPool
from openclaw.net.outbound_proxy import ProxyChooser, parseProxy, proxyOfEnvironment


@implementer(IModelProviderMaker)
class HTTPProviderMaker:
    """
    A maker given by names: the dialect is imported when a provider uses it.

    @ivar dialect: The full name of a class of L{Dialect}s, such as
        C{package.module.Class}.
    @ivar embeddings: The same for L{EmbeddingDialect}s, or C{None} if the API has no
        embeddings.
    """

    def __init__(self, api: str, dialect: str, embeddings: str | None = None) -> None:
        self.api = api
        self.dialect = dialect
        self.embeddings = embeddings

    def makeProvider(
        self, name: str, settings: Provider, reactor: Any, log: Logger
    ) -> IModelProvider:
        dialect: Dialect = namedAny(self.dialect)()
        embeddings: EmbeddingDialect | None = None
        if self.embeddings is not None:
            embeddings = namedAny(self.embeddings)()
        timeouts = Timeouts(
            connect=settings.connectTimeoutSeconds, idle=settings.timeoutSeconds
        )
        return HTTPModelProvider(
            name=name,
            baseURL=settings.baseUrl,
            dialect=dialect,
            embeddings=embeddings,
            headers=_headers(settings.headers, dialect, settings.apiKey),
            agent=HTTPPool(reactor, _proxyChooser(settings.proxy)),
            timeouts=timeouts,
            reactor=reactor,
            log=log,
            profileOf=partial(resolveProfile, ROWS, name, settings),
        )


def _proxyChooser(setting: Secret | None) -> ProxyChooser:
    """
    Return the choice of a proxy: the configured one, none, or that of the environment.
    """
    if setting is None:
        return proxyOfEnvironment
    url = setting.reveal()
    proxy = None if url == NO_PROXY else parseProxy(url)
    return lambda scheme, host, port: proxy


def _headers(
    more: Mapping[str, Secret], dialect: Dialect, key: Secret | None
) -> Headers:
    headers = Headers({"User-Agent": [f"openclaw-twisted/{__version__}"]})
    for name, value in dialect.headers(key):
        headers.setRawHeaders(name, [value])
    for name, secret in more.items():
        headers.setRawHeaders(name, [secret.reveal()])
    return headers
