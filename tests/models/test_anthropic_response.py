"""
Tests of L{openclaw.models.dialects.anthropic_messages.response}: responses.
"""

from functools import partial

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import (
    ContextTooLong,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamOutOfFunds,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, Thought, ToolCall, Usage
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from tests.models import event_reading
from tests.models.anthropic_answers import (
    EVERY_SAMPLE,
    STARTS,
    STOPS,
    begins,
    ends,
    goesOn,
    says,
    uses,
    writes,
)
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import events

understood = partial(event_reading.understood, AnthropicMessages)
failure = partial(event_reading.failure, AnthropicMessages)


class AnswerTests(DecoderContract, SynchronousTestCase):
    """
    Responses in the documented format.
    """

    dialect = AnthropicMessages
    samples = EVERY_SAMPLE
    said = msgspec.json.encode(says("Hi."))
    tooLong = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is'
        b' too long: 213462 tokens > 200000 maximum"},"request_id":"req_1"}',
    )


class StopTests(SynchronousTestCase):
    """
    Finish reasons.
    """

    def assertStops(self, reason: str | None, expected: str) -> None:
        """
        Assert the finish reason for a stop reason.
        """
        outcome = understood(events(STARTS, says("Yes"), ends(reason), STOPS))
        self.assertEqual(outcome.end.finishReason, expected)

    def test_reasons(self) -> None:
        """
        Each reason has OpenAI's value.
        """
        self.assertStops("end_turn", "stop")
        self.assertStops("stop_sequence", "stop")
        self.assertStops("max_tokens", "length")
        self.assertStops("model_context_window_exceeded", "length")
        self.assertStops("refusal", "content_filter")

    def test_unknownReason(self) -> None:
        """
        An unknown or missing reason is C{stop}.
        """
        self.assertStops("weariness", "stop")
        self.assertStops(None, "stop")

    def test_callsWithoutSayingSo(self) -> None:
        """
        With calls the reason is C{tool_calls}, whatever the server sends.
        """
        outcome = understood(events(STARTS, uses(0, "ls"), ends("end_turn"), STOPS))
        self.assertEqual(outcome.end.finishReason, "tool_calls")

    def test_noCallsThough(self) -> None:
        """
        Without calls the reason is not C{tool_calls}, whatever the server sends.
        """
        outcome = understood(events(STARTS, says("Hm"), ends("tool_use"), STOPS))
        self.assertEqual(outcome.end.finishReason, "stop")

    def test_callCutByTheBound(self) -> None:
        """
        A call that the output limit truncated is dropped, with C{length}.
        """
        outcome = understood(
            events(STARTS, uses(0, "read"), writes(0, '{"pa'), ends("max_tokens"))
        )
        self.assertEqual(outcome.end.finishReason, "length")
        self.assertEqual(outcome.calls, (ToolCall("toolu_0", "read", '{"pa'),))

    def test_callBrokenOff(self) -> None:
        """
        A response that ends within a call is truncated, and no arguments are invented.
        """
        outcome = understood(events(STARTS, uses(0, "ls")))
        self.assertIs(outcome.end[0], UpstreamTruncated)
        self.assertEqual(outcome.calls, (ToolCall("toolu_0", "ls", ""),))


class UsageTests(SynchronousTestCase):
    """
    Usage, comparable with other providers.
    """

    def usageOf(self, first: dict[str, object], last: dict[str, object]) -> Usage:
        """
        Return the usage of a response with two counts.
        """
        start = {"type": "message_start", "message": {"usage": first}}
        return understood(
            events(start, says("Yes"), ends("end_turn", **last), STOPS)
        ).end.usage

    def test_cache(self) -> None:
        """
        Tokens written to and read from the cache are part of the prompt.
        """
        usage = self.usageOf(
            {
                "input_tokens": 5,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 200,
            },
            {"output_tokens": 8},
        )
        self.assertEqual(usage, Usage(235, 8, cached_tokens=200))

    def test_countedTwice(self) -> None:
        """
        Repeated counts are not added.
        """
        usage = self.usageOf(
            {"input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 1},
            {"input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 8},
        )
        self.assertEqual(usage, Usage(15, 8, cached_tokens=10))

    def test_countedLate(self) -> None:
        """
        Counts of the prompt may come at the end.
        """
        usage = self.usageOf({"input_tokens": 0}, {"input_tokens": 9})
        self.assertEqual(usage, Usage(9))

    def test_nulls(self) -> None:
        """
        Counts may be missing.
        """
        usage = self.usageOf(
            {"input_tokens": None},
            {"output_tokens": None, "output_tokens_details": None},
        )
        self.assertEqual(usage, NO_USAGE)


class LeniencyTests(SynchronousTestCase):
    """
    Unknown fields are ignored.
    """

    def test_unknownThings(self) -> None:
        """
        Unknown events, blocks and pieces are ignored.
        """
        outcome = understood(
            events(
                STARTS,
                {"type": "mood", "delta": {"color": 3}},
                begins(0, type="text", text=""),
                goesOn(0, "citations_delta"),
                says("Yes"),
                begins(1, type="redacted_thinking", data="x"),
                begins(2, type="server_tool_use", id="s", name="web_search", input={}),
                writes(2, '{"query"'),
                ends("end_turn"),
                STOPS,
            )
        )
        self.assertEqual(outcome.end, ModelReply("Yes", "stop", Usage(7)))
        self.assertEqual(outcome.calls, ())

    def test_thoughtsInTheText(self) -> None:
        """
        Reasoning inside the text is removed from it.
        """
        outcome = understood(
            events(STARTS, says("<thi"), says("nk>Hm</think>Yes"), STOPS)
        )
        self.assertEqual((outcome.text, outcome.thought), ("Yes", "Hm"))

    def test_endMarkOfOthers(self) -> None:
        """
        C{[DONE]} ends a response, too.
        """
        outcome = understood(events(STARTS, says("Yes")) + b"data: [DONE]\n\n")
        self.assertEqual(outcome.end.finishReason, "stop")

    def test_nothingAfterTheEnd(self) -> None:
        """
        Events after the end are ignored.
        """
        outcome = understood(events(STARTS, says("Yes"), STOPS, says(" and no")))
        self.assertEqual(outcome.text, "Yes")


class ThoughtTests(SynchronousTestCase):
    """
    The model's reasoning before its calls is kept.
    """

    def test_signed(self) -> None:
        """
        Reasoning is kept with its signature, in any pieces, and so is redacted
        reasoning.
        """
        outcome = understood(
            events(
                STARTS,
                begins(0, type="thinking", thinking="", signature=""),
                goesOn(0, "thinking_delta", thinking="Which "),
                goesOn(0, "thinking_delta", thinking="file?"),
                goesOn(0, "signature_delta", signature="EqQB"),
                begins(1, type="redacted_thinking", data="EmwK"),
                begins(2, type="thinking", thinking="", signature=""),
                goesOn(2, "signature_delta", signature="EoMC"),
                uses(3, "ls"),
                ends("tool_use"),
                STOPS,
            )
        )
        self.assertEqual(outcome.thought, "Which file?")
        self.assertEqual(
            outcome.end.thoughts,
            (
                Thought("Which file?", "EqQB"),
                Thought("", "redacted:EmwK"),
                Thought("", "EoMC"),
            ),
        )

    def test_unstreamed(self) -> None:
        """
        The same applies to a plain response.
        """
        thought = {"type": "thinking", "thinking": "Hm", "signature": "EqQB"}
        call = {"type": "tool_use", "id": "t", "name": "ls", "input": {}}
        whole = {"type": "message", "content": [thought, call]}
        outcome = understood(msgspec.json.encode(whole))
        self.assertEqual(outcome.end.thoughts, (Thought("Hm", "EqQB"),))

    def test_unsigned(self) -> None:
        """
        Reasoning without a signature, as of other servers, would be rejected, and is
        not kept.
        """
        outcome = understood(
            events(
                begins(0, type="thinking", thinking="Hm"),
                begins(1, type="redacted_thinking"),
                uses(2, "ls"),
                ends("tool_use"),
            )
        )
        self.assertEqual((outcome.thought, outcome.end.thoughts), ("Hm", ()))


class NonsenseTests(SynchronousTestCase):
    """
    Invalid responses are errors.
    """

    def assertNonsense(self, described: dict[str, object]) -> None:
        """
        Assert that a response is malformed.
        """
        self.assertIs(understood(events(described)).end[0], UpstreamMalformed)

    def test_argumentsOfNoCall(self) -> None:
        """
        Arguments without a call.
        """
        self.assertNonsense(writes(4, "{}"))

    def test_callWithoutName(self) -> None:
        """
        A call without a name.
        """
        self.assertNonsense(begins(0, type="tool_use", id="toolu_1"))


class ErrorTests(SynchronousTestCase):
    """
    Errors within the response.
    """

    def test_everyType(self) -> None:
        """
        Each type is the error of its status.
        """
        for kind, expected in {
            "invalid_request_error": UpstreamRefused,
            "authentication_error": UpstreamAuthFailed,
            "permission_error": UpstreamAuthFailed,
            "request_too_large": ContextTooLong,
            "rate_limit_error": UpstreamRateLimited,
            "billing_error": UpstreamOutOfFunds,
            "not_found_error": UpstreamError,
            "api_error": UpstreamError,
            "timeout_error": UpstreamError,
            "overloaded_error": UpstreamError,
            "unheard_of_error": UpstreamError,
        }.items():
            error = failure(
                {"type": "error", "error": {"type": kind, "message": "No."}}
            )
            self.assertIs(type(error), expected, kind)
            if expected is not UpstreamAuthFailed:
                self.assertIn("It says: No.", error.message)

    def test_mayPass(self) -> None:
        """
        A transient error may be retried; others may not.
        """
        for kind, shouldRetry in (("overloaded_error", None), ("billing_error", False)):
            error = failure({"type": "error", "error": {"type": kind}})
            self.assertIs(error.shouldRetry, shouldRetry)

    def test_withoutDescription(self) -> None:
        """
        An error without a description is an error.
        """
        for described in ({}, {"error": None}, {"error": "Bad day."}):
            error = failure({"type": "error", **described})
            self.assertIs(type(error), UpstreamError)

    def test_insteadOfAnAnswer(self) -> None:
        """
        An error with status 200, and not as an event, is an error.
        """
        end = understood(b'{"type":"error","error":{"type":"rate_limit_error"}}').end
        self.assertIs(end[0], UpstreamRateLimited)
