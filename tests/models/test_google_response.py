"""
Tests of L{openclaw.models.dialects.google_generative_ai.response}: responses.
"""

from functools import partial

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.errors import (
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, ToolCall, Usage
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.provider_errors import providerError
from tests.models import event_reading
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import MADE, Outcome, cut, unsigned

META = b'"modelVersion":"gemini-3-pro","responseId":"r1"'

ANSWER = b"""\
data: {"candidates": [{"content": {"parts": [{"text": "**Coffee** \\u00e9","thought":\
 true}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 11,\
"totalTokenCount": 43,"thoughtsTokenCount": 32},%(meta)s}\r
\r
data: {"candidates": [{"content": {"parts": [{"text": "Two "}],"role": "model"},\
"index": 0}],"usageMetadata": {"promptTokenCount": 11,"candidatesTokenCount": 1,\
"totalTokenCount": 44,"thoughtsTokenCount": 32},%(meta)s}\r
\r
data: {"candidates": [{"content": {"parts": [{"text": "caf\xc3\xa9s"},{"text": "",\
"thoughtSignature": "c2VhbA=="}],"role": "model"},"finishReason": "STOP","index": 0}],\
"usageMetadata": {"promptTokenCount": 11,"cachedContentTokenCount": 8,\
"candidatesTokenCount": 5,"totalTokenCount": 48,"promptTokensDetails": [{"modality":\
 "TEXT","tokenCount": 11}],"thoughtsTokenCount": 32},%(meta)s}\r
\r
""" % {b"meta": META}
"""
After U{https://ai.google.dev/api/generate-content} and
U{https://ai.google.dev/gemini-api/docs/thinking}; the texts are ours.
"""

CALLS = b"""\
data: {"candidates": [{"content": {"parts": [{"text": "I look."},{"functionCall":\
 {"name": "weather","args": {"city": "K\xc3\xb6ln"},"id": "fc1"},"thoughtSignature":\
 "c2VhbA=="},{"functionCall": {"name": "weather","args": {"city": "Bonn"}}}],"role":\
 "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 90},%(meta)s}\r
\r
data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "now"}}],"role":\
 "model"},"finishReason": "STOP","index": 0}],"usageMetadata": {"promptTokenCount": 90,\
"candidatesTokenCount": 20,"toolUsePromptTokenCount": 2},%(meta)s}\r
\r
""" % {b"meta": META}
"""
After U{https://ai.google.dev/gemini-api/docs/function-calling}; older models send no
ids.
"""

BLOCKED = b"""\
data: {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},"usageMetadata":\
 {"promptTokenCount": 4,"totalTokenCount": 4},%(meta)s}\r
\r
""" % {b"meta": META}
"""
A blocked prompt.
"""

FAILED = b"""\
data: {"candidates": [{"content": {"parts": [{"text": "Well"}],"role": "model"},\
"index": 0}],%(meta)s}\r
\r
data: {"error": {"code": 503,"message": "The model is overloaded.","status":\
 "UNAVAILABLE"}}\r
\r
""" % {b"meta": META}
"""
After U{https://ai.google.dev/gemini-api/docs/troubleshooting}.
"""

CALLED = (
    ToolCall("fc1", "weather", '{"city": "Köln"}', "c2VhbA=="),
    ToolCall(MADE, "weather", '{"city": "Bonn"}'),
    ToolCall(MADE, "now", "{}"),
)

SAMPLES = {
    "answer": (
        ANSWER,
        Outcome(
            "Two cafés",
            "**Coffee** é",
            (),
            ModelReply("Two cafés", "stop", Usage(11, 37, 8, 32)),
        ),
    ),
    "calls": (
        CALLS,
        Outcome(
            "I look.",
            "",
            tuple(map(unsigned, CALLED)),
            ModelReply("I look.", "tool_calls", Usage(92, 20), CALLED),
        ),
    ),
    "blocked": (
        BLOCKED,
        Outcome("", "", (), ModelReply("", "content_filter", Usage(4, 0))),
    ),
    "failed": (
        FAILED,
        Outcome(
            "Well",
            "",
            (),
            (
                UpstreamError,
                "Provider 'vendor' answered with status 503. It says: The model is"
                " overloaded.",
            ),
        ),
    ),
}


understood = partial(event_reading.understood, GoogleGenerativeAI)


def chunk(*parts: object, reason: str | int | None = None) -> dict[str, object]:
    """
    Return one response of a stream.
    """
    return {"candidates": [{"content": {"parts": parts}, "finishReason": reason}]}


def stream(*documents: object) -> bytes:
    """
    Return documents as an event stream.
    """
    return b"".join(b"data: %s\n\n" % msgspec.json.encode(each) for each in documents)


def piece(path: str, **value: object) -> dict[str, object]:
    """
    A piece of a call's arguments.
    """
    return {"jsonPath": path, **value}


def called(*pieces: object, **members: object) -> dict[str, object]:
    """
    A part that is a call, or some more of one.
    """
    partial = {"partialArgs": pieces} if pieces else {}
    return {"functionCall": {**members, **partial}}


class AnswerTests(DecoderContract, SynchronousTestCase):
    """
    Google's responses.
    """

    dialect = GoogleGenerativeAI
    samples = SAMPLES
    said = msgspec.json.encode(chunk({"text": "Hi."}))
    tooLong = (
        b'{"error":{"code":400,"message":"The input token count (1196265) exceeds the'
        b' maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}',
    )

    def test_unstreamed(self) -> None:
        """
        Without C{alt=sse}, the response is an array of the same documents, or a single
        one.
        """
        for name, (wire, outcome) in SAMPLES.items():
            documents = [line[6:] for line in wire.split(b"\r\n") if line]
            whole = b"[" + b",\r\n".join(documents) + b"\n]"
            for place in range(len(whole)):
                self.assertEqual(understood(*cut(whole, [place])), outcome, name)
        self.assertEqual(understood(BLOCKED[6:]), SAMPLES["blocked"][1])

    def test_endOfBody(self) -> None:
        """
        Only the end of the body ends a response: counts may follow the reason.
        """
        wire = stream(
            chunk({"text": "Hi"}, reason="STOP"),
            {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}},
        )
        self.assertEqual(understood(wire).end, ModelReply("Hi", "stop", Usage(3, 1)))


class OddAnswerTests(SynchronousTestCase):
    """
    Unusual responses.
    """

    def test_wrongType(self) -> None:
        """
        A member of another type counts as absent, and proves nothing.
        """
        end = understood(stream({"candidates": 7})).end
        self.assertEqual(end[0], UpstreamTruncated)

    def test_nulls(self) -> None:
        """
        Fields may be null, missing or unknown.
        """
        wire = stream(
            {"candidates": None, "promptFeedback": {}, "usageMetadata": None},
            {"candidates": [{"content": None, "finishReason": None}]},
            {"candidates": [{"content": {"parts": None}, "safetyRatings": []}]},
            chunk({"executableCode": {"code": "1"}}, {"text": None}, reason="STOP"),
        )
        self.assertEqual(understood(wire).end, ModelReply("", "stop", NO_USAGE))

    def test_reasons(self) -> None:
        """
        A truncated or blocked reply has its finish reason.
        """
        for said, reason in (
            ("STOP", "stop"),
            ("MAX_TOKENS", "length"),
            ("SAFETY", "content_filter"),
            ("RECITATION", "content_filter"),
            ("BLOCKLIST", "content_filter"),
            ("PROHIBITED_CONTENT", "content_filter"),
            ("SPII", "content_filter"),
            ("MODEL_ARMOR", "content_filter"),
            ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
            ("OTHER", "content_filter"),
            ("NEXT_YEARS_REASON", "content_filter"),
            ("MAX_OUTPUT_TOKENS", "length"),
        ):
            end = understood(stream(chunk({"text": "Hi"}, reason=said))).end
            self.assertEqual(end, ModelReply("Hi", reason, NO_USAGE))

    def test_failures(self) -> None:
        """
        A failed reply is an error.
        """
        for said, kind in (
            ("MALFORMED_FUNCTION_CALL", UpstreamMalformed),
            ("UNEXPECTED_TOOL_CALL", UpstreamError),
            ("MALFORMED_RESPONSE", UpstreamError),
            ("TOO_MANY_TOOL_CALLS", UpstreamError),
        ):
            outcome = understood(stream(chunk({"text": "Hi"}, reason=said)))
            self.assertEqual((outcome.text, outcome.end[0]), ("Hi", kind))
        end = understood(stream(chunk(reason="OTHER"))).end
        self.assertEqual(end[1], "Provider 'vendor' gave the answer up: OTHER.")

    def test_lengthWins(self) -> None:
        """
        Calls of a truncated reply are dropped.
        """
        wire = stream(chunk({"functionCall": {"name": "f"}}, reason="MAX_TOKENS"))
        self.assertEqual(understood(wire).end.finishReason, "length")

    def test_repeatedCall(self) -> None:
        """
        A repeated call is one; two calls with the same id are distinguished.
        """
        first = {"functionCall": {"id": "a", "name": "f", "args": {"n": 1}}}
        other = {"functionCall": {"id": "a", "name": "f", "args": {"n": 2}}}
        wire = stream(chunk(first), chunk(first, other, reason="STOP"))
        self.assertEqual(
            understood(wire).calls,
            (ToolCall("a", "f", '{"n":1}'), ToolCall(MADE, "f", '{"n":2}')),
        )

    def test_callInPieces(self) -> None:
        """
        A call's arguments may come in pieces, each with its place; a call ends with a
        piece that does not continue, or at the end of the answer.
        """
        text = {"jsonPath": "$.steps[0]['the name']", "willContinue": True}
        answer = [
            chunk(called(name="cook", willContinue=True)),
            chunk(called({**text, "stringValue": "Stir"}, willContinue=True)),
            chunk(called({**text, "stringValue": " it"}, willContinue=True)),
            chunk(called({**text, "stringValue": "."}, willContinue=True)),
            chunk(called(piece("$.steps[1]", boolValue=True), willContinue=True)),
            chunk(called(willContinue=True)),
            chunk(called(piece("$.hours", numberValue=0.5), willContinue=True)),
            chunk(called(piece("$.salt", nullValue="NULL_VALUE"), willContinue=True)),
        ]
        arguments = '{"steps":[{"the name":"Stir it."},true],"hours":0.5,"salt":null}'
        cook = ToolCall(MADE, "cook", arguments)
        more = (ToolCall(MADE, "look", "{}"), ToolCall("b", "see", '{"id":"A"}'))
        for ending, calls in (
            ([chunk({"functionCall": {}}, reason="STOP")], (cook,)),
            ([chunk(called()), chunk(reason="STOP")], (cook,)),
            ([chunk({"text": ""}, reason="STOP")], (cook,)),
            (
                [
                    chunk(called(name="look")),
                    chunk(called(piece("$.id", stringValue="A"), name="see", id="b")),
                    chunk(reason="STOP"),
                ],
                (cook, *more),
            ),
        ):
            outcome = understood(stream(*answer, *ending))
            self.assertEqual(outcome.calls, calls)
            self.assertEqual(outcome.end.finishReason, "tool_calls")

    def test_piecesWithoutPlace(self) -> None:
        """
        Pieces that can't be put together are no call.
        """
        for path in ("", "$", "id", "$.", "$..a", "$.a[7]", "$[0]", "$.a b[", "$.s.t"):
            wire = stream(
                chunk(
                    called(piece("$.s", stringValue="x"), name="f", willContinue=True)
                ),
                chunk(called(piece(path, stringValue="x")), reason="STOP"),
            )
            self.assertIs(understood(wire).end[0], UpstreamMalformed, path)
        wire = stream(chunk(called(piece("$.a", stringValue="x")), reason="STOP"))
        self.assertIs(understood(wire).end[0], UpstreamMalformed)

    def test_numberedReasons(self) -> None:
        """
        Reasons may be numbers, as Google's libraries ask for.
        """
        for number, reason in ((1, "stop"), (2, "length"), (3, "content_filter")):
            wire = stream(chunk({"text": "Hi"}, reason=number))
            self.assertEqual(understood(wire).end.finishReason, reason)
        self.assertIs(
            understood(stream(chunk({"text": "Hi"}, reason=99))).end[0],
            UpstreamTruncated,
        )

    def test_reportedErrors(self) -> None:
        """
        An error within a stream has the meaning of its status.
        """
        for code, kind in ((429, UpstreamRateLimited), (403, UpstreamAuthFailed)):
            wire = stream({"error": {"code": code, "message": "No."}})
            self.assertEqual(understood(wire).end[0], kind)
        key = {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}
        self.assertEqual(understood(stream({"error": key})).end[0], UpstreamAuthFailed)
        for odd in ("No.", {"message": "No."}, {"code": "x"}, {"code": 8}):
            kind, message = understood(stream({"error": odd})).end
            self.assertEqual(kind, UpstreamError)
            self.assertIn("status 500", message)

    def test_refusal(self) -> None:
        """
        An error response has Google's message.
        """
        body = b'{"error":{"code":500,"message":"Too long.","status":"INTERNAL"}}'
        error = providerError("vendor", 500, Headers(), body)
        self.assertIn("Too long.", error.message)
