"""
Requests that go on to another worker, and answers that come back.

Each worker has a UNIX socket of its own, in a directory of the daemon's.  What comes in
there was let in by another worker, and carries who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, succeed
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    ResponseDone,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    UNKNOWN_LENGTH,
    IAgentEndpointFactory,
    IBodyProducer,
    IResponse,
)
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from openclaw.auth.quotas import Quotas
from openclaw.errors import AuthenticationFailed, OpenClawError, Unavailable
from openclaw.interfaces import ICaller
from openclaw.net.twisted_internals import abortResponse
from openclaw.server.access import AccessCheck
from openclaw.server.error_responses import setErrorResponse
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.live_config import LiveConfig
from openclaw.server.routing import RouteTable
from openclaw.workers.forwarded_caller import (
    CALLER_HEADER,
    ForwardedCaller,
    formatHeader,
    parseHeader,
)
from openclaw.workers.worker_router import WorkerRouter

RETRY_SECONDS = 1.0
"""
Retry-After of callers whose worker is not there, in seconds: a new one begins by then.
"""

_LEFT_OUT = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        CALLER_HEADER.encode(),
    }
)
"""
Headers of a connection, and not of what goes through it; and the caller's credential,
which was looked at.
"""


def socketOf(folder: Path, number: int) -> Path:
    """
    Return the path of the socket on which a worker takes forwarded requests.
    """
    return folder / f"{number}.socket"


class ForwardingAccess(AccessCheck):
    """
    Believes other workers.
    """

    def __init__(
        self,
        live: Callable[[], LiveConfig],
        routes: RouteTable,
        secret: str,
        quotas: Quotas,
    ) -> None:
        """
        @param secret: What the workers show each other.

        @param quotas: Counts those requests that no other has counted.
        """
        super().__init__(live, routes)
        self._secret = secret
        self._quotas = quotas

    def forwardedCallerOf(self, request: GatewayRequest) -> ForwardedCaller | None:
        """
        The forwarded caller that a request came with.
        """
        value = request.getHeader(CALLER_HEADER.encode())
        return parseHeader(value, self._secret)

    def identify(
        self, live: LiveConfig, request: GatewayRequest
    ) -> "Deferred[ICaller]":
        """
        See L{AccessCheck.identify}.
        """
        forwarded = self.forwardedCallerOf(request)
        if forwarded is None:
            return fail(AuthenticationFailed("This is not for you."))
        if not forwarded.counted:
            try:
                self._quotas.countRequest(forwarded.caller)
            except OpenClawError as error:
                return fail(error)
        return succeed(forwarded.caller)


@implementer(IAgentEndpointFactory)
@dataclass(frozen=True)
class _Sockets:
    """
    Finds a worker's socket by its number, which stands for its host.
    """

    folder: Path
    reactor: Any

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory}.
        """
        path = socketOf(self.folder, int(uri.host))
        return UNIXClientEndpoint(self.reactor, str(path))


@implementer(IBodyProducer)
class _Body:
    """
    The body of a request, all of it at once.
    """

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """
        See L{IBodyProducer}.
        """
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """
        See L{IBodyProducer}.
        """

    def resumeProducing(self) -> None:
        """
        See L{IBodyProducer}.
        """

    def stopProducing(self) -> None:
        """
        See L{IBodyProducer}.
        """


class _Answer(Protocol):
    """
    The body of an answer, on its way to the caller.
    """

    def __init__(self, request: GatewayRequest) -> None:
        self.done: Deferred[None] = Deferred(lambda _: abortResponse(self.transport))
        self._request: Any = request

    def connectionMade(self) -> None:
        """
        It begins.
        """
        assert self.transport is not None
        self._request.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        """
        Some of it came.
        """
        self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is complete, or broken off: then the caller must see that.
        """
        request = self._request
        if not request.disconnected:
            request.unregisterProducer()
            if reason.check(ResponseDone):
                request.finish()
            else:
                request.abort()
        if not self.done.called:
            self.done.callback(None)


@dataclass(eq=False)
class RequestForwarder:
    """
    Passes requests on.
    """

    folder: Path
    secret: str
    reactor: Any
    log: Logger
    _going: "set[Deferred[None]]" = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._pool = HTTPConnectionPool(self.reactor)
        self._pool.maxPersistentPerHost = 64
        self._pool.cachedConnectionTimeout = 30
        # What was not done is for the caller to ask again, who knows whether to.
        self._pool.retryAutomatically = False
        self._agent = Agent.usingEndpointFactory(
            self.reactor, _Sockets(self.folder, self.reactor), self._pool
        )

    def passOn(
        self, request: GatewayRequest, owner: int, forwarded: ForwardedCaller
    ) -> None:
        """
        Have another worker answer a request.

        @param owner: Its number.
        """
        going = Deferred.fromCoroutine(self._passOn(request, owner, forwarded))
        self._going.add(going)
        disconnected = request.notifyFinish()

        def ended(result: Failure | None) -> None:
            self._going.discard(going)
            if isinstance(result, Failure) and not request.disconnected:
                self.log.failure("A request could not be passed on", result)
                request.abort()

        # The caller may go away at any time.
        disconnected.addErrback(lambda _: going.cancel())
        going.addBoth(ended)

    async def _passOn(
        self, request: GatewayRequest, owner: int, forwarded: ForwardedCaller
    ) -> None:
        headers = Headers()
        for name, values in request.requestHeaders.getAllRawHeaders():
            if name.lower() not in _LEFT_OUT:
                headers.setRawHeaders(name, values)
        headers.setRawHeaders(CALLER_HEADER, [formatHeader(forwarded, self.secret)])
        body = request.body()
        uri = b"http://%d%b" % (owner, request.uri)
        try:
            response = await self._agent.request(
                request.method, uri, headers, _Body(body) if body else None
            )
        except CancelledError:
            return
        except Exception as error:
            if request.disconnected:
                return
            self.log.warn(
                "Worker {owner} does not answer: {error}",
                owner=owner,
                error=str(error) or type(error).__name__,
            )
            lost = Unavailable(
                "The part of the gateway that this belongs to begins anew. Try again"
                " soon.",
                code="worker_unavailable",
                retryAfter=RETRY_SECONDS,
            )
            request.write(setErrorResponse(request, lost))
            request.finish()
            return
        self._answer(request, response)
        answer = _Answer(request)
        response.deliverBody(answer)
        await answer.done

    def _answer(self, request: GatewayRequest, response: IResponse) -> None:
        request.setResponseCode(response.code)
        for name, values in response.headers.getAllRawHeaders():
            if name.lower() not in _LEFT_OUT:
                request.responseHeaders.setRawHeaders(name, values)
        if response.length is not UNKNOWN_LENGTH:
            length = b"%d" % response.length
            request.responseHeaders.setRawHeaders(b"content-length", [length])

    async def untilIdle(self) -> None:
        """
        Wait until all answers have come back.
        """
        while self._going:
            ends = []
            for going in self._going:
                end: Deferred[None] = Deferred()
                going.addBoth(_also, end)
                ends.append(end)
            await DeferredList(ends)

    async def close(self) -> None:
        """
        Close the idle connections.
        """
        await self._pool.closeCachedConnections()


def _also(result: Any, end: "Deferred[None]") -> Any:
    end.callback(None)
    return result


@implementer(IResource)
@dataclass(frozen=True)
class ForwardingResource:
    """
    A resource that answers what belongs here, and passes on what does not.

    @ivar inner: The gateway's own.
    @ivar forwardedCallerOf: What a request has come with.
    """

    isLeaf = True

    inner: Any
    router: WorkerRouter
    forwarder: RequestForwarder
    log: Logger
    forwardedCallerOf: Callable[[GatewayRequest], ForwardedCaller | None] = (
        lambda request: None
    )

    def render(self, request: GatewayRequest) -> int:
        """
        See L{IResource.render}.
        """
        Deferred.fromCoroutine(self._render(request)).addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _render(self, request: GatewayRequest) -> None:
        found = await self.router.find(request, self.forwardedCallerOf(request))
        if request.disconnected:
            return
        if found is None:
            request.render(self.inner)  # type: ignore[no-untyped-call]
        else:
            self.forwarder.passOn(request, *found)

    def _failed(self, failure: Failure, request: GatewayRequest) -> None:
        self.log.failure("A request found no worker", failure)
        if not request.disconnected:
            request.abort()

    def getChildWithDefault(self, name: bytes, request: object) -> IResource:
        """
        See L{IResource}.
        """
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        See L{IResource}.
        """
        raise NotImplementedError("There are no children.")
