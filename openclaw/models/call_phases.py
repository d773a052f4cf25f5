"""
The phases and time-outs of one HTTP call to a model provider.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """
    Time-outs in seconds: for the connection, and between two reads.
    """

    connect: float
    idle: float


class Phase(Enum):
    """
    The phases of a call: C{CONNECTING}; waiting for the response's headers; reading its
    body; reading the body of an error response; C{done} has fired, and the connection
    may still be open; closed.
    """

    CONNECTING = "connecting"
    SENT = "sent"
    ANSWERING = "answering"
    REFUSING = "refusing"
    ENDED = "ended"
    CLOSED = "closed"


TRANSITIONS: Mapping[Phase, Collection[Phase]] = {
    Phase.CONNECTING: (Phase.SENT, Phase.ENDED),
    # If a pooled connection is lost now, it is replaced by a new one, once.
    Phase.SENT: (Phase.CONNECTING, Phase.ANSWERING, Phase.REFUSING, Phase.ENDED),
    Phase.ANSWERING: (Phase.ENDED,),
    # A rejected request can be sent in another form, once.
    Phase.REFUSING: (Phase.CONNECTING, Phase.ENDED),
    Phase.ENDED: (Phase.CLOSED,),
    Phase.CLOSED: (),
}
"""
The phases that may follow each phase.
"""
