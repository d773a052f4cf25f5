"""
A mock of an OpenAI-compatible model server that costs next to nothing.

Run as C{python -m benchmarks.upstream}.  It prints one line of JSON, C{{"port": …}},
and answers C{POST /v1/chat/completions} on that port of the loopback interface, in
the mode that the request's model id names (see L{benchmarks.replies}).

It must cost far less than what is measured, so it has no HTTP library: each answer is
made once, kept as bytes, and written with one call where the mode allows.  It reads
only what well-behaved clients send: a request with a C{Content-Length}.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from benchmarks.replies import Mode, modeOf

PATH = b"/v1/chat/completions"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
LARGEST_HEAD = 65_536
PROMPT_TOKENS = 9
ID = "chatcmpl-mock"
CREATED = 1_760_000_000


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Question(msgspec.Struct):
    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class Answer(msgspec.Struct, frozen=True):
    """
    A whole HTTP response, ready to be written.

    @ivar parts: What is written at once, part by part.
    @ivar interval: Seconds from the writing of one part to that of the next.
    """

    parts: Sequence[bytes]
    interval: float = 0.0


def _response(status: str, contentType: str, rest: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {contentType}\r\n{rest}".encode()


def _jsonAnswer(status: str, content: object, delay: float = 0.0) -> Answer:
    body = json.dumps(content, separators=(",", ":"))
    sized = f"Content-Length: {len(body)}\r\n\r\n{body}"
    whole = _response(status, "application/json", sized)
    return Answer([b"", whole] if delay else [whole], delay)


def errorAnswer(status: str, message: str) -> Answer:
    """
    An error in OpenAI's form.

    @param status: The HTTP status with its reason phrase.
    """
    error = {"message": message, "type": "invalid_request_error", "param": None}
    return _jsonAnswer(status, {"error": {**error, "code": None}})


def _usage(mode: Mode) -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": mode.words,
        "total_tokens": PROMPT_TOKENS + mode.words,
    }


def _envelope(kind: str, model: str, choices: Sequence[object]) -> dict[str, Any]:
    return {
        "id": ID,
        "object": kind,
        "created": CREATED,
        "model": model,
        "system_fingerprint": "fp_mock",
        "choices": choices,
    }


def wholeAnswer(model: str, mode: Mode) -> Answer:
    """
    The answer to a request that does not ask for a stream.
    """
    message = {"role": "assistant", "content": "".join(mode.deltas()), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    completion = _envelope("chat.completion", model, [choice])
    completion["usage"] = _usage(mode)
    return _jsonAnswer("200 OK", completion, mode.words * mode.interval)


def streamedAnswer(model: str, mode: Mode, includeUsage: bool) -> Answer:
    """
    The answer to a request that asks for a stream: a chunk with the role, one for
    each word, one with the finish, one with the usage if asked for, C{[DONE]}.
    Each event is a chunk of the transfer encoding of its own.
    """

    def event(choices: Sequence[object], usage: object = None) -> bytes:
        chunk = _envelope("chat.completion.chunk", model, choices)
        if includeUsage:
            chunk["usage"] = usage
        return _encoded(b"data: " + msgspec.json.encode(chunk) + b"\n\n")

    def said(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event([choice])

    head = _response(
        "200 OK", "text/event-stream", "Transfer-Encoding: chunked\r\n\r\n"
    )
    role = said({"role": "assistant", "content": "", "refusal": None})
    words = [said({"content": delta}) for delta in mode.deltas()]
    end = said({}, "stop")
    if includeUsage:
        end += event([], _usage(mode))
    end += _encoded(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    if not mode.interval:
        return Answer([head + role + b"".join(words) + end])
    return Answer([head + role + words[0], *words[1:], end], mode.interval)


def _encoded(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(maxsize=64)
def answerTo(model: str, stream: bool, includeUsage: bool) -> Answer:
    """
    The answer to each request with these properties; all of them are the same.
    """
    mode = modeOf(model)
    if mode is None:
        return errorAnswer("404 Not Found", f"The model {model[:80]!r} does not exist.")
    if stream:
        return streamedAnswer(model, mode, includeUsage)
    return wholeAnswer(model, mode)


NO_SUCH_PATH = errorAnswer("404 Not Found", "Only POST /v1/chat/completions is here.")
BAD_BODY = errorAnswer("400 Bad Request", "The body is no chat completion request.")
decodeQuestion = msgspec.json.Decoder(Question).decode


class Upstream(asyncio.Protocol):
    """
    One client connection; its requests are answered one after the other.

    @ivar callAt: The event loop's C{call_at}.
    @ivar clock: The event loop's C{time}.
    """

    def __init__(
        self,
        callAt: Callable[..., asyncio.TimerHandle],
        clock: Callable[[], float],
    ) -> None:
        self.callAt = callAt
        self.clock = clock
        self.received = b""
        self.pacing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, reason: Exception | None) -> None:
        """
        The client left, perhaps in the middle of a paced answer.
        """
        if self.pacing is not None:
            self.pacing.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.serve()

    def serve(self) -> None:
        """
        Answer each request that is here whole, unless one is still being answered.
        """
        while self.pacing is None:
            headLength = self.received.find(b"\r\n\r\n")
            if headLength < 0:
                if len(self.received) > LARGEST_HEAD:
                    self.transport.close()
                return
            head = self.received[:headLength]
            length = CONTENT_LENGTH.search(head)
            end = headLength + 4 + (int(length[1]) if length else 0)
            if len(self.received) < end:
                return
            body = self.received[headLength + 4 : end]
            self.received = self.received[end:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        """
        Write the answer to one request, or begin to.
        """
        if not head.startswith(b"POST " + PATH):
            answer = NO_SUCH_PATH
        else:
            try:
                asked = decodeQuestion(body)
            except msgspec.MsgspecError:
                answer = BAD_BODY
            else:
                options = asked.stream_options
                includeUsage = options is not None and bool(options.include_usage)
                answer = answerTo(asked.model, bool(asked.stream), includeUsage)
        self.transport.write(answer.parts[0])
        if len(answer.parts) > 1:
            self.pace(answer, 1, self.clock())

    def pace(self, answer: Answer, index: int, start: float) -> None:
        """
        Have a part of an answer written when its time comes.  Times are counted
        from the start, so that delays do not add up.
        """

        def write() -> None:
            self.transport.write(answer.parts[index])
            if index + 1 < len(answer.parts):
                self.pace(answer, index + 1, start)
            else:
                self.pacing = None
                self.serve()

        self.pacing = self.callAt(start + index * answer.interval, write)


async def serve(port: int, protocol: type[Upstream] = Upstream) -> None:
    """
    Listen on the loopback interface, say where, and answer for ever.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(loop.call_at, loop.time), "127.0.0.1", port, backlog=2048
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mock OpenAI-compatible upstream.")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
