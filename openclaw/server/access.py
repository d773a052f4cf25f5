"""
The decision on a request from its headers alone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, fail

from openclaw.config import HTTP
from openclaw.errors import MethodNotAllowed, NotFound, PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.server.admission import Admission
from openclaw.server.cors import (
    isFromOtherSite,
    isOriginAllowed,
    originHeaders,
    preflightHeaders,
)
from openclaw.server.host_check import isAllowed
from openclaw.server.incoming_request import IncomingRequest
from openclaw.server.live_config import LiveConfig

COMPLETIONS = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
MODELS = "/v1/models"
METRICS = "/metrics"
RUNS = "/v1/runs"
METHODS = ("GET", "HEAD", "POST")
"""
Those that any path has.
"""

HOSTS_KEY = "gateway.http.allowedHosts"
ORIGINS_KEY = "gateway.http.cors.allowedOrigins"
ENDPOINT_KEY = "gateway.http.endpoints.chatCompletions.enabled"
"""
The configuration's key that switches the endpoint on.
"""
EMBEDDINGS_KEY = "gateway.http.endpoints.embeddings.enabled"
METRICS_KEY = "gateway.http.endpoints.metrics.enabled"


class AccessCheck:
    """
    Knows which requests need a caller, and which may bring a body.
    """

    def __init__(self, standing: Callable[[], LiveConfig]) -> None:
        """
        @param standing: What holds at the time of the request.
        """
        self._standing = standing

    def admit(self, request: IncomingRequest) -> Admission:
        """
        See L{openclaw.server.admission.Access.admit}.
        """
        standing = self._standing()
        http = standing.config.gateway.http
        admission = _stranded(http, request)
        if not http.cors.allowedOrigins:
            return admission or self._route(standing, request)
        headers = originHeaders(http.cors, request.getHeader(b"origin"))
        admission = (
            admission or _preflight(standing, request) or self._route(standing, request)
        )
        return replace(admission, headers=headers)

    def _route(self, standing: LiveConfig, request: IncomingRequest) -> Admission:
        endpoint = standing.config.gateway.http.endpoints.chatCompletions
        path = _routed(request.path)
        if request.method == b"CONNECT":
            error = MethodNotAllowed("The gateway is no proxy.", METHODS)
            return Admission(caller=fail(error))
        if (request.method, request.uri) == (b"OPTIONS", b"*"):
            return Admission(preflight=((b"allow", ", ".join(METHODS).encode()),))
        if path is None:
            return Admission(caller=fail(NotFound("Nothing can be at that path.")))
        if path == METRICS and request.method in (b"GET", b"HEAD"):
            return self._metrics(standing, request)
        ofModels = path == MODELS or path.startswith(f"{MODELS}/")
        ofRuns = path == RUNS or path.startswith(f"{RUNS}/")
        ofEndpoint = path in (COMPLETIONS, EMBEDDINGS)
        if not endpoint.enabled and (ofModels or ofRuns or ofEndpoint):
            return Admission(caller=fail(disabled()))
        embeddings = standing.config.gateway.http.endpoints.embeddings
        if path == EMBEDDINGS and not embeddings.enabled:
            return Admission(caller=fail(disabled(EMBEDDINGS_KEY)))
        if ofEndpoint and request.method == b"POST":
            return Admission(
                caller=self._caller(standing, request, "operator.write"),
                bodyBytes=endpoint.maxBodyBytes,
                bodySeconds=endpoint.bodyTimeoutSeconds,
            )
        if (ofModels or ofRuns) and request.method in (b"GET", b"HEAD"):
            return Admission(caller=self._caller(standing, request, "operator.read"))
        if ofRuns and request.method == b"POST":
            return Admission(caller=self._caller(standing, request, "operator.write"))
        return Admission()

    def _metrics(self, standing: LiveConfig, request: IncomingRequest) -> Admission:
        endpoint = standing.config.gateway.http.endpoints.metrics
        if not endpoint.enabled:
            return Admission(caller=fail(disabled(METRICS_KEY)))
        if endpoint.open:
            return Admission()
        return Admission(caller=self._caller(standing, request, "operator.metrics"))

    def _caller(
        self, standing: LiveConfig, request: IncomingRequest, scope: str
    ) -> "Deferred[ICaller]":
        doorkeeper, headers = standing.doorkeeper, request.requestHeaders
        terms = standing.config.gateway.http.cors
        if isFromOtherSite(terms, headers) and doorkeeper.isAmbient(headers):
            return fail(_foreignOrigin())

        async def identify() -> ICaller:
            caller = await self.identify(standing, request)
            if not caller.hasScope(scope):
                raise PermissionDenied(f"missing scope: {scope}", code="missing_scope")
            return caller

        return Deferred.fromCoroutine(identify())

    def identify(
        self, standing: LiveConfig, request: IncomingRequest
    ) -> Awaitable[ICaller]:
        """
        Find out who asks, and count the request; see L{Doorkeeper.admit
        <openclaw.auth.doorkeeper.Doorkeeper.admit>}.
        """
        headers, keeper = request.requestHeaders, standing.doorkeeper
        transport = request.channel.transport
        assert transport is not None
        return keeper.admit(headers, keeper.origin(headers, transport))


def _stranded(http: HTTP, request: IncomingRequest) -> Admission | None:
    """
    Refuse who believes to speak to somebody else: see L{openclaw.server.host_check}.
    """
    channel = request.channel
    if not channel.onLoopback and not (http.allowedHosts and channel.onNetwork):
        return None
    host = request.getHeader(b"host")
    if host is None or isAllowed(host, http.allowedHosts):
        return None
    error = PermissionDenied(
        "The gateway is not known by the name in the Host header. If it should be, add"
        f" the name to `{HOSTS_KEY}` in the gateway's configuration.",
        code="host_not_allowed",
    )
    return Admission(caller=fail(error))


def _preflight(standing: LiveConfig, request: IncomingRequest) -> Admission | None:
    """
    Answer a browser that asks, before it sends a request of a web page, whether it
    may.  It has no token yet.
    """
    origin = request.getHeader(b"origin")
    asked = request.getHeader(b"access-control-request-method")
    if request.method != b"OPTIONS" or origin is None or asked is None:
        return None
    terms = standing.config.gateway.http.cors
    isOpen = standing.doorkeeper.terms.mode == "none"
    if not isOriginAllowed(terms, origin, isOpen=isOpen):
        return Admission(caller=fail(_foreignOrigin()))
    names = request.getHeader(b"access-control-request-headers")
    return Admission(preflight=preflightHeaders(METHODS, names))


def _foreignOrigin() -> PermissionDenied:
    return PermissionDenied(
        f"Pages from this origin may not use the gateway. See `{ORIGINS_KEY}`.",
        code="origin_not_allowed",
    )


def _routed(path: bytes) -> str | None:
    """
    A path as the routes see it, without a slash at its end.

    @return: C{None} for what they can't see right: what does not begin with a slash,
        or is no UTF-8.
    """
    if not path.startswith(b"/"):
        return None
    try:
        plain = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "/" + plain.lstrip("/").removesuffix("/")


def disabled(key: str = ENDPOINT_KEY) -> NotFound:
    """
    The error for those who ask for an endpoint that is off.

    @param key: The configuration's key that switches it on.
    """
    return NotFound(
        "The endpoint is disabled. To enable it, set"
        f" `{key}: true` in the gateway's configuration.",
        code="endpoint_disabled",
    )
