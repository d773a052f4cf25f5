"""
The callers of a soak: patient ones, slow ones, wrong ones, and those who vanish.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

import msgspec

NO_LINGER = struct.pack("ii", 1, 0)
SMALL_BUFFER = 4096
TURNS = 5
"""
Requests in one session.
"""


class Unexpected(Exception):
    """
    An answer is not the one that was due; the message says how.
    """


class Reply(msgspec.Struct, frozen=True):
    """
    An answer.

    @ivar body: As it came, with the marks of its chunks.
    """

    status: int
    body: bytes


class Line:
    """
    A connection to the gateway.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> Reply:
        """
        Read an answer to its end.
        """
        status, length = await self.head()
        if length is not None:
            return Reply(status, await self.reader.readexactly(length))
        pieces = []
        while True:
            size = int(await self.reader.readline(), 16)
            pieces.append(await self.reader.readexactly(size + 2))
            if not size:
                return Reply(status, b"".join(pieces))

    async def head(self) -> tuple[int, int | None]:
        """
        Read the head of an answer.

        @return: The status, and the length of the body unless it comes in chunks.
        """
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = head.partition(b"\r\ncontent-length:")
        length = int(rest.partition(b"\r\n")[0]) if found else None
        return int(head.split(b" ", 2)[1]), length

    async def until(self, mark: bytes) -> None:
        """
        Read until this comes, or the end of the stream.
        """
        try:
            await self.reader.readuntil(mark)
        except asyncio.IncompleteReadError:
            pass

    def close(self, reset: bool = False) -> None:
        """
        Close the connection, or break it.
        """
        if reset:
            own = self.writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self.writer.transport.abort()
        else:
            self.writer.close()


class Callers:
    """
    Everybody who may call.

    @ivar kinds: Each kind of call by its name, and how many of a hundred are such.
        Large bodies are none of these: their traces in the heap would hide the rest.
    """

    def __init__(self, host: str, port: int, token: str, dice: Random) -> None:
        self._where = host, port
        self._token = token
        self._dice = dice
        self._number = 0
        self.kinds: Mapping[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "whole": (14, self.whole),
            "large body": (0, self.large),
            "stream": (14, self.stream),
            "session": (12, self.session),
            "client tools": (6, self.tools),
            "keyed": (5, self.keyed),
            "wrong token": (4, self.wrongToken),
            "slow reader": (2, self.slowReader),
            "upstream refuses": (3, lambda: self.upstreamFails("refuse")),
            "upstream cuts": (3, lambda: self.upstreamFails("cut")),
            "upstream silent": (3, lambda: self.upstreamFails("silent")),
            "gone in the body": (6, self.goneInBody),
            "gone at once": (8, self.goneAtOnce),
            "gone before the first token": (7, self.goneEarly),
            "gone in the stream": (8, self.goneInStream),
            "gone at the end": (5, self.goneAtEnd),
        }

    # Their requests

    async def _connect(self, buffer: int | None = None) -> Line:
        own = socket.socket()
        if buffer is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, self._where)
        limit = buffer or 65_536
        return Line(*await asyncio.open_connection(sock=own, limit=limit))

    def _request(
        self,
        mode: str,
        *headers: tuple[str, str],
        token: str | None = None,
        **fields: object,
    ) -> bytes:
        said = [{"role": "user", "content": "How are you today?"}]
        body = msgspec.json.encode({"model": "openclaw", "messages": said, **fields})
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token or self._token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"x-openclaw-model: mock/{mode}",
            *(f"{name}: {value}" for name, value in headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def _asked(self, *requests: bytes) -> Sequence[Reply]:
        """
        Ask one thing after the other on one connection.
        """
        line = await self._connect()
        try:
            replies = []
            for request in requests:
                line.writer.write(request)
                replies.append(await line.reply())
            return replies
        finally:
            line.close()

    def _next(self) -> int:
        self._number += 1
        return self._number

    # Those who wait for their answers

    async def whole(self) -> None:
        """
        One answer in one piece.
        """
        [reply] = await self._asked(self._request("instant-16"))
        _expect(reply, 200, b'"finish_reason":"stop"')

    async def large(self) -> None:
        """
        A question that is so large that a thread reads it.
        """
        said = [{"role": "user", "content": "How are you? " * 100_000}]
        [reply] = await self._asked(self._request("instant-16", messages=said))
        _expect(reply, 200, b'"finish_reason":"stop"')

    async def stream(self) -> None:
        """
        A stream, at once or word by word.
        """
        mode = self._dice.choice(["burst-200", "paced-12-10"])
        [reply] = await self._asked(self._request(mode, stream=True))
        _expect(reply, 200, b'"finish_reason":"stop"', b"[DONE]")

    async def session(self) -> None:
        """
        A turn of a conversation, of which another may be in progress.
        """
        user = f"soak-{self._next() // TURNS}"
        streamed = self._dice.random() < 0.5
        request = self._request("instant-16", user=user, stream=streamed)
        [reply] = await self._asked(request)
        _expect(reply, 200, b'"finish_reason":"stop"')

    async def tools(self) -> None:
        """
        A call of the caller's tool, and its result.
        """
        tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
        user = {"role": "user", "content": "Look."}
        call = {"id": "call_1", "function": {"name": "look", "arguments": "{}"}}
        called = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{**call, "type": "function"}],
        }
        result = {"role": "tool", "tool_call_id": "call_1", "content": "The sky."}
        first, second = await self._asked(
            self._request("call", tools=[tool], messages=[user]),
            self._request(
                "instant-16", tools=[tool], messages=[user, called, result], stream=True
            ),
        )
        _expect(first, 200, b'"finish_reason":"tool_calls"')
        _expect(second, 200, b'"finish_reason":"stop"', b"[DONE]")

    async def keyed(self) -> None:
        """
        The same request twice: the second time it is replayed.
        """
        key = ("Idempotency-Key", f"soak-{self._next()}")
        first, second = await self._asked(*[self._request("instant-16", key)] * 2)
        _expect(first, 200, b'"finish_reason":"stop"')
        if first != second:
            raise Unexpected("a replay is not the same")

    async def slowReader(self) -> None:
        """
        A stream whose reader is slower than the model.
        """
        line = await self._connect(SMALL_BUFFER)
        try:
            line.writer.write(self._request("burst-1000", stream=True))
            last = b""
            while not last.endswith(b"\r\n0\r\n\r\n"):
                piece = await line.reader.read(SMALL_BUFFER)
                if not piece:
                    raise Unexpected("a slow stream broke off")
                last = (last + piece)[-2000:]
                await asyncio.sleep(0.002)
            if b"[DONE]" not in last:
                raise Unexpected("a slow stream has no end")
        finally:
            line.close()

    # Those who get errors

    async def wrongToken(self) -> None:
        """
        A token that is not valid.
        """
        [reply] = await self._asked(self._request("instant-16", token="x" * 48))
        _expect(reply, 401, b"invalid_api_key")

    async def upstreamFails(self, mood: str) -> None:
        """
        The model's server breaks down in one way or another.
        """
        streamed = self._dice.random() < 0.5
        [reply] = await self._asked(self._request(mood, stream=streamed))
        if reply.status not in ((200,) if streamed else (502, 504)):
            # Before its first byte a stream can still be refused.
            _expect(reply, 502, b'"error"')
        _expect(reply, reply.status, b'"error"')

    # Those who do not wait

    async def _gone(self, line: Line) -> None:
        line.close(reset=self._dice.random() < 0.5)

    async def goneInBody(self) -> None:
        """
        Gone when half the request is sent.
        """
        line = await self._connect()
        request = self._request("instant-16")
        line.writer.write(request[: self._dice.randrange(1, len(request))])
        await asyncio.sleep(self._dice.random() / 50)
        await self._gone(line)

    async def goneAtOnce(self) -> None:
        """
        Gone as soon as all is sent: before the run, in its queue, or just begun.
        """
        line = await self._connect()
        streamed = self._dice.random() < 0.5
        request = self._request("late-300", stream=streamed)
        if self._dice.random() < 0.3:
            request = self._request("late-300", user=f"soak-gone-{self._next() % 20}")
        line.writer.write(request)
        await asyncio.sleep(self._dice.random() / 20)
        await self._gone(line)

    async def goneEarly(self) -> None:
        """
        Gone while the model thinks.
        """
        line = await self._connect()
        streamed = self._dice.random() < 0.5
        line.writer.write(self._request("late-2000", stream=streamed))
        await asyncio.sleep(0.1 + self._dice.random() / 5)
        await self._gone(line)

    async def goneInStream(self) -> None:
        """
        Gone when some words have come.
        """
        line = await self._connect()
        line.writer.write(self._request("paced-40-20", stream=True))
        await line.until(b"data: ")
        await asyncio.sleep(self._dice.random() / 2)
        await self._gone(line)

    async def goneAtEnd(self) -> None:
        """
        Gone with the last words, or in place of reading them.
        """
        line = await self._connect()
        line.writer.write(self._request("instant-16", stream=True))
        marks = [b'"content"', b'"stop"', b"[DONE]", b"0\r\n\r\n"]
        await line.until(self._dice.choice(marks))
        await self._gone(line)


def _expect(reply: Reply, status: int, *marks: bytes) -> None:
    if reply.status != status:
        raise Unexpected(f"status {reply.status}: {reply.body[:200]!r}")
    for mark in marks:
        if mark not in reply.body:
            raise Unexpected(f"no {mark.decode()} in {reply.body[-200:]!r}")


__all__ = ["Callers", "Line", "Reply", "Unexpected"]
