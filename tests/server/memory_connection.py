"""
Both ends of a connection to a gateway, in memory.
"""

from dataclasses import dataclass
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.api.sse_reader import Frame, framesOf

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Line(StringTransport):
    """
    The gateway's end of a connection.  Like a TCP transport, it reports the loss of the
    connection after the last bytes and in a later reactor iteration, first to its
    producer and then to its protocol.

    @ivar writes: The bytes of each write, in order.
    @ivar stuck: Whether the other side reads nothing, so that the last bytes are never
        sent.
    @ivar full: Whether the send buffer is full, so that producers are paused.
    @ivar aborted: Whether the connection was aborted.
    """

    def __init__(self, protocol):
        """
        Connect a protocol.
        """
        super().__init__(lenient=True)
        self.protocol = protocol
        self.writes = []
        self.stuck = False
        self.full = False
        self.aborted = False
        protocol.makeConnection(self)

    def write(self, data):
        if self.connected and not self.aborted and data:
            self.writes.append(data)
            super().write(data)
            if self.full and self.producer is not None:
                self.producer.pauseProducing()

    def writeSequence(self, data):
        self.write(b"".join(data))

    def abortConnection(self):
        self.aborted = True
        super().abortConnection()

    def unregisterProducer(self):
        """
        Remove the producer, if there is one.
        """
        self.producer = self.streaming = None

    def settle(self):
        """
        Run the events of the next reactor iterations.
        """
        if self.connected and self.aborted:
            self.end(ConnectionAborted())
        elif self.connected and self.disconnecting and not self.stuck:
            self.end(ConnectionDone())

    def end(self, reason):
        """
        Report the loss of the connection.
        """
        self.connected = False
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


@dataclass(frozen=True)
class Answer:
    """
    An HTTP response.

    @ivar headers: By their lower-case names.
    @ivar complete: Whether the response is complete, as far as HTTP shows that.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    @property
    def json(self):
        """
        Return the decoded JSON body.
        """
        return msgspec.json.decode(self.body)

    @property
    def error(self):
        """
        Return the error in the body.
        """
        return self.json["error"]

    @property
    def frames(self) -> list[Frame]:
        """
        Return the frames of an event stream so far.
        """
        return framesOf(self.body)

    @property
    def text(self) -> str:
        """
        Return the text of the reply so far.
        """
        if not self.headers["content-type"].startswith("text/event-stream"):
            return self.json["choices"][0]["message"]["content"]
        return "".join(
            choice["delta"].get("content", "")
            for frame in self.frames
            if isinstance(frame, dict)
            for choice in frame.get("choices", ())
        )


class _Bytes(BytesIO):
    """
    The file of a socket for L{HTTPResponse}, which must not close it.
    """

    def makefile(self, mode):
        return self

    def close(self):
        """
        Do nothing, since another response may follow.
        """


class Caller:
    """
    The client's end of a connection.

    @ivar line: The gateway's end.
    """

    def __init__(self, site):
        """
        Connect to a site.
        """
        self._methods = []
        self.line = Line(site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4711)))

    def send(self, *pieces):
        """
        Send bytes, each piece separately.
        """
        for piece in pieces:
            if self.line.connected and not self.line.disconnecting:
                self.line.protocol.dataReceived(piece)
            self.line.settle()

    def ask(self, method, path, headers=(), body=b"", version="1.1"):
        """
        Send a request.

        @param headers: Pairs; C{Content-Length} is added for a body.
        """
        lines = [f"{method} {path} HTTP/{version}", "Host: gateway"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._methods.append(method)
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def leave(self):
        """
        Close the connection, or only the sending half, which the gateway can't
        distinguish.
        """
        if self.line.connected:
            self.line.end(ConnectionDone())

    def reset(self):
        """
        Reset the connection.
        """
        if self.line.connected:
            self.line.end(ConnectionLost())

    @property
    def received(self):
        """
        Return all bytes so far.
        """
        self.line.settle()
        return self.line.value()

    @property
    def closed(self):
        """
        Return whether the gateway has closed the connection.
        """
        self.line.settle()
        return not self.line.connected

    @property
    def answers(self):
        """
        Return all responses so far, without those with C{100 Continue}.
        """
        read, received, found = _Bytes(self.received), self.received, []
        while read.tell() < len(received):
            method = self._methods[len(found)] if self._methods else "POST"
            found.append(_readAnswer(read, method, self.closed))
        return found

    @property
    def answer(self):
        """
        Return the only response so far.
        """
        [only] = self.answers
        return only


def _readAnswer(read, method, closed):
    response = HTTPResponse(read, method=method)
    response.begin()
    # Without a length or chunks, the end of the connection ends the body.
    complete = closed or response.chunked or response.length is not None
    try:
        body = response.read()
    except IncompleteRead as partial:
        body, complete = partial.partial, False
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=body,
        complete=complete,
    )


__all__ = ["CONTINUE", "Answer", "Caller", "Line"]
