"""
The door's rules: what is decided from the headers alone.
"""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred

from openclaw.errors import PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.web.site import Admission, GatewayRequest
from openclaw.web.standing import Standing

COMPLETIONS = b"/v1/chat/completions"
MODELS = b"/v1/models"


class GatewayDoor:
    """
    Knows which requests need a caller, and which may bring a body.
    """

    def __init__(self, standing: Callable[[], Standing]) -> None:
        """
        @param standing: What holds at the time of the request.
        """
        self._standing = standing

    def admit(self, request: GatewayRequest) -> Admission:
        """
        See L{openclaw.web.site.Door.admit}.
        """
        standing = self._standing()
        endpoint = standing.config.gateway.http.endpoints.chatCompletions
        path = unquote_to_bytes(request.path).rstrip(b"/")
        if not endpoint.enabled:
            return Admission()
        if path == COMPLETIONS and request.method == b"POST":
            return Admission(
                caller=self._caller(standing, request, "operator.write"),
                bodyBytes=endpoint.maxBodyBytes,
                bodySeconds=endpoint.bodyTimeoutSeconds,
            )
        if path.startswith(MODELS) and request.method in (b"GET", b"HEAD"):
            return Admission(caller=self._caller(standing, request, "operator.read"))
        return Admission()

    def _caller(
        self, standing: Standing, request: GatewayRequest, scope: str
    ) -> "Deferred[ICaller]":
        async def identify() -> ICaller:
            caller = await standing.doorkeeper.admit(
                request.getHeader(b"authorization"),
                request.getHeader(b"x-openclaw-scopes"),
            )
            if not caller.hasScope(scope):
                raise PermissionDenied(f"missing scope: {scope}", code="missing_scope")
            return caller

        return Deferred.fromCoroutine(identify())


__all__ = ["GatewayDoor"]
