"""
The states of a request until all of it has arrived.
"""

from enum import Enum


class RequestState(Enum):
    """
    The phase of a request until all of it was there.

    @cvar HEADERS: Its headers arrive.
    @cvar BODY: Its body arrives, or could.
    @cvar COMPLETE: All of it is there, and a resource answers.
    @cvar EARLY: A resource answers, though the body, which nobody wants, was not sent:
        its sender waits to be told to.
    @cvar REFUSED: The answer is an error, which was sent before the body was complete.
        The rest of the body is thrown away.
    @cvar DROPPED: The connection is about to be closed.
    """

    HEADERS = "headers"
    BODY = "body"
    COMPLETE = "complete"
    EARLY = "early"
    REFUSED = "refused"
    DROPPED = "dropped"


NEXT_STATES = {
    RequestState.HEADERS: {RequestState.BODY, RequestState.DROPPED},
    RequestState.BODY: {
        RequestState.COMPLETE,
        RequestState.EARLY,
        RequestState.REFUSED,
        RequestState.DROPPED,
    },
    RequestState.COMPLETE: {RequestState.DROPPED},
    RequestState.EARLY: {RequestState.DROPPED},
    RequestState.REFUSED: {RequestState.DROPPED},
    RequestState.DROPPED: {RequestState.DROPPED},
}
"""
The states that may follow each.
"""
