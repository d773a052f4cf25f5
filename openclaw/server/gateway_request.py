"""
A request as the resources have it, and its answer.
"""

from io import BytesIO

from twisted.internet.defer import Deferred, succeed
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers

from openclaw.errors import InternalError
from openclaw.interfaces import ICaller
from openclaw.server.incoming_request import IncomingRequest

NOTHING = Headers()


class GatewayRequest(IncomingRequest):
    """
    A request and its answer, as resources use it.
    """

    __slots__ = ()

    async def caller(self) -> ICaller:
        """
        Return the caller.

        @raise OpenClawError: Nobody who may come in.
        """
        if self._caller is None:
            raise InternalError("The gateway failed.")
        found = await self._caller
        if isinstance(found, BaseException):
            raise found
        return found

    def whenKnown(self) -> "Deferred[ICaller | None]":
        """
        Wait until it is clear who asks.

        @return: C{None} for nobody who may come in, or if nobody needs to be known.
        """
        if self._caller is None:
            return succeed(None)
        known: Deferred[ICaller | None] = Deferred()

        def tell(found: ICaller | BaseException) -> ICaller | BaseException:
            known.callback(None if isinstance(found, BaseException) else found)
            return found

        self._caller.addCallback(tell)
        return known

    def header(self, name: str) -> str | None:
        """
        A request header as text.  Bytes that are no UTF-8 are taken for Latin-1.
        """
        values = self.requestHeaders.getRawHeaders(name.encode())
        if values is None:
            return None
        raw: bytes = values[-1]
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def body(self) -> bytes:
        """
        The whole body.
        """
        assert isinstance(self.content, BytesIO)
        return self.content.getvalue()

    def forget(self) -> None:
        """
        Keep nothing of what the caller sent: it was read, and the answer may take
        long.
        """
        self.content = BytesIO()
        self.requestHeaders = NOTHING

    def getRequestHostname(self) -> bytes:
        """
        A name for Klein, which could route by it.  The real one is the caller's word,
        and need not even be a name.
        """
        return b"gateway"

    def write(self, data: bytes) -> None:
        """
        Send some of the answer.  What goes out in chunks is one write each: Twisted's
        own way there takes 3 µs more.

        Nothing follows the headers of an answer that has no body.  Twisted replaces
        this method then, which those who hold the old one don't see.
        """
        if self.chunked and data and not (self.finished or self._disconnected):
            transport = self.channel.transport
            assert transport is not None
            transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif not self.startedWriting or self._mayHaveBody():
            super().write(data)

    def _mayHaveBody(self) -> bool:
        return self.method != b"HEAD" and self.code not in NO_BODY_CODES

    def tellTime(self) -> None:
        """
        The answer begins: say how long that took.
        """
        took = self.channel.site.reactor.seconds() - self.arrivedAt
        # The clock of the machine can be set back.
        milliseconds = b"%d" % max(took * 1000, 0)
        self.responseHeaders.setRawHeaders(b"openai-processing-ms", [milliseconds])
