"""
Routes: path, methods, scope and body of each resource, in one table.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from klein import Klein
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as RouteMethodNotAllowed

from openclaw.config import HTTP
from openclaw.errors import NotFound, OpenClawError
from openclaw.server.error_responses import buildMethodNotAllowed, pathNotFound

Predicate = Callable[[HTTP], bool]
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Switch:
    """
    A configuration key that enables an endpoint.

    @ivar key: The key, for the error message.
    @ivar isEnabled: Return the key's value.
    """

    key: str
    isEnabled: Predicate

    def disabled(self) -> NotFound:
        """
        Return the error for requests to the endpoint while it is disabled.
        """
        return NotFound(
            "The endpoint is disabled. To enable it, set"
            f" `{self.key}: true` in the gateway's configuration.",
            code="endpoint_disabled",
        )


@dataclass(frozen=True)
class Route(Generic[R]):
    """
    One line of the table.

    @ivar method: C{POST}, or C{GET}, which includes C{HEAD}.
    @ivar path: The path in Werkzeug's syntax, such as C{/v1/runs/<runID>}.
    @ivar handler: Return the handler from the resources: a callable of the
        L{openclaw.server.api_request.ApiRequest} and the path's variables.
    @ivar scope: The scope that the caller needs; C{None} if no authentication is
        needed.
    @ivar switches: The keys that must be enabled.
    @ivar takesBody: True if the route takes a body, within the configured limits.
    @ivar isPublic: Return whether the configuration waives the scope.
    """

    method: str
    path: str
    handler: Callable[[R], Callable[..., Awaitable[object]]]
    scope: str | None = None
    switches: Sequence[Switch] = ()
    takesBody: bool = False
    isPublic: Predicate = lambda http: False


@dataclass(frozen=True, kw_only=True)
class RouteMatch:
    """
    The route of a request.

    @ivar endpoint: The route's name in Klein.
    @ivar arguments: The values of the path's variables.
    @ivar error: The error if the route does not have the request's method.
    """

    route: Route[Any]
    endpoint: str
    arguments: Mapping[str, str]
    error: OpenClawError | None = None


class RouteTable:
    """
    All routes, as a Klein application.

    @ivar app: The Klein application.
    """

    def __init__(self, routes: Sequence[Route[R]], resources: R) -> None:
        self.app = Klein()
        # API clients do not expect redirects.
        self.app.url_map.strict_slashes = False
        self.app.url_map.merge_slashes = False
        self._routes: dict[str, Route[R]] = {}
        for route in routes:
            name = f"{route.method} {route.path}"
            self._routes[name] = route
            handler: Any = route.handler(resources)
            self.app.route(route.path, methods=[route.method], endpoint=name)(handler)
        self._match = self.app.url_map.bind("gateway").match

    def match(self, method: bytes, path: bytes) -> RouteMatch:
        """
        Find the route of a request.

        @raise NotFound: No route has that path.
        """
        decoded, text = _decodePath(path), method.decode("latin-1")
        error = None
        try:
            rule, arguments = self._match(decoded, text, return_rule=True)
        except RouteMethodNotAllowed as raised:
            allowed = set(raised.valid_methods or ()) - {"OPTIONS"}
            error = buildMethodNotAllowed(path, method, allowed)
            rule, arguments = self._match(decoded, min(allowed), return_rule=True)
        except HTTPException:
            raise pathNotFound(path) from None
        return RouteMatch(
            route=self._routes[rule.endpoint],
            endpoint=rule.endpoint,
            arguments=arguments,
            error=error,
        )


def isValidPath(path: bytes) -> bool:
    """
    Return whether a path begins with a slash and is UTF-8. Werkzeug would misread
    others.
    """
    try:
        return path[:1] == b"/" and bool(_decodePath(path))
    except UnicodeDecodeError:
        return False


def _decodePath(path: bytes) -> str:
    return "/" + unquote_to_bytes(path).decode("utf-8").lstrip("/")
