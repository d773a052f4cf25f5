"""
The decision on a request from its headers alone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from twisted.internet.defer import Deferred, fail

from openclaw.config import HTTP
from openclaw.errors import MethodNotAllowed, NotFound, OpenClawError, PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.server.admission import Admission
from openclaw.server.cors import (
    isFromOtherSite,
    isOriginAllowed,
    originHeaders,
    preflightHeaders,
)
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.host_check import isAllowed
from openclaw.server.live_config import LiveConfig
from openclaw.server.routing import RouteTable, isPossible

METHODS = ("GET", "HEAD", "POST")
"""
Those that any path has.
"""

HOSTS_KEY = "gateway.http.allowedHosts"
ORIGINS_KEY = "gateway.http.cors.allowedOrigins"


class AccessCheck:
    """
    Knows which requests need a caller, and which may bring a body.
    """

    def __init__(self, live: Callable[[], LiveConfig], routes: RouteTable) -> None:
        """
        @param live: Return what holds at the time of the request.

        @param routes: What requests are for.
        """
        self._live = live
        self._routes = routes

    def admit(self, request: GatewayRequest) -> Admission:
        """
        See L{openclaw.server.request_channel.Access.admit}.
        """
        live = self._live()
        http = live.config.gateway.http
        admission = _misdirected(http, request)
        if not http.cors.allowedOrigins:
            return admission or self._route(live, request)
        headers = originHeaders(http.cors, request.getHeader(b"origin"))
        admission = admission or _preflight(live, request) or self._route(live, request)
        return replace(admission, headers=headers)

    def _route(self, live: LiveConfig, request: GatewayRequest) -> Admission:
        if request.method == b"CONNECT":
            error = MethodNotAllowed("The gateway is no proxy.", METHODS)
            return Admission(caller=fail(error))
        if (request.method, request.uri) == (b"OPTIONS", b"*"):
            return Admission(preflight=((b"allow", ", ".join(METHODS).encode()),))
        if not isPossible(request.path):
            return Admission(caller=fail(NotFound("Nothing can be at that path.")))
        try:
            found = self._routes.match(request.method, request.path)
        except OpenClawError as error:
            return Admission(fault=error)
        route, http = found.route, live.config.gateway.http
        for switch in route.switches:
            if not switch.isOn(http):
                return Admission(caller=fail(switch.disabled()))
        if found.fault is not None:
            return Admission(fault=found.fault)
        caller = None
        if route.scope is not None and not route.isOpen(http):
            caller = self._caller(live, request, route.scope)
        if not route.takesBody:
            return Admission(live=live, found=found, caller=caller)
        endpoint = http.endpoints.chatCompletions
        return Admission(
            live=live,
            found=found,
            caller=caller,
            bodyBytes=endpoint.maxBodyBytes,
            bodySeconds=endpoint.bodyTimeoutSeconds,
        )

    def _caller(
        self, live: LiveConfig, request: GatewayRequest, scope: str
    ) -> "Deferred[ICaller]":
        doorkeeper, headers = live.doorkeeper, request.requestHeaders
        terms = live.config.gateway.http.cors
        if isFromOtherSite(terms, headers) and doorkeeper.isAmbient(headers):
            return fail(_foreignOrigin())

        async def identify() -> ICaller:
            caller = await self.identify(live, request)
            if not caller.hasScope(scope):
                raise PermissionDenied(f"missing scope: {scope}", code="missing_scope")
            return caller

        return Deferred.fromCoroutine(identify())

    def identify(self, live: LiveConfig, request: GatewayRequest) -> Awaitable[ICaller]:
        """
        Find out who asks, and count the request; see L{Doorkeeper.admit
        <openclaw.auth.doorkeeper.Doorkeeper.admit>}.
        """
        headers, doorkeeper = request.requestHeaders, live.doorkeeper
        transport = request.channel.transport
        assert transport is not None
        return doorkeeper.admit(headers, doorkeeper.origin(headers, transport))


def _misdirected(http: HTTP, request: GatewayRequest) -> Admission | None:
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


def _preflight(live: LiveConfig, request: GatewayRequest) -> Admission | None:
    """
    Answer a browser that asks, before it sends a request of a web page, whether it
    may.  It has no token yet.
    """
    origin = request.getHeader(b"origin")
    asked = request.getHeader(b"access-control-request-method")
    if request.method != b"OPTIONS" or origin is None or asked is None:
        return None
    terms = live.config.gateway.http.cors
    isOpen = live.doorkeeper.terms.mode == "none"
    if not isOriginAllowed(terms, origin, isOpen=isOpen):
        return Admission(caller=fail(_foreignOrigin()))
    names = request.getHeader(b"access-control-request-headers")
    return Admission(preflight=preflightHeaders(METHODS, names))


def _foreignOrigin() -> PermissionDenied:
    return PermissionDenied(
        f"Pages from this origin may not use the gateway. See `{ORIGINS_KEY}`.",
        code="origin_not_allowed",
    )
