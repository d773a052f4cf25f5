"""
A provider that is asked over HTTP, in whatever dialect.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from openclaw.config import Secret
from openclaw.errors import InvalidRequest, OpenClawError
from openclaw.events import ModelListener
from openclaw.interfaces import IModelCall, IModelProvider, ModelRequest
from openclaw.models.connections import UpstreamAgent
from openclaw.models.refusals import RefusedCall, refusalOf
from openclaw.models.upstream import Clocks, Refusal, ReplyDecoder, UpstreamCall


class Dialect(Protocol):
    """
    What one kind of API puts on the wire.  It holds no state: a decoder does.
    """

    def path(self, request: ModelRequest) -> str:
        """
        Where the request goes, from the base URL on; begins with a slash.
        """

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        The headers that show the key, and others that every request has.
        """

    def encode(self, request: ModelRequest) -> bytes:
        """
        The body.
        """

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        """
        What reads an answer.

        @param refusal: Makes an error of what the provider reports within it.
        """


@implementer(IModelProvider)
class HTTPModelProvider:
    """
    A provider at a base URL.
    """

    def __init__(
        self,
        *,
        name: str,
        baseURL: str,
        dialect: Dialect,
        headers: Headers,
        agent: UpstreamAgent,
        clocks: Clocks,
        reactor: IReactorTime,
        log: Logger,
    ) -> None:
        """
        @param headers: What every request carries, the key included.
        """
        self.name = name
        self._baseURL = baseURL.rstrip("/")
        self._secrets = _secretsIn(headers)
        self._dialect = dialect
        self._headers = headers.copy()
        self._headers.setRawHeaders(b"Content-Type", [b"application/json"])
        self._agent = agent
        self._http = HTTPClient(agent)
        self._clocks = clocks
        self._reactor = reactor
        self._log = log
        self._calls: set[UpstreamCall] = set()

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Send the request.  What the dialect can't say fails the call.
        """
        try:
            payload = self._dialect.encode(request)
        except InvalidRequest as error:
            return RefusedCall(error)
        url = self._baseURL + self._dialect.path(request)
        call = UpstreamCall(
            provider=self.name,
            send=lambda body, onNewConnection: self._send(url, body, onNewConnection),
            payload=payload,
            decoder=self._dialect.decoder(self.name, self._refusal),
            refusal=self._refusal,
            listener=listener,
            clocks=self._clocks,
            reactor=self._reactor,
            log=self._log,
        )
        self._calls.add(call)
        call.ended.addCallback(lambda _: self._calls.discard(call))
        call.start()
        return call

    def _refusal(self, status: int, headers: Headers, body: bytes) -> OpenClawError:
        return refusalOf(self.name, status, headers, body, self._secrets)

    def _send(
        self, url: str, body: IBodyProducer, onNewConnection: bool
    ) -> "Deferred[IResponse]":
        if onNewConnection:
            self._agent.close()
        return cast(
            "Deferred[IResponse]",
            self._http.request(
                "POST",
                url,
                headers=self._headers,
                data=body,
                unbuffered=True,
                allow_redirects=False,
                reactor=cast(Any, self._reactor),
            ),
        )

    async def _closeWhenIdle(self) -> None:
        await DeferredList([call.ended for call in self._calls])
        await self._agent.close()

    def close(self) -> "Deferred[None]":
        """
        Wait for the calls under way, then close the idle connections.
        """
        for call in list(self._calls):
            if call.done.called:
                call.drop()
        return Deferred.fromCoroutine(self._closeWhenIdle())


def _secretsIn(headers: Headers) -> list[str]:
    """
    What a provider could quote of what it was sent: whole values, and what follows
    the scheme in C{Authorization}.
    """
    values = [
        value.decode("utf-8", "replace")
        for _, many in headers.getAllRawHeaders()
        for value in many
    ]
    credentials = [value.rpartition(" ")[2] for value in values]
    return sorted(filter(None, values + credentials), key=len, reverse=True)


__all__ = ["Dialect", "HTTPModelProvider"]
