"""
A request as the resources see it: parsed once, with its caller let in and its body
there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.web.http_headers import Headers

from openclaw.errors import InternalError
from openclaw.interfaces import ICaller
from openclaw.server.error_responses import JSON
from openclaw.server.live_config import LiveConfig

NOTHING = Headers()


class ResponseWriter(Protocol):
    """
    The answer to a request, as who makes it writes it.

    @ivar gone: Has the caller gone away?
    """

    @property
    def gone(self) -> bool:
        """
        See the class.
        """

    def setHeader(self, name: str | bytes, value: str | bytes) -> None:
        """
        Set a header, before anything is written.
        """

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """
        Set the status, likewise.
        """

    def write(self, data: bytes) -> None:
        """
        Send some of the body.
        """

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Have something paused while the caller reads slowly.
        """

    def unregisterProducer(self) -> None:
        """
        Have it paused no more.
        """

    def abort(self) -> None:
        """
        Cut the connection: the caller shall not take what came for a whole answer.
        """

    def keepRoom(self) -> Callable[[], None]:
        """
        Let the room for the body stay taken when the request is over.

        @return: What gives it back.  To be called once.
        """


@dataclass(kw_only=True, slots=True)
class ApiRequest:
    """
    A request that may be answered.

    @ivar requestID: Its name in logs and in C{x-request-id}.
    @ivar arrivedAt: When all of it was there, by the reactor's clock.
    @ivar isHead: Is this C{HEAD}, so that the answer has no body?
    @ivar found: The caller; C{None} where nobody needs to be known.
    @ivar live: What held when its headers were there, and holds until it is answered.
    @ivar headers: Its headers.
    @ivar body: All of the body.
    @ivar response: The answer.
    """

    requestID: str
    arrivedAt: float
    isHead: bool
    found: ICaller | None
    live: LiveConfig
    headers: Headers
    body: bytes
    response: ResponseWriter

    @property
    def caller(self) -> ICaller:
        """
        The caller, on a route with a scope.
        """
        if self.found is None:
            raise InternalError("The gateway failed.")
        return self.found

    def header(self, name: str) -> str | None:
        """
        A header as text; see L{headerText}.
        """
        return headerText(self.headers, name)

    def forget(self) -> None:
        """
        Keep nothing of what the caller sent: it was read, and the answer may take
        long.
        """
        self.headers, self.body = NOTHING, b""

    def respond(self, body: bytes, contentType: str | bytes = JSON) -> None:
        """
        Send a whole body.
        """
        self.response.setHeader(b"content-type", contentType)
        self.response.setHeader(b"content-length", b"%d" % len(body))
        self.response.write(body)


def headerText(headers: Headers, name: str) -> str | None:
    """
    A header as text.  Bytes that are no UTF-8 are taken for Latin-1.
    """
    values = headers.getRawHeaders(name.encode())
    if values is None:
        return None
    raw: bytes = values[-1]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
