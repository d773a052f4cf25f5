"""
Requests of clients, and mutations of them.
"""

import re
from base64 import b64encode
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.api.sse_reader import framesOf
from tests.fuzz.mutations import NASTY_BYTES, hurried, mutated
from tests.models.model_requests import PIXEL
from tests.server.memory_gateway import (
    COMPLETIONS,
    TOKEN,
    GatewayTestCase,
    configOf,
)
from tests.server.memory_internet import Internet

_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"where":"up"}'},
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
        "strict": True,
    },
}
_SAID = {"role": "user", "content": "Hello."}

BODIES = [
    msgspec.json.encode(document)
    for document in (
        {
            "model": "openclaw",
            "messages": [{"role": "system", "content": "Be brief."}, _SAID],
            "temperature": 0.7,
            "top_p": 1,
            "max_tokens": 64,
            "stop": ["\n", "END"],
            "seed": 7,
            "logit_bias": {"50256": -100},
            "response_format": {"type": "json_object"},
        },
        {
            "model": "openclaw/main",
            "messages": [_SAID],
            "stream": True,
            "stream_options": {"include_usage": True},
            "user": "alice",
        },
        {
            "messages": [
                _SAID,
                {"role": "assistant", "content": None, "tool_calls": [_CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": "The sky."},
            ],
            "tools": [_TOOL],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": False,
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {
                            "type": "image_url",
                            "image_url": {
                                "url": f"data:{PIXEL.mediaType};base64,{PIXEL.data}",
                                "detail": "low",
                            },
                        },
                    ],
                }
            ],
        },
    )
]

EMBEDDINGS = [
    b'{"model":"openclaw","input":"text","encoding_format":"base64"}',
    b'{"input":["one","two"],"dimensions":64,"user":"u"}',
    b'{"input":[[1,2,3],[4]],"encoding_format":"float"}',
]

HEADERS = [
    (b"x-openclaw-session-key", b"agent:main:notes"),
    (b"x-openclaw-agent-id", b"main"),
    (b"x-openclaw-agent", b"main"),
    (b"x-openclaw-model", b"scripted/one"),
    (b"x-openclaw-message-channel", b"mail"),
    (b"x-openclaw-events", b"reasoning, tools"),
    (b"x-openclaw-on-disconnect", b"continue"),
    (b"x-openclaw-scopes", b"operator.write"),
    (b"Idempotency-Key", b"k-1"),
    (b"x-stainless-retry-count", b"1"),
    (b"Last-Event-ID", b"3"),
    (b"Content-Type", b"application/json; charset=utf-8"),
    (b"Accept", b"text/event-stream, application/json;q=0.9"),
    (b"Origin", b"https://app.example"),
    (b"Host", b"localhost:18789"),
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Expect", b"100-continue"),
    (b"X-Forwarded-For", b"10.0.0.1, 203.0.113.9"),
    (b"Forwarded", b"for=203.0.113.9;proto=https"),
    (b"X-OpenWebUI-Chat-Id", b"0b0a3c0e-chat"),
    (b"X-OpenWebUI-Task", b"title_generation"),
    (b"Authorization", b"Bearer other"),
    (b"Authorization", b"Basic " + b64encode(b"user:password")),
]
"""
Valid values of the headers that the gateway reads.
"""

_values = st.one_of(
    mutated([value for _, value in HEADERS]),
    st.sampled_from(NASTY_BYTES),
    st.binary(max_size=40),
    st.integers(1, 6000).map(lambda length: b"9" * length),
)


def _header(header: tuple[bytes, bytes], value: bytes) -> bytes:
    # A line end would begin another header.
    return b"%b: %b\r\n" % (header[0], value.translate(None, b"\r\n"))


_headers = st.lists(
    st.sampled_from(HEADERS).map(lambda header: _header(header, header[1]))
    | st.builds(_header, st.sampled_from(HEADERS), _values),
    max_size=5,
).map(b"".join)

_EVENT_ID = re.compile(rb"^id: [0-9]+\n", re.MULTILINE)
_KNOWN = b"authorization: Bearer %b\r\n" % TOKEN.encode()


def _request(method: bytes, path: bytes, headers: bytes, body: bytes) -> bytes:
    if b"\nhost:" not in b"\n" + headers.lower():
        headers += b"Host: gateway\r\n"
    length = b"content-length: %d\r\n" % len(body)
    return b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method, path, headers, length, body)


def _answer(call) -> None:
    """
    Reply as the request requires.
    """
    call.think("Hm.")
    if call.request.toolChoice in ("auto", "none"):
        call.say("Yes?")
        call.finish()
    else:
        call.callTool("call_9", call.request.tools[0].name, "{}")
        call.finish("tool_calls")


class RequestFuzz(GatewayTestCase):
    """
    A gateway whose model replies to every call.
    """

    config = {
        "endpoint": {"keepAliveSeconds": 0},
        "agents": {"main": {}, "other": {}},
        "defaults": {"embeddingModel": "scripted/embed"},
    }

    def setUp(self) -> None:
        """
        Let the model reply.
        """
        super().setUp()
        # Large bodies are parsed in threads.
        self.net = Internet()
        self.gateway = self.start(config=configOf(**self.config), clock=self.net)
        self.gateway.provider.answer = _answer

    def assertAnswered(self, raw: bytes, most: int = 499) -> None:
        """
        Assert that bytes on a connection get responses in OpenAI's format, that errors
        are the client's, and that nothing is logged.
        """
        caller = self.gateway.connect()
        caller.send(raw)
        self.net.threads.run()
        for call in self.gateway.provider.embeddings:
            if not call.done.called:
                call.give(*[[0.5, -1.0]] * len(call.request.inputs), tokens=3)
        self.gateway.provider.embeddings.clear()
        self.gateway.provider.calls.clear()
        # No run, and no partial request, outlives its connection.
        caller.leave()
        received = caller.received
        self.gateway.clock.advance(1)
        self.assertEqual(self.gateway.failures, [], raw)
        self.assertTrue(not received or received.startswith(b"HTTP/1.1 "), received)
        for answer in caller.answers:
            self.assertTrue(200 <= answer.status <= most, (raw, answer))
            self.assertIn("x-request-id", answer.headers)
            self.assertShaped(answer)

    def assertShaped(self, answer) -> None:
        """
        Assert that an OpenAI client can read a response.
        """
        kind = answer.headers.get("content-type", "")
        if answer.status >= 400:
            self.assertEqual(kind, "application/json; charset=utf-8")
            error = answer.error
            self.assertEqual(error.keys(), {"message", "type", "param", "code"})
            self.assertTrue(error["message"])
        elif kind.startswith("text/event-stream"):
            self.assertTrue(framesOf(_EVENT_ID.sub(b"", answer.body)))
        elif kind.startswith("application/json"):
            self.assertTrue(answer.json)


class BodyTests(RequestFuzz):
    """
    Bodies.
    """

    @hurried
    @given(mutated(BODIES), _headers)
    def test_completions(self, body: bytes, headers: bytes) -> None:
        """
        A mutated request is served, or is the client's error.
        """
        self.assertAnswered(
            _request(b"POST", COMPLETIONS.encode(), _KNOWN + headers, body)
        )

    @hurried
    @given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode), _headers)
    def test_anyBytes(self, body: bytes, headers: bytes) -> None:
        """
        The same applies to arbitrary bytes.
        """
        self.assertAnswered(
            _request(b"POST", COMPLETIONS.encode(), _KNOWN + headers, body)
        )


class ManyTests(RequestFuzz):
    """
    Bodies with very many or deeply nested values in one field.
    """

    values = [
        b"[]",
        b"{}",
        b"1",
        b'"a"',
        b'"\\""',
        b'{"role":"user"}',
        b"1" * 60,
        b" " * 60 + b"1",
        b'"' + b"\\n\\u0041\\ud83e\\udd9e" * 5 + b'"',
        '"\U0001f99e"'.encode(),
    ]
    fields = [
        "messages",
        "tools",
        "tool_choice",
        "functions",
        "response_format",
        "logit_bias",
        "stop",
        "metadata",
        "input",
    ]

    @hurried
    @given(
        st.sampled_from(fields),
        st.sampled_from(values),
        st.integers(0, 5000),
        st.integers(0, 1200),
        st.sampled_from([b"/v1/chat/completions", b"/v1/embeddings"]),
    )
    def test_many(self, name, value, count, depth, path) -> None:
        """
        They are served, or the client's error.
        """
        many = b"[" * depth + b",".join([value] * count) + b"]" * depth
        body = b'{"messages":[{"role":"user","content":"Hi."}],"%b":%b}' % (
            name.encode(),
            many or b"null",
        )
        self.assertAnswered(_request(b"POST", path, _KNOWN, body))


class EmbeddingTests(RequestFuzz):
    """
    Bodies of requests for embeddings.
    """

    @hurried
    @given(mutated(EMBEDDINGS), _headers)
    def test_embeddings(self, body: bytes, headers: bytes) -> None:
        """
        The same applies to these.
        """
        self.assertAnswered(
            _request(b"POST", b"/v1/embeddings", _KNOWN + headers, body)
        )


class HeaderTests(RequestFuzz):
    """
    Headers, paths, and the rest of the head.
    """

    paths = [
        b"/v1/chat/completions",
        b"/v1/embeddings",
        b"/v1/models",
        b"/v1/models/openclaw%2Fmain",
        b"/v1/runs",
        b"/v1/runs/run_1",
        b"/v1/runs/run_1/events",
        b"/v1/runs/run_1/cancel",
        b"/metrics",
        b"/healthz",
        b"/readyz",
    ]

    @hurried
    @given(
        st.sampled_from([b"GET", b"POST", b"OPTIONS", b"HEAD", b"DELETE"]),
        st.sampled_from(paths)
        | mutated(paths).map(lambda path: path.translate(None, b"\r\n ")),
        _headers,
        st.booleans(),
    )
    def test_anywhere(self, method, path, headers, known) -> None:
        """
        No path and no header breaks anything, with a valid token or without.
        """
        if method == b"HEAD":
            method = b"GET"  # whose answers can be told apart
        start = _KNOWN if known else b""
        self.assertAnswered(_request(method, path, start + headers, BODIES[0]))

    @hurried
    @given(
        mutated(
            [
                _request(b"POST", b"/v1/chat/completions", _KNOWN, body)
                for body in BODIES[:2]
            ]
            + [
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                + _KNOWN
                + b"transfer-encoding: chunked\r\n\r\n"
                + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODIES[1]), BODIES[1])
            ]
        ),
    )
    def test_wire(self, raw: bytes) -> None:
        """
        Malformed HTTP breaks nothing.
        """
        # Only headers that make a response to HEAD possible matter here.
        self.assertAnswered(raw.replace(b"HEAD", b"HEED"), most=505)


class ResumeTests(RequestFuzz):
    """
    Repeated requests.
    """

    @hurried
    @given(st.lists(_values, min_size=2, max_size=2), _values)
    def test_keyed(self, keys: Sequence[bytes], last: bytes) -> None:
        """
        Any key and any number of the last event.
        """
        for key in keys:
            header = _header((b"Idempotency-Key", b""), key)
            self.assertAnswered(
                _request(b"POST", COMPLETIONS.encode(), _KNOWN + header, BODIES[1])
            )
        header = _header((b"Last-Event-ID", b""), last)
        self.assertAnswered(_request(b"GET", self._events(), _KNOWN + header, b""))

    def _events(self) -> bytes:
        caller = self.gateway.post(
            BODIES[1], ("Idempotency-Key", "known"), ("x-openclaw-events", "reasoning")
        )
        runID = caller.answer.headers["x-openclaw-run-id"]
        caller.leave()
        return f"/v1/runs/{runID}/events".encode()


__all__ = ["RequestFuzz"]
