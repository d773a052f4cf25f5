"""
As much of an HTTP/1.1 client as a load generator needs.

While a reply comes, only its end is looked for and the times are noted.  It is read
later, when nothing is measured any more.
"""

import asyncio
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

import msgspec

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
WORD = re.compile(rb'"content": ?"[^"]')
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Reply(msgspec.Struct, frozen=True):
    """
    A whole reply.  Times are those of the event loop's clock, in seconds.

    @ivar reads: The times of the reads: the first is the one that held the first word,
        the last is the end of the reply.
    """

    status: int
    encoded: bytes  # the body as it came, maybe in the chunked transfer encoding
    chunked: bool
    since: float  # the time at which the request was due
    reads: list[float]
    sizes: list[int]  # the size of the body after each of these reads

    def body(self) -> bytes | None:
        return dechunked(self.encoded) if self.chunked else self.encoded

    def wordTimes(self) -> list[float]:
        """
        Return the time at which each event with a word was here as a whole.
        """
        times = []
        for match in WORD.finditer(self.encoded):
            end = self.encoded.find(b"\n\n", match.end())
            read = bisect_left(self.sizes, end + 2)
            times.append(self.reads[min(read, len(self.reads) - 1)])
        return times


class Connection(asyncio.Protocol):
    def __init__(
        self,
        requests: Iterator[bytes],
        clock: Callable[[], float],
        replied: "Callable[[Connection, Reply], None]",
        lost: "Callable[[Connection, bool], None]",
    ) -> None:
        """
        @param requests: The requests to send, one after the other.
        @param clock: The event loop's C{time}.
        @param replied: Called with each reply; another request may then be made.
        @param lost: Called when the server closes the connection, with whether a
            request was under way.
        """
        self.requests = requests
        self.clock = clock
        self.replied = replied
        self.lost = lost
        self.since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost(self, self.since is not None)

    def ask(self, since: float) -> None:
        self.since = since
        self.received = bytearray()
        self.bodyStart = 0
        self.end: int | None = None
        self.chunked = False
        self.reads: list[float] = []
        self.sizes: list[int] = []
        self.transport.write(next(self.requests))

    def close(self) -> None:
        self.lost = lambda connection, underWay: None
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        now = self.clock()
        if self.since is None:
            return
        self.received += data
        if not self.bodyStart:
            headEnd = self.received.find(b"\r\n\r\n")
            if headEnd < 0:
                return
            self.headReceived(bytes(self.received[:headEnd]))
        if self.reads or WORD.search(self.received):
            self.reads.append(now)
            self.sizes.append(len(self.received) - self.bodyStart)
        if self.isWhole():
            self.finished(now)

    def headReceived(self, head: bytes) -> None:
        self.bodyStart = len(head) + 4
        self.closing = CLOSE.search(head) is not None
        self.chunked = CHUNKED.search(head) is not None
        length = CONTENT_LENGTH.search(head)
        if length is not None:
            self.end = self.bodyStart + int(length[1])

    def isWhole(self) -> bool:
        if self.chunked:
            return self.received.endswith(LAST_CHUNK)
        return self.end is not None and len(self.received) >= self.end

    def finished(self, now: float) -> None:
        assert self.since is not None
        reply = Reply(
            status=int(self.received[9:12]),
            encoded=bytes(self.received[self.bodyStart : self.end]),
            chunked=self.chunked,
            since=self.since,
            reads=self.reads or [now],
            sizes=self.sizes or [len(self.received) - self.bodyStart],
        )
        self.since = None
        self.received = bytearray()
        if self.closing:
            self.transport.close()
        self.replied(self, reply)


def dechunked(encoded: bytes) -> bytes | None:
    """
    Return the body in a chunked transfer encoding, or C{None} if it does not end
    exactly where the encoded bytes do, or if this is no such encoding.
    """
    pieces: list[bytes] = []
    position, size = 0, -1
    try:
        while size:
            lineEnd = encoded.index(b"\r\n", position)
            size = int(encoded[position:lineEnd].split(b";")[0], 16)
            pieces.append(encoded[lineEnd + 2 : lineEnd + 2 + size])
            position = lineEnd + 2 + size + 2
    except ValueError:
        return None
    return b"".join(pieces) if position == len(encoded) else None
