"""
The two bodies of an HTTP call: what goes out, and where goes what comes in.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from openclaw.models.connections import Reads


@implementer(IBodyProducer)
class RequestBody:
    """
    The request's body; being asked for it tells that there is a connection.

    @ivar length: Its length in bytes.
    @ivar started: There is a connection.
    """

    def __init__(self, payload: bytes, onStart: Callable[[], None]) -> None:
        self.length = len(payload)
        self.started = False
        self._payload = payload
        self._onStart = onStart

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        """
        Write it all.
        """
        self.started = True
        self._onStart()
        payload, self._payload = self._payload, b""
        # Twisted's client leaves its requests to the garbage collector.
        self._onStart = _nothing
        consumer.write(payload)
        return succeed(None)

    def pauseProducing(self) -> None:
        """
        All has been written at once.
        """

    def resumeProducing(self) -> None:
        """
        All has been written at once.
        """

    def stopProducing(self) -> None:
        """
        All has been written at once.
        """


def _nothing() -> None:
    """
    Do nothing.
    """


class ResponseBody(Protocol):
    """
    Where a response's body goes: all that one read brought at once.
    """

    def __init__(
        self,
        reads: Reads,
        onStart: Callable[[IPushProducer], None],
        onData: Callable[[bytes], None],
        onEnd: Callable[[Failure], None],
    ) -> None:
        """
        @param onStart: Called with what pauses the body.

        @param onData: Called with each piece of it.

        @param onEnd: Called once, with why it ended.
        """
        self._reads = reads
        self._onStart = onStart
        self._onData = onData
        self._onEnd = onEnd
        self._came: list[bytes] = []

    def connectionMade(self) -> None:
        """
        The body begins.
        """
        assert self.transport is not None
        self._onStart(self.transport)  # type: ignore[arg-type]

    def dataReceived(self, data: bytes) -> None:
        """
        Some of it came.
        """
        self._came.append(data)
        if len(self._came) == 1:
            self._reads.afterwards(self._handOver)

    def _handOver(self) -> None:
        came, self._came = self._came, []
        if came:
            self._onData(b"".join(came))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The body has ended.
        """
        self._handOver()
        self._onEnd(reason)


__all__ = ["RequestBody", "ResponseBody"]
