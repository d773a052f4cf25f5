"""
A mock of an OpenAI-compatible model server that costs next to nothing.

Run as C{python -m benchmarks.upstream --port PORT}.  It answers C{POST
/v1/chat/completions} on the loopback interface, in the mode that the request's model id
names (see L{benchmarks.replies}), and C{GET /readyz}.  For
L{benchmarks.soak} and L{benchmarks.neighbour} there are more modes::

    late-300       16 words, all after 300 ms of silence
    refuse         status 500
    cut            half a stream, and then a reset
    silent         the beginning of a stream, and then nothing
    call           a call of the function C{look}
    read-24        24 calls of the tool C{read}, beyond the end of C{large.txt}; when
                   their results are there, 16 words
    vector-300     to C{POST /v1/embeddings}: a vector after 300 ms

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

PATHS = (b"POST /v1/chat/completions", b"POST /v1/embeddings")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
LARGEST_HEAD = 65_536
ENVELOPE = {
    "id": "chatcmpl-mock",
    "created": 1_760_000_000,
    "system_fingerprint": "fp_mock",
}
MOOD = re.compile(r"(late|read|vector)-(\d+)|refuse|cut|silent|call")
BEYOND = '{"path":"large.txt","offset":1000000000}'


class Question(msgspec.Struct):
    model: str
    stream: bool | None = None
    stream_options: dict[str, bool | None] | None = None


class Answer(msgspec.Struct, frozen=True):
    """
    A whole HTTP response, ready to be written.

    @ivar parts: The parts, each of which is written at once; C{None} is a reset.
    """

    parts: Sequence[bytes | None]
    interval: float = 0.0  # seconds from the writing of one part to that of the next


def _sized(status: str, contentType: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {contentType}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _jsonAnswer(status: str, content: object, delay: float | None = None) -> Answer:
    body = json.dumps(content, separators=(",", ":"))
    whole = _sized(status, "application/json", body)
    return Answer([whole]) if delay is None else Answer([b"", whole], delay)


def errorAnswer(status: str, message: str) -> Answer:
    error = {"message": message, "type": "invalid_request_error", "param": None}
    return _jsonAnswer(status, {"error": {**error, "code": None}})


def _usage(mode: Mode) -> dict[str, int]:
    words = mode.words
    return {"prompt_tokens": 9, "completion_tokens": words, "total_tokens": 9 + words}


def wholeAnswer(model: str, mode: Mode) -> Answer:
    message = {"role": "assistant", "content": "".join(mode.deltas()), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    completion: dict[str, Any] = {**ENVELOPE, "object": "chat.completion"}
    completion |= {"model": model, "choices": [choice], "usage": _usage(mode)}
    return _jsonAnswer("200 OK", completion, mode.words * mode.interval or None)


def streamedAnswer(model: str, mode: Mode, includeUsage: bool) -> Answer:
    """
    Return the answer to a request that asks for a stream: a chunk with the role, one
    for each word, one with the finish, one with the usage if asked for, C{[DONE]}.
    Each event is a chunk of the transfer encoding of its own.
    """

    def event(choices: Sequence[object], usage: object = None) -> bytes:
        chunk: dict[str, Any] = {**ENVELOPE, "object": "chat.completion.chunk"}
        chunk |= {"model": model, "choices": choices}
        if includeUsage:
            chunk["usage"] = usage
        return _chunk(b"data: " + msgspec.json.encode(chunk) + b"\n\n")

    def said(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event([choice])

    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    role = said({"role": "assistant", "content": "", "refusal": None})
    words = [said({"content": delta}) for delta in mode.deltas()]
    end = said({}, "stop")
    if includeUsage:
        end += event([], _usage(mode))
    end += _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    if not mode.interval:
        return Answer([head + role + b"".join(words) + end])
    return Answer([head + role + words[0], *words[1:], end], mode.interval)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def callingAnswer(name: str, arguments: str, count: int = 1) -> Answer:
    """
    Return a stream that is calls of a tool, all the same.
    """
    function = {"name": name, "arguments": arguments}
    calls = [
        {"index": i, "id": f"call_{i + 1}", "type": "function", "function": function}
        for i in range(count)
    ]
    body = ""
    for delta, finish in (
        ({"role": "assistant", "tool_calls": calls}, None),
        ({}, "tool_calls"),
    ):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"object": "chat.completion.chunk", "choices": [choice]}
        body += f"data: {json.dumps(chunk)}\n\n"
    return Answer([_sized("200 OK", "text/event-stream", f"{body}data: [DONE]\n\n")])


def moodyAnswer(mood: str, number: int, resultsAreThere: bool) -> Answer:
    """
    Return the answer in one of the modes that only this module has.

    @param number: The number in the mode's name.
    """
    usual = streamedAnswer("mood", Mode(16), True).parts[0]
    assert usual is not None
    half = usual[: len(usual) // 2]
    match mood:
        case "late":
            return Answer([b"", usual], number / 1000)
        case "read" if not resultsAreThere:
            return callingAnswer("read", BEYOND, number)
        case "vector":
            vector = {"object": "embedding", "index": 0, "embedding": [0.5] * 64}
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            found = {"data": [vector], "usage": usage}
            return _jsonAnswer("200 OK", found, number / 1000)
        case "refuse":
            return errorAnswer("500 Internal Server Error", "The engine is gone.")
        case "call":
            return callingAnswer("look", '{"where":"up"}')
        case "silent":
            return Answer([half])
        case "cut":
            # Not at once, which would take back what was written.
            return Answer([half, None], 0.01)
    return Answer([usual])


@lru_cache(maxsize=64)
def answerTo(
    model: str, stream: bool, includeUsage: bool, resultsAreThere: bool = False
) -> Answer:
    """
    Return the answer to each request with these properties; all of them are the same.
    """
    mood = MOOD.fullmatch(model)
    if mood is not None:
        return moodyAnswer(mood[1] or model, int(mood[2] or 0), resultsAreThere)
    mode = modeOf(model)
    if mode is None:
        return errorAnswer("404 Not Found", f"The model {model[:80]!r} does not exist.")
    if stream:
        return streamedAnswer(model, mode, includeUsage)
    return wholeAnswer(model, mode)


NO_SUCH_PATH = errorAnswer("404 Not Found", "Only POST /v1/chat/completions is here.")
READY = _jsonAnswer("200 OK", {"ok": True})
BAD_BODY = errorAnswer("400 Bad Request", "The body is no chat completion request.")
decodeQuestion = msgspec.json.Decoder(Question).decode


class Upstream(asyncio.Protocol):
    """
    A client connection; its requests are answered one after the other.
    """

    def __init__(
        self, callAt: Callable[..., asyncio.TimerHandle], clock: Callable[[], float]
    ) -> None:
        """
        @param callAt: The event loop's C{call_at}.
        @param clock: The event loop's C{time}.
        """
        self.callAt = callAt
        self.clock = clock
        self.received = b""
        self.pacing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, reason: Exception | None) -> None:
        if self.pacing is not None:
            self.pacing.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.serve()

    def serve(self) -> None:
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
        answer = READY if head.startswith(b"GET /readyz ") else NO_SUCH_PATH
        if head.startswith(PATHS):
            try:
                asked = decodeQuestion(body)
            except msgspec.MsgspecError:
                answer = BAD_BODY
            else:
                answer = answerTo(
                    asked.model,
                    bool(asked.stream),
                    bool((asked.stream_options or {}).get("include_usage")),
                    asked.model.startswith("read-") and b'"tool_call_id"' in body,
                )
        self.write(answer.parts[0])
        if len(answer.parts) > 1:
            self.pace(answer, 1, self.clock())

    def write(self, part: bytes | None) -> None:
        if part is None:
            self.transport.abort()
        else:
            self.transport.write(part)

    def pace(self, answer: Answer, index: int, start: float) -> None:
        """
        Have a part of an answer written when its time comes.  Times are counted
        from the start, so that delays do not add up.
        """

        def write() -> None:
            self.write(answer.parts[index])
            if index + 1 < len(answer.parts):
                self.pace(answer, index + 1, start)
            else:
                self.pacing = None
                self.serve()

        self.pacing = self.callAt(start + index * answer.interval, write)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Upstream(loop.call_at, loop.time), "127.0.0.1", port, backlog=2048
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mock OpenAI-compatible upstream.")
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
