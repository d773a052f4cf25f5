"""
The door's rules: what is decided from the headers alone.
"""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred, fail

from openclaw.errors import NotFound, PermissionDenied
from openclaw.interfaces import ICaller
from openclaw.web.site import Admission, GatewayRequest
from openclaw.web.standing import Standing

COMPLETIONS = "/v1/chat/completions"
MODELS = "/v1/models"
ENDPOINT_KEY = "gateway.http.endpoints.chatCompletions.enabled"
"""
The configuration's key that switches the endpoint on.
"""


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
        path = _routed(request.path)
        if path is None:
            return Admission(caller=fail(NotFound("Nothing can be at that path.")))
        ofModels = path == MODELS or path.startswith(f"{MODELS}/")
        if not endpoint.enabled and (ofModels or path == COMPLETIONS):
            return Admission(caller=fail(disabled()))
        if path == COMPLETIONS and request.method == b"POST":
            return Admission(
                caller=self._caller(standing, request, "operator.write"),
                bodyBytes=endpoint.maxBodyBytes,
                bodySeconds=endpoint.bodyTimeoutSeconds,
            )
        if ofModels and request.method in (b"GET", b"HEAD"):
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


def disabled() -> NotFound:
    """
    The error for those who ask for an endpoint that is off.
    """
    return NotFound(
        "The endpoint is disabled. To enable it, set"
        f" `{ENDPOINT_KEY}: true` in the gateway's configuration.",
        code="endpoint_disabled",
    )


__all__ = ["ENDPOINT_KEY", "GatewayDoor", "disabled"]
