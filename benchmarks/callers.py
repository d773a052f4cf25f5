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
TURNS_PER_SESSION = 5
FINISH = b'"finish_reason":"stop"'
DONE = b"[DONE]"


class Unexpected(Exception):
    """
    An answer differs from the one that was due; the message says how.
    """


class Reply(msgspec.Struct, frozen=True):
    """
    An answer.

    @ivar body: As it came, with the sizes of its chunks.
    """

    status: int
    body: bytes

    def expect(self, status: int, *marks: bytes) -> None:
        """
        Check the status, and that the body has each of the marks.

        @raise Unexpected: It is otherwise.
        """
        if self.status != status:
            raise Unexpected(f"status {self.status}: {self.body[:200]!r}")
        for mark in marks:
            if mark not in self.body:
                raise Unexpected(f"no {mark.decode()} in {self.body[-200:]!r}")


class Line:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> Reply:
        """
        Read an answer to its end.
        """
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        _, sized, rest = head.partition(b"\r\ncontent-length:")
        if sized:
            length = int(rest.partition(b"\r\n")[0])
            return Reply(status, await self.reader.readexactly(length))
        pieces = []
        while True:
            size = int(await self.reader.readline(), 16)
            pieces.append(await self.reader.readexactly(size + 2))
            if not size:
                return Reply(status, b"".join(pieces))

    def close(self, reset: bool = False) -> None:
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
        self._address = host, port
        self._token = token
        self._dice = dice
        self._number = 0
        self.kinds: Mapping[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "whole": (14, self.whole),
            "large body": (0, self.largeBody),
            "stream": (14, self.stream),
            "session": (12, self.session),
            "client tools": (6, self.clientTools),
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

    def _oneOfTwo(self) -> bool:
        return self._dice.random() < 0.5

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _connect(self, buffer: int | None = None) -> Line:
        own = socket.socket()
        if buffer is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, self._address)
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

    async def _ask(self, *requests: bytes) -> Sequence[Reply]:
        """
        Send one request after the other on one connection.
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

    # Those who wait for their answers

    async def whole(self) -> None:
        [reply] = await self._ask(self._request("instant-16"))
        reply.expect(200, FINISH)

    async def largeBody(self) -> None:
        """
        Ask something so large that a thread parses it.
        """
        said = [{"role": "user", "content": "How are you? " * 100_000}]
        [reply] = await self._ask(self._request("instant-16", messages=said))
        reply.expect(200, FINISH)

    async def stream(self) -> None:
        """
        Ask for a stream, at once or word by word.
        """
        mode = self._dice.choice(["burst-200", "paced-12-10"])
        [reply] = await self._ask(self._request(mode, stream=True))
        reply.expect(200, FINISH, DONE)

    async def session(self) -> None:
        """
        Ask in a session, of which another turn may be in progress.
        """
        user = f"soak-{self._next() // TURNS_PER_SESSION}"
        request = self._request("instant-16", user=user, stream=self._oneOfTwo())
        [reply] = await self._ask(request)
        reply.expect(200, FINISH)

    async def clientTools(self) -> None:
        """
        Have the caller's tool called, and send its result.
        """
        tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
        user = {"role": "user", "content": "Look."}
        call = {"id": "call_1", "function": {"name": "look", "arguments": "{}"}}
        called = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{**call, "type": "function"}],
        }
        result = {"role": "tool", "tool_call_id": "call_1", "content": "The sky."}
        said = [user, called, result]
        first, second = await self._ask(
            self._request("call", tools=tools, messages=[user]),
            self._request("instant-16", tools=tools, messages=said, stream=True),
        )
        first.expect(200, b'"finish_reason":"tool_calls"')
        second.expect(200, FINISH, DONE)

    async def keyed(self) -> None:
        """
        Send the same request twice: the second time it is replayed.
        """
        key = ("Idempotency-Key", f"soak-{self._next()}")
        first, second = await self._ask(*[self._request("instant-16", key)] * 2)
        first.expect(200, FINISH)
        if first != second:
            raise Unexpected("a replay differs from the first answer")

    async def slowReader(self) -> None:
        """
        Read a stream more slowly than the model writes it.
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
            if DONE not in last:
                raise Unexpected("a slow stream has no end")
        finally:
            line.close()

    # Those who get errors

    async def wrongToken(self) -> None:
        [reply] = await self._ask(self._request("instant-16", token="x" * 48))
        reply.expect(401, b"invalid_api_key")

    async def upstreamFails(self, mood: str) -> None:
        """
        Ask while the model's server breaks down in one way or another.
        """
        streamed = self._oneOfTwo()
        [reply] = await self._ask(self._request(mood, stream=streamed))
        # Before its first byte a stream can still be refused.
        if reply.status not in ((200, 502) if streamed else (502, 504)):
            raise Unexpected(f"status {reply.status}: {reply.body[:200]!r}")
        reply.expect(reply.status, b'"error"')

    # Those who leave

    async def _leave(self, sent: bytes, pause: float, after: bytes = b"") -> None:
        """
        Send something, and close the connection or break it.

        @param pause: Leave at some moment within so many seconds.
        @param after: Read first until this comes, or the end.
        """
        line = await self._connect()
        line.writer.write(sent)
        if after:
            try:
                await line.reader.readuntil(after)
            except asyncio.IncompleteReadError:
                pass
        await asyncio.sleep(self._dice.random() * pause)
        line.close(reset=self._oneOfTwo())

    async def goneInBody(self) -> None:
        """
        Leave when a part of the request is sent.
        """
        request = self._request("instant-16")
        await self._leave(request[: self._dice.randrange(1, len(request))], 0.02)

    async def goneAtOnce(self) -> None:
        """
        Leave as soon as all is sent: before the run, in its queue, or just begun.
        """
        request = self._request("late-300", stream=self._oneOfTwo())
        if self._dice.random() < 0.3:
            request = self._request("late-300", user=f"soak-gone-{self._next() % 20}")
        await self._leave(request, 0.05)

    async def goneEarly(self) -> None:
        """
        Leave before the first token.
        """
        await self._leave(self._request("late-2000", stream=self._oneOfTwo()), 0.3)

    async def goneInStream(self) -> None:
        """
        Leave when some words have come.
        """
        await self._leave(self._request("paced-40-20", stream=True), 0.5, b"data: ")

    async def goneAtEnd(self) -> None:
        """
        Leave with the last words, or in place of reading them.
        """
        mark = self._dice.choice([b'"content"', b'"stop"', DONE, b"0\r\n\r\n"])
        await self._leave(self._request("instant-16", stream=True), 0, mark)
