"""
Routes: the path, the methods, the scope and the body of each resource, in one table.
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
from openclaw.server.error_responses import methodNotAllowed, nothingAt

Enabled = Callable[[HTTP], bool]
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Switch:
    """
    A key of the configuration that an endpoint needs to be on.

    @ivar key: The key, for the error.
    @ivar isOn: Tell its value.
    """

    key: str
    isOn: Enabled

    def disabled(self) -> NotFound:
        """
        Return the error for those who ask for an endpoint that is off.
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

    @ivar method: C{GET}, which means C{HEAD}, too, or C{POST}.
    @ivar path: The path, in werkzeug's form, such as C{/v1/runs/<runID>}.
    @ivar handler: Return what answers the requests, of all that can: a callable of the
        L{openclaw.server.api_request.ApiRequest} and the path's variables.
    @ivar scope: The scope that a caller needs; C{None} if anybody may ask.
    @ivar switches: What needs to be on in the configuration.
    @ivar takesBody: Is a body wanted, within the endpoint's limits?
    @ivar isOpen: Tell if nobody needs the scope, as things are configured.
    """

    method: str
    path: str
    handler: Callable[[R], Callable[..., Awaitable[object]]]
    scope: str | None = None
    switches: Sequence[Switch] = ()
    takesBody: bool = False
    isOpen: Enabled = lambda http: False


@dataclass(frozen=True, kw_only=True)
class RouteMatch:
    """
    The route of a request.

    @ivar endpoint: The route's name in Klein.
    @ivar arguments: The values of the path's variables.
    @ivar fault: The error, if it is not the request's method.
    """

    route: Route[Any]
    endpoint: str
    arguments: Mapping[str, str]
    fault: OpenClawError | None = None


class RouteTable:
    """
    All routes, as Klein knows them.

    @ivar app: The Klein application.
    """

    def __init__(self, routes: Sequence[Route[R]], resources: R) -> None:
        self.app = Klein()
        # A redirect helps no API client.
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

        @raise NotFound: There is nothing at that path.
        """
        plain, asked = _plain(path), method.decode("latin-1")
        fault = None
        try:
            rule, arguments = self._match(plain, asked, return_rule=True)
        except RouteMethodNotAllowed as error:
            allowed = set(error.valid_methods or ()) - {"OPTIONS"}
            fault = methodNotAllowed(path, method, allowed)
            rule, arguments = self._match(plain, min(allowed), return_rule=True)
        except HTTPException:
            raise nothingAt(path) from None
        return RouteMatch(
            route=self._routes[rule.endpoint],
            endpoint=rule.endpoint,
            arguments=arguments,
            fault=fault,
        )


def isPossible(path: bytes) -> bool:
    """
    Could anything be at a path?  What does not begin with a slash, or is no UTF-8, the
    routes can't see right.
    """
    try:
        return path[:1] == b"/" and bool(_plain(path))
    except UnicodeDecodeError:
        return False


def _plain(path: bytes) -> str:
    return "/" + unquote_to_bytes(path).decode("utf-8").lstrip("/")
