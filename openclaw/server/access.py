"""
Access checks: decide on a request from its method, path and headers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from twisted.internet.defer import Deferred, fail

from openclaw.config import HTTP
from openclaw.errors import MethodNotAllowed, NotFound, OpenClawError, PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.server.admission import Admission
from openclaw.server.cors import (
    isCrossSite,
    isOriginAllowed,
    originHeaders,
    preflightHeaders,
)
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.host_check import isHostAllowed
from openclaw.server.live_config import LiveConfig
from openclaw.server.routing import RouteTable, isValidPath

ALLOWED_METHODS = ("GET", "HEAD", "POST")
"""
Methods that some route has, for C{Allow} and for CORS.
"""

HOSTS_KEY = "gateway.http.allowedHosts"
ORIGINS_KEY = "gateway.http.cors.allowedOrigins"


class AccessCheck:
    """
    Decides which requests need a caller, and which may have a body.
    """

    def __init__(self, live: Callable[[], LiveConfig], routes: RouteTable) -> None:
        """
        @param live: Return the configuration in force.

        @param routes: The route table.
        """
        self._live = live
        self._routes = routes

    def admit(self, request: GatewayRequest) -> Admission:
        live = self._live()
        http = live.config.gateway.http
        admission = _checkHost(http, request)
        if not http.cors.allowedOrigins:
            return admission or self._route(live, request)
        headers = originHeaders(http.cors, request.getHeader(b"origin"))
        admission = (
            admission or _answerPreflight(live, request) or self._route(live, request)
        )
        return replace(admission, headers=headers)

    def _route(self, live: LiveConfig, request: GatewayRequest) -> Admission:
        if request.method == b"CONNECT":
            error = MethodNotAllowed("The gateway is not a proxy.", ALLOWED_METHODS)
            return Admission(caller=fail(error))
        if (request.method, request.uri) == (b"OPTIONS", b"*"):
            return Admission(
                preflight=((b"allow", ", ".join(ALLOWED_METHODS).encode()),)
            )
        if not isValidPath(request.path):
            return Admission(caller=fail(NotFound("The path is not valid.")))
        try:
            match = self._routes.match(request.method, request.path)
        except OpenClawError as error:
            return Admission(error=error)
        route, http = match.route, live.config.gateway.http
        for switch in route.switches:
            if not switch.isEnabled(http):
                return Admission(caller=fail(switch.disabled()))
        if match.error is not None:
            return Admission(error=match.error)
        caller = None
        if route.scope is not None and not route.isPublic(http):
            caller = self._caller(live, request, route.scope)
        if not route.takesBody:
            return Admission(live=live, match=match, caller=caller)
        endpoint = http.endpoints.chatCompletions
        return Admission(
            live=live,
            match=match,
            caller=caller,
            bodyBytes=endpoint.maxBodyBytes,
            bodySeconds=endpoint.bodyTimeoutSeconds,
        )

    def _caller(
        self, live: LiveConfig, request: GatewayRequest, scope: str
    ) -> "Deferred[ICaller]":
        doorkeeper, headers = live.doorkeeper, request.requestHeaders
        cors = live.config.gateway.http.cors
        if isCrossSite(cors, headers) and doorkeeper.hasAmbientCredential(headers):
            return fail(_originNotAllowed())

        async def identify() -> ICaller:
            caller = await self.identify(live, request)
            if not caller.hasScope(scope):
                raise PermissionDenied(f"missing scope: {scope}", code="missing_scope")
            return caller

        return Deferred.fromCoroutine(identify())

    def identify(self, live: LiveConfig, request: GatewayRequest) -> Awaitable[ICaller]:
        """
        Authenticate the caller and count the request; see L{Doorkeeper.admit
        <openclaw.auth.doorkeeper.Doorkeeper.admit>}.
        """
        headers, doorkeeper = request.requestHeaders, live.doorkeeper
        transport = request.channel.transport
        assert transport is not None
        return doorkeeper.admit(headers, doorkeeper.origin(headers, transport))


def _checkHost(http: HTTP, request: GatewayRequest) -> Admission | None:
    """
    Reject unknown Host headers (DNS rebinding); see L{openclaw.server.host_check}.
    """
    channel = request.channel
    if not channel.onLoopback and not (http.allowedHosts and channel.onNetwork):
        return None
    host = request.getHeader(b"host")
    if host is None or isHostAllowed(host, http.allowedHosts):
        return None
    error = PermissionDenied(
        "The Host header names a host that the gateway does not serve. To allow it, add"
        f" it to `{HOSTS_KEY}` in the gateway's configuration.",
        code="host_not_allowed",
    )
    return Admission(caller=fail(error))


def _answerPreflight(live: LiveConfig, request: GatewayRequest) -> Admission | None:
    """
    Answer a CORS preflight request. It has no credential yet.
    """
    origin = request.getHeader(b"origin")
    asked = request.getHeader(b"access-control-request-method")
    if request.method != b"OPTIONS" or origin is None or asked is None:
        return None
    cors = live.config.gateway.http.cors
    authDisabled = live.doorkeeper.policy.mode == "none"
    if not isOriginAllowed(cors, origin, authDisabled=authDisabled):
        return Admission(caller=fail(_originNotAllowed()))
    names = request.getHeader(b"access-control-request-headers")
    return Admission(preflight=preflightHeaders(ALLOWED_METHODS, names))


def _originNotAllowed() -> PermissionDenied:
    return PermissionDenied(
        f"Web pages from this origin may not use the gateway. See `{ORIGINS_KEY}`.",
        code="origin_not_allowed",
    )
