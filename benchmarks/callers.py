"""
The callers of a soak: patient ones, slow ones, wrong ones, and those who disconnect.
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
STREAMS = ("burst-200", "paced-12-10")
FINISH = b'"finish_reason":"stop"'
DONE = b"[DONE]"
LAST_CHUNK = b"0\r\n\r\n"
ENDS = (b'"content"', b'"stop"', DONE, LAST_CHUNK)
# Large enough that a thread parses it.
LARGE = [{"role": "user", "content": "How are you? " * 100_000}]


class Unexpected(Exception):
    """
    An answer differs from the one that was due; the message says how.
    """


class Reply(msgspec.Struct, frozen=True):
    """
    An answer.
    """

    status: int
    body: bytes  # as it came, with the sizes of its chunks

    def expect(self, statuses: Sequence[int], *marks: bytes) -> None:
        """
        Check the status, and that the body has each of the marks.

        @raise Unexpected: It is otherwise.
        """
        if self.status not in statuses:
            raise Unexpected(f"status {self.status}: {self.body[:200]!r}")
        for mark in marks:
            if mark not in self.body:
                raise Unexpected(f"no {mark.decode()} in {self.body[-200:]!r}")


async def readReply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    _, sized, rest = head.partition(b"\r\ncontent-length:")
    if sized:
        length = int(rest.partition(b"\r\n")[0])
        return Reply(status, await reader.readexactly(length))
    pieces, size = [], -1
    while size:
        size = int(await reader.readline(), 16)
        pieces.append(await reader.readexactly(size + 2))
    return Reply(status, b"".join(pieces))


class Callers:
    """
    All kinds of callers.

    @ivar kinds: Each kind of call by its name, and its share in percent.  Large bodies
        have none: their traces in the heap would hide the rest.
    """

    def __init__(self, port: int, token: str, dice: Random) -> None:
        self._port = port
        self._token = token
        self._dice = dice
        self._number = 0
        ask, leave, request = self._expect, self._leave, self._request
        self.kinds: Mapping[str, tuple[int, Callable[[], Awaitable[object]]]] = {
            "whole": (14, lambda: ask(request("instant-16"), FINISH)),
            "large body": (
                0,
                lambda: ask(request("instant-16", messages=LARGE), FINISH),
            ),
            "stream": (
                14,
                lambda: ask(request(dice.choice(STREAMS), stream=True), FINISH, DONE),
            ),
            "session": (12, self.session),
            "client tools": (6, self.clientTools),
            "keyed": (5, self.keyed),
            "wrong token": (
                4,
                lambda: ask(
                    request("instant-16", token="x" * 48),
                    b"invalid_api_key",
                    status=401,
                ),
            ),
            "slow reader": (2, self.slowReader),
            "upstream refuses": (3, lambda: self.upstreamFails("refuse")),
            "upstream cuts": (3, lambda: self.upstreamFails("cut")),
            "upstream silent": (3, lambda: self.upstreamFails("silent")),
            "gone in the body": (6, self.goneInBody),
            "gone at once": (8, self.goneAtOnce),
            "gone before the first token": (
                7,
                lambda: leave(request("late-2000", stream=self._oneOfTwo()), 0.3),
            ),
            "gone in the stream": (
                8,
                lambda: leave(request("paced-40-20", stream=True), 0.5, b"data: "),
            ),
            # With the last words, or in place of reading them.
            "gone at the end": (
                5,
                lambda: leave(request("instant-16", stream=True), 0, dice.choice(ENDS)),
            ),
        }

    def _oneOfTwo(self) -> bool:
        return self._dice.random() < 0.5

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _connect(
        self, buffer: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        own = socket.socket()
        if buffer is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", self._port))
        return await asyncio.open_connection(sock=own, limit=buffer or 65_536)

    def _request(
        self,
        mode: str,
        *headers: str,
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
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def _ask(self, *requests: bytes) -> Sequence[Reply]:
        reader, writer = await self._connect()
        try:
            replies = []
            for request in requests:
                writer.write(request)
                replies.append(await readReply(reader))
            return replies
        finally:
            writer.close()

    async def _expect(self, request: bytes, *marks: bytes, status: int = 200) -> None:
        [reply] = await self._ask(request)
        reply.expect([status], *marks)

    async def _leave(self, sent: bytes, pause: float, after: bytes = b"") -> None:
        """
        Send something, and close the connection or break it.

        @param pause: Leave at some moment within so many seconds.
        @param after: Read first until this comes, or the end.
        """
        reader, writer = await self._connect()
        writer.write(sent)
        if after:
            try:
                await reader.readuntil(after)
            except asyncio.IncompleteReadError:
                pass
        await asyncio.sleep(self._dice.random() * pause)
        if self._oneOfTwo():
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()
        else:
            writer.close()

    async def session(self) -> None:
        user = f"soak-{self._next() // TURNS_PER_SESSION}"
        request = self._request("instant-16", user=user, stream=self._oneOfTwo())
        await self._expect(request, FINISH)

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
        first.expect([200], b'"finish_reason":"tool_calls"')
        second.expect([200], FINISH, DONE)

    async def keyed(self) -> None:
        request = self._request("instant-16", f"Idempotency-Key: soak-{self._next()}")
        first, second = await self._ask(request, request)
        first.expect([200], FINISH)
        if first != second:
            raise Unexpected("a replay differs from the first answer")

    async def slowReader(self) -> None:
        """
        Read a stream more slowly than the model writes it.
        """
        reader, writer = await self._connect(SMALL_BUFFER)
        try:
            writer.write(self._request("burst-1000", stream=True))
            last = b""
            while not last.endswith(b"\r\n" + LAST_CHUNK):
                piece = await reader.read(SMALL_BUFFER)
                if not piece:
                    raise Unexpected("a slow stream broke off")
                last = (last + piece)[-2000:]
                await asyncio.sleep(0.002)
            if DONE not in last:
                raise Unexpected("a slow stream has no end")
        finally:
            writer.close()

    async def upstreamFails(self, mode: str) -> None:
        streamed = self._oneOfTwo()
        [reply] = await self._ask(self._request(mode, stream=streamed))
        # Before its first byte a stream can still be refused.
        reply.expect((200, 502) if streamed else (502, 504), b'"error"')

    async def goneInBody(self) -> None:
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
