"""
The states of a request while it is received.
"""

from enum import Enum


class RequestState(Enum):
    """
    The phase of receiving a request.

    @cvar HEADERS: The headers are arriving.
    @cvar BODY: The body is arriving, or may arrive.
    @cvar COMPLETE: The request is complete, and a resource responds.
    @cvar EARLY: A resource responds, though the body was not sent: it is not wanted,
        and the client waits for C{100 Continue}.
    @cvar REJECTED: An error was sent before the body was complete. The rest of the body
        is discarded.
    @cvar DROPPED: The connection is about to be closed.
    """

    HEADERS = "headers"
    BODY = "body"
    COMPLETE = "complete"
    EARLY = "early"
    REJECTED = "rejected"
    DROPPED = "dropped"


NEXT_STATES = {
    RequestState.HEADERS: {RequestState.BODY, RequestState.DROPPED},
    RequestState.BODY: {
        RequestState.COMPLETE,
        RequestState.EARLY,
        RequestState.REJECTED,
        RequestState.DROPPED,
    },
    RequestState.COMPLETE: {RequestState.DROPPED},
    RequestState.EARLY: {RequestState.DROPPED},
    RequestState.REJECTED: {RequestState.DROPPED},
    RequestState.DROPPED: {RequestState.DROPPED},
}
"""
The states that may follow each state.
"""
