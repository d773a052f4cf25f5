"""
The mock upstream with moods, for L{benchmarks.soak} and L{benchmarks.neighbour}.

Run as C{python -m benchmarks.moody}.  Beside the modes of L{benchmarks.replies} a
model id can name a mood::

    late-300       16 words, all after 300 ms of silence
    refuse         status 500
    cut            half a stream, and then a reset
    silent         the beginning of a stream, and then nothing
    call           a call of the function C{look}
    read-24        24 calls of the tool C{read}, beyond the end of C{large.txt}; when
                   their results are there, 16 words
    vector-300     to C{/v1/embeddings}: a vector after 300 ms
"""

import asyncio
import re
from typing import Any

import msgspec

from benchmarks.replies import Mode
from benchmarks.upstream import Answer, Upstream, errorAnswer, serve, streamedAnswer

LATE = re.compile(r"late-(\d+)")
READ = re.compile(r"read-(\d+)")
VECTOR = re.compile(r"vector-(\d+)")
BEYOND = '{"path":"large.txt","offset":1000000000}'


class _Asked(msgspec.Struct):
    model: str = ""


_decode = msgspec.json.Decoder(_Asked).decode


def _calling(name: str, arguments: str, count: int = 1) -> Answer:
    """
    A stream that is calls of a tool, all the same.
    """

    def event(delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"object": "chat.completion.chunk", "choices": [choice]}
        return b"data: %b\n\n" % msgspec.json.encode(chunk)

    function = {"name": name, "arguments": arguments}
    calls = [
        {"index": i, "id": f"call_{i + 1}", "type": "function", "function": function}
        for i in range(count)
    ]
    body = event({"role": "assistant", "tool_calls": calls}, None)
    body += event({}, "tool_calls") + b"data: [DONE]\n\n"
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    return Answer([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body])


def _embedding() -> Answer:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5] * 64}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    body = msgspec.json.encode({"data": [vector], "usage": usage})
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return Answer([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body])


CALLING = _calling("look", '{"where":"up"}')
EMBEDDING = _embedding().parts[0]
REFUSING = errorAnswer("500 Internal Server Error", "The engine is gone.")
USUAL = streamedAnswer("mood", Mode(16), True).parts[0]
HALF = USUAL[: len(USUAL) // 2]


class MoodyUpstream(Upstream):
    def answer(self, head: bytes, body: bytes) -> None:
        try:
            mood = _decode(body).model
        except msgspec.MsgspecError:
            mood = ""
        late = LATE.fullmatch(mood)
        read, vector = READ.fullmatch(mood), VECTOR.fullmatch(mood)
        if read is not None:
            done = b'"tool_call_id"' in body
            calling = _calling("read", BEYOND, int(read[1]))
            self.transport.write(USUAL if done else calling.parts[0])
        elif vector is not None:
            later = Answer([b"", EMBEDDING], int(vector[1]) / 1000)
            self.pace(later, 1, self.clock())
        elif late is not None:
            self.pace(Answer([b"", USUAL], int(late[1]) / 1000), 1, self.clock())
        elif mood == "refuse":
            self.transport.write(REFUSING.parts[0])
        elif mood == "call":
            self.transport.write(CALLING.parts[0])
        elif mood == "silent":
            self.transport.write(HALF)
        elif mood == "cut":
            self.transport.write(HALF)
            # Not at once, which would take back what was written.
            self.callAt(self.clock() + 0.01, self.transport.abort)
        else:
            super().answer(head, body)


if __name__ == "__main__":
    asyncio.run(serve(0, MoodyUpstream))
