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
Seconds for which a refused caller may go on sending. Closing at once would make their
system throw away the answer before they can read it.
"""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """
    The decision on a request whose headers are complete.

    @ivar caller: Who asks, or a failure with an
        L{openclaw.errors.OpenClawError}; C{None} where nobody needs to be known.
    @ivar bodyBytes: The largest body that is wanted; 0 for none.
    @ivar bodySeconds: How long the whole body may take.
    @ivar headers: For the answer, whatever it will be.
    @ivar live: What holds for the request until it is answered.
    @ivar found: Its route.
    @ivar fault: The answer if it has no route: one that can wait for the body, which is
        thrown away.
    @ivar preflight: The rest of the answer's headers, if this is CORS asking before a
        request: then nobody else answers.
    """

    caller: "Deferred[ICaller] | None" = None
    bodyBytes: int = 0
    bodySeconds: float = LINGER_SECONDS
    headers: Headers = ()
    live: LiveConfig | None = None
    found: RouteMatch | None = None
    fault: OpenClawError | None = None
    preflight: Headers | None = None
