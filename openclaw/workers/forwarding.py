"""
Forward requests to another worker, and relay the responses.

Each worker has its own UNIX socket, in a directory of the daemon.  Requests there were
authenticated by another worker, and carry the caller in a header.
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
The Retry-After of requests whose worker is restarting, in seconds.
"""

_DROPPED_HEADERS = frozenset(
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
Hop-by-hop headers, and the credential, which was already checked.
"""


def workerSocket(folder: Path, number: int) -> Path:
    return folder / f"{number}.socket"


class ForwardingAccess(AccessCheck):
    """
    Authenticates requests from other workers.
    """

    def __init__(
        self,
        live: Callable[[], LiveConfig],
        routes: RouteTable,
        secret: str,
        quotas: Quotas,
    ) -> None:
        """
        @param secret: The secret in requests between workers.
        @param quotas: Counts requests that no other worker has counted.
        """
        super().__init__(live, routes)
        self._secret = secret
        self._quotas = quotas

    def forwardedCallerOf(self, request: GatewayRequest) -> ForwardedCaller | None:
        value = request.getHeader(CALLER_HEADER.encode())
        return parseHeader(value, self._secret)

    def identify(
        self, live: LiveConfig, request: GatewayRequest
    ) -> "Deferred[ICaller]":
        forwarded = self.forwardedCallerOf(request)
        if forwarded is None:
            return fail(AuthenticationFailed("Only other workers may connect here."))
        if not forwarded.counted:
            try:
                self._quotas.countRequest(forwarded.caller)
            except OpenClawError as error:
                return fail(error)
        return succeed(forwarded.caller)


@implementer(IAgentEndpointFactory)
@dataclass(frozen=True)
class _SocketEndpoints:
    """
    Maps a worker's number, which is the host of the URL, to its socket.
    """

    folder: Path
    reactor: Any

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        path = workerSocket(self.folder, int(uri.host))
        return UNIXClientEndpoint(self.reactor, str(path))


@implementer(IBodyProducer)
class _BytesProducer:
    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class _ResponseRelay(Protocol):
    def __init__(self, request: GatewayRequest) -> None:
        self.done: Deferred[None] = Deferred(lambda _: abortResponse(self.transport))
        self._request: Any = request

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._request.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Finish the response, or abort it so that the client notices.
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
    folder: Path
    secret: str
    reactor: Any
    log: Logger
    _active: "set[Deferred[None]]" = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._pool = HTTPConnectionPool(self.reactor)
        self._pool.maxPersistentPerHost = 64
        self._pool.cachedConnectionTimeout = 30
        # Only the client knows whether a request may be repeated.
        self._pool.retryAutomatically = False
        self._agent = Agent.usingEndpointFactory(
            self.reactor, _SocketEndpoints(self.folder, self.reactor), self._pool
        )

    def forward(
        self, request: GatewayRequest, owner: int, forwarded: ForwardedCaller
    ) -> None:
        """
        Forward a request.

        @param owner: The number of the worker.
        """
        forwarding = Deferred.fromCoroutine(self._forward(request, owner, forwarded))
        self._active.add(forwarding)
        disconnected = request.notifyFinish()

        def ended(result: Failure | None) -> None:
            self._active.discard(forwarding)
            if isinstance(result, Failure) and not request.disconnected:
                self.log.failure("Forwarding a request failed", result)
                request.abort()

        # The client may disconnect at any time.
        disconnected.addErrback(lambda _: forwarding.cancel())
        forwarding.addBoth(ended)

    async def _forward(
        self, request: GatewayRequest, owner: int, forwarded: ForwardedCaller
    ) -> None:
        headers = Headers()
        for name, values in request.requestHeaders.getAllRawHeaders():
            if name.lower() not in _DROPPED_HEADERS:
                headers.setRawHeaders(name, values)
        headers.setRawHeaders(CALLER_HEADER, [formatHeader(forwarded, self.secret)])
        body = request.body()
        uri = b"http://%d%b" % (owner, request.uri)
        try:
            response = await self._agent.request(
                request.method, uri, headers, _BytesProducer(body) if body else None
            )
        except CancelledError:
            return
        except Exception as error:
            if request.disconnected:
                return
            self.log.warn(
                "Worker {owner} does not respond: {error}",
                owner=owner,
                error=str(error) or type(error).__name__,
            )
            lost = Unavailable(
                "The worker handling this request is restarting. Try again soon.",
                code="worker_unavailable",
                retryAfter=RETRY_SECONDS,
            )
            request.write(setErrorResponse(request, lost))
            request.finish()
            return
        self._copyHead(request, response)
        relay = _ResponseRelay(request)
        response.deliverBody(relay)
        await relay.done

    def _copyHead(self, request: GatewayRequest, response: IResponse) -> None:
        request.setResponseCode(response.code)
        for name, values in response.headers.getAllRawHeaders():
            if name.lower() not in _DROPPED_HEADERS:
                request.responseHeaders.setRawHeaders(name, values)
        if response.length is not UNKNOWN_LENGTH:
            length = b"%d" % response.length
            request.responseHeaders.setRawHeaders(b"content-length", [length])

    async def untilIdle(self) -> None:
        """
        Wait until all forwarded requests have ended.
        """
        while self._active:
            pending = []
            for forwarding in self._active:
                done: Deferred[None] = Deferred()
                forwarding.addBoth(_fire, done)
                pending.append(done)
            await DeferredList(pending)

    async def close(self) -> None:
        await self._pool.closeCachedConnections()


def _fire(result: Any, done: "Deferred[None]") -> Any:
    done.callback(None)
    return result


@implementer(IResource)
@dataclass(frozen=True)
class ForwardingResource:
    """
    A resource that handles requests of this worker, and forwards others.

    @ivar inner: The gateway's resource.
    @ivar forwardedCallerOf: Returns the caller of a forwarded request.
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
        Deferred.fromCoroutine(self._render(request)).addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _render(self, request: GatewayRequest) -> None:
        found = await self.router.find(request, self.forwardedCallerOf(request))
        if request.disconnected:
            return
        if found is None:
            request.render(self.inner)  # type: ignore[no-untyped-call]
        else:
            self.forwarder.forward(request, *found)

    def _failed(self, failure: Failure, request: GatewayRequest) -> None:
        self.log.failure("Routing a request to a worker failed", failure)
        if not request.disconnected:
            request.abort()

    def getChildWithDefault(self, name: bytes, request: object) -> IResource:
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        raise NotImplementedError("There are no children.")
