"""
The decision on a request whose headers are complete.
"""

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from openclaw.errors import OpenClawError
from openclaw.interfaces import ICaller
from openclaw.server.cors import Headers
from openclaw.server.live_config import LiveConfig
from openclaw.server.routing import RouteMatch

LINGER_SECONDS = 5.0
"""
Keep reading this long after an early error response, in seconds: closing at once would
reset the connection, and the client could lose the response.
"""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """
    The decision on a request whose headers are complete.

    @ivar caller: The caller, or a failure with an L{openclaw.errors.OpenClawError};
        C{None} if the route needs no authentication.
    @ivar bodyBytes: Limit of the body in bytes; 0 if the route takes no body.
    @ivar bodySeconds: Time limit for the whole body, in seconds.
    @ivar headers: Headers to add to the response, whatever it is.
    @ivar live: The configuration in force for this request.
    @ivar match: The route.
    @ivar error: The response if there is no route. It is sent after the body, which is
        discarded.
    @ivar preflight: The remaining headers of the response, if this is a CORS preflight:
        no resource is called then.
    """

    caller: "Deferred[ICaller] | None" = None
    bodyBytes: int = 0
    bodySeconds: float = LINGER_SECONDS
    headers: Headers = ()
    live: LiveConfig | None = None
    match: RouteMatch | None = None
    error: OpenClawError | None = None
    preflight: Headers | None = None
