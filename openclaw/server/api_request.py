"""
The request that resources get: parsed, with an authenticated caller and a complete
body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.web.http_headers import Headers

from openclaw.errors import InternalError
from openclaw.interfaces import ICaller
from openclaw.server.error_responses import JSON
from openclaw.server.live_config import LiveConfig


class ResponseWriter(Protocol):
    """
    The response to a request, as resources write it.

    @ivar disconnected: True once the client has disconnected.
    """

    @property
    def disconnected(self) -> bool: ...

    def setHeader(self, name: str | bytes, value: str | bytes) -> None:
        """
        Set a header. To be called before the first L{write}.
        """

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """
        Set the status. To be called before the first L{write}.
        """

    def write(self, data: bytes) -> None:
        """
        Write a part of the body.
        """

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Register the producer to pause while the client reads slowly.
        """

    def unregisterProducer(self) -> None: ...

    def abort(self) -> None:
        """
        Close the connection at once, so that the client can't take the part that was
        sent for a complete response.
        """

    def retainBodyReservation(self) -> Callable[[], None]:
        """
        Keep the memory of the body reserved beyond the end of the request.

        @return: Releases it; to be called once.
        """


@dataclass(kw_only=True, slots=True)
class ApiRequest:
    """
    A request that has passed the access checks.

    @ivar requestID: The request's ID in the log and in C{x-request-id}.
    @ivar arrivedAt: The reactor time at which the request was complete.
    @ivar isHead: True for C{HEAD}: the response has no body.
    @ivar admittedCaller: The caller; C{None} if the route needs no authentication.
    @ivar live: The configuration that was in force when the headers had arrived.
    @ivar headers: The request's headers; see L{decodeHeaders}.
    @ivar body: The whole body.
    @ivar response: The response.
    """

    requestID: str
    arrivedAt: float
    isHead: bool
    admittedCaller: ICaller | None
    live: LiveConfig
    headers: Mapping[str, str]
    body: bytes
    response: ResponseWriter

    @property
    def caller(self) -> ICaller:
        """
        The caller, on a route that has a scope.
        """
        if self.admittedCaller is None:
            raise InternalError("The gateway failed.")
        return self.admittedCaller

    def discardInput(self) -> None:
        """
        Drop the headers and the body once they are parsed: the response may take long.
        """
        self.headers, self.body = {}, b""

    def respond(self, body: bytes, contentType: str | bytes = JSON) -> None:
        """
        Send a complete body.
        """
        self.response.setHeader(b"content-type", contentType)
        self.response.setHeader(b"content-length", b"%d" % len(body))
        self.response.write(body)


def decodeHeaders(headers: Headers) -> Mapping[str, str]:
    """
    Return the headers by their names in lower case, each with its last value as text:
    UTF-8, or else Latin-1.
    """
    return {
        name.decode("latin-1").lower(): _decode(values[-1])
        for name, values in headers.getAllRawHeaders()
    }


def _decode(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
