"""
What is said to a request whose headers are complete, and who says it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred

from openclaw.interfaces import ICaller
from openclaw.web.cors import Headers

if TYPE_CHECKING:
    from openclaw.web.incoming import IncomingRequest

LINGER_SECONDS = 5.0
"""
How long a refused caller may go on sending.  Closing at once would make their system
throw away the answer before they can read it.
"""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """
    What the door says to a request whose headers are complete.

    @ivar caller: Who asks, or a failure with an
        L{openclaw.errors.OpenClawError}; C{None} where nobody needs to be known.
    @ivar bodyBytes: The largest body that is wanted; 0 for none.
    @ivar bodySeconds: How long the whole body may take.
    @ivar headers: For the answer, whatever it will be.
    @ivar preflight: The rest of the answer's headers, if this is CORS asking before a
        request: then nobody else answers.
    """

    caller: "Deferred[ICaller] | None" = None
    bodyBytes: int = 0
    bodySeconds: float = LINGER_SECONDS
    headers: Headers = ()
    preflight: Headers | None = None


class Door(Protocol):
    """
    Who decides.
    """

    def admit(self, request: "IncomingRequest") -> Admission:
        """
        Look at a request of which only the method, the path and the headers are
        there.
        """


__all__ = ["LINGER_SECONDS", "Admission", "Door"]
