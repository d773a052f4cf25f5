"""
Tests of L{openclaw.models.dialects.ollama.chat}: responses.
"""

from functools import partial

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.errors import (
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, ToolCall, Usage
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.provider_errors import providerError
from tests.models import event_reading
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import MADE, Outcome, decoderOf

STAMP = b'"model":"qwen3","created_at":"2026-11-22T10:00:00.5Z"'

ANSWER = b"""\
{%(stamp)s,"message":{"role":"assistant","content":"","thinking":"A \\u00e9"},\
"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"","thinking":"..."},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"Two "},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"caf\xc3\xa9s"},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":""},"done":true,\
"done_reason":"stop","total_duration":5191566416,"load_duration":2154458,\
"prompt_eval_count":26,"prompt_eval_duration":383809000,"eval_count":298,\
"eval_duration":4799921000}
""" % {b"stamp": STAMP}
"""
After U{https://docs.ollama.com/api/chat}; the texts are ours.
"""

CALLS = b"""\
{%(stamp)s,"message":{"role":"assistant","content":"I look."},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"","tool_calls":[{"id":"call_ab1",\
"function":{"index":0,"name":"weather","arguments":{"city":"K\xc3\xb6ln"}}}]},\
"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"","tool_calls":[{"function":\
{"name":"weather","arguments":{"city":"Bonn"}}},{"function":{"name":"now"}}]},\
"done":false}
{%(stamp)s,"message":{"role":"assistant","content":""},"done":true,\
"done_reason":"stop","prompt_eval_count":90,"eval_count":20}
""" % {b"stamp": STAMP}
"""
After U{https://docs.ollama.com/capabilities/tool-calling}.  Older servers send no id.
"""

TAGGED = b"""\
{%(stamp)s,"message":{"role":"assistant","content":"<think>S"},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"o</think>\\n"},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":"Yes"},"done":false}
{%(stamp)s,"message":{"role":"assistant","content":""},"done":true,\
"done_reason":"length","prompt_eval_count":3,"eval_count":9}
""" % {b"stamp": STAMP}
"""
A reasoning model that Ollama does not recognise as one.
"""

FAILED = b"""\
{%(stamp)s,"message":{"role":"assistant","content":"Well"},"done":false}
{"error":"an error was encountered while running the model"}
""" % {b"stamp": STAMP}
"""
After U{https://docs.ollama.com/api/errors}.
"""

CALLED = (
    ToolCall("call_ab1", "weather", '{"city":"Köln"}'),
    ToolCall(MADE, "weather", '{"city":"Bonn"}'),
    ToolCall(MADE, "now", "{}"),
)

SAMPLES = {
    "answer": (
        ANSWER,
        Outcome(
            "Two cafés",
            "A é...",
            (),
            ModelReply("Two cafés", "stop", Usage(26, 298)),
        ),
    ),
    "calls": (
        CALLS,
        Outcome(
            "I look.",
            "",
            CALLED,
            ModelReply("I look.", "tool_calls", Usage(90, 20), CALLED),
        ),
    ),
    "tagged": (
        TAGGED,
        Outcome("Yes", "So", (), ModelReply("Yes", "length", Usage(3, 9))),
    ),
    "failed": (
        FAILED,
        Outcome(
            "Well",
            "",
            (),
            (
                UpstreamError,
                "Provider 'vendor' answered with status 500. It says: an error was"
                " encountered while running the model",
            ),
        ),
    ),
}


understood = partial(event_reading.understood, Ollama)


class AnswerTests(DecoderContract, SynchronousTestCase):
    """
    A server's responses.
    """

    dialect = Ollama
    samples = SAMPLES
    said = b'{"message":{"content":"Hi."},"done":false}'
    tooLong = (
        b'{"error":"prompt too long; exceeded max context length by 4 tokens"}',
        b'{"error":"the input length exceeds the context length"}',
    )

    def framed(self, *documents: bytes) -> bytes:
        """
        Return each text as a line.
        """
        return b"".join(b"%s\n" % document for document in documents)

    def test_lastLineOpen(self) -> None:
        """
        The last line may lack its end.
        """
        self.assertEqual(understood(ANSWER.rstrip()), SAMPLES["answer"][1])

    def test_complete(self) -> None:
        """
        After its last line the response is complete, though the connection stays open.
        """
        decoder = decoderOf(Ollama())
        decoder.feed(ANSWER[:-1])
        self.assertFalse(decoder.complete)
        decoder.feed(b"\n")
        self.assertTrue(decoder.complete)


class OddAnswerTests(SynchronousTestCase):
    """
    Servers that resemble Ollama.
    """

    def line(self, *, done: bool = False, **said: object) -> bytes:
        """
        Return one line of a response.
        """
        return msgspec.json.encode({"message": said, "done": done}) + b"\n"

    def callOf(self, **called: object) -> Outcome:
        """
        Return the result of a response with one call.
        """
        return understood(
            self.line(tool_calls=[called]), self.line(done=True, content="")
        )

    def test_wrongType(self) -> None:
        """
        A member of another type counts as absent, and proves nothing.
        """
        self.assertEqual(understood(b'{"message":7}\n').end[0], UpstreamTruncated)

    def test_nulls(self) -> None:
        """
        Fields may be null.
        """
        wire = self.line(done=True, content=None, thinking=None, tool_calls=None)
        self.assertEqual(understood(wire).end, ModelReply("", "stop", NO_USAGE))

    def test_argumentsAsText(self) -> None:
        """
        Arguments may be a string, as in OpenAI's API, or null.
        """
        for sent, meant in (('{"a":1}', '{"a":1}'), ("", "{}"), (None, "{}")):
            outcome = self.callOf(function={"name": "f", "arguments": sent})
            self.assertEqual(outcome.calls, (ToolCall(MADE, "f", meant),))

    def test_argumentsUntouched(self) -> None:
        """
        Numbers in arguments are unchanged.
        """
        called = b'{"function":{"name":"f","arguments":{"n":123456789012345678901.0}}}'
        wire = b'{"message":{"tool_calls":[%s]},"done":true}\n' % called
        self.assertEqual(
            understood(wire).calls[0].arguments, '{"n":123456789012345678901.0}'
        )

    def test_nameless(self) -> None:
        """
        A call without a name is an error.
        """
        for function in ({"arguments": {}}, {"name": "", "arguments": {}}):
            self.assertEqual(self.callOf(function=function).end[0], UpstreamMalformed)

    def test_sameID(self) -> None:
        """
        A repeated call is one; two calls with the same id are distinguished.
        """
        first = {"id": "a", "function": {"name": "f", "arguments": {"n": 1}}}
        other = {"id": "a", "function": {"name": "f", "arguments": {"n": 2}}}
        wire = self.line(tool_calls=[first, first, other]) + self.line(done=True)
        self.assertEqual(
            understood(wire).calls,
            (ToolCall("a", "f", '{"n":1}'), ToolCall(MADE, "f", '{"n":2}')),
        )

    def test_lengthWins(self) -> None:
        """
        Calls of a truncated reply are dropped.
        """
        wire = self.line(tool_calls=[{"function": {"name": "f"}}])
        wire += b'{"done":true,"done_reason":"length"}\n'
        self.assertEqual(understood(wire).end.finishReason, "length")

    def test_refusal(self) -> None:
        """
        The server's message reaches the caller.
        """
        body = b'{"error":"\\"gemma\\" does not support thinking"}'
        error = providerError("vendor", 400, Headers(), body)
        self.assertIs(type(error), UpstreamRefused)
        self.assertIn('"gemma" does not support thinking', error.message)
