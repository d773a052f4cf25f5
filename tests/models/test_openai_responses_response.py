"""
Tests of L{openclaw.models.dialects.openai_responses.response}: responses.
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
from openclaw.messages import NO_USAGE, Thought, ToolCall
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from tests.models import event_reading
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import events
from tests.models.responses_answers import (
    EVERY_SAMPLE,
    added,
    call,
    done,
    ends,
    message,
    says,
    writes,
)

understood = partial(event_reading.understood, OpenAIResponses)
failure = partial(event_reading.failure, OpenAIResponses)


class AnswerTests(DecoderContract, SynchronousTestCase):
    """
    Responses in the documented format.
    """

    dialect = OpenAIResponses
    samples = EVERY_SAMPLE
    said = msgspec.json.encode(says("Hi."))
    tooLong = (
        b'{"type":"response.failed","response":{"status":"failed","error":{"code":'
        b'"context_length_exceeded","message":"Your input exceeds the context window'
        b' of this model. Please adjust your input and try again."}}}',
        b'{"type":"error","code":null,"message":"Your input exceeds the context window'
        b' of this model.","param":"input"}',
    )


class EndTests(SynchronousTestCase):
    """
    Finish reasons.
    """

    def assertEnds(self, expected: str, *end: dict[str, object]) -> None:
        """
        Assert the finish reason for an end.
        """
        outcome = understood(events(says("Yes"), *end))
        self.assertEqual(outcome.end.finishReason, expected)

    def test_reasons(self) -> None:
        """
        Each end has its value of chat completions.
        """
        for reason, expected in (
            ("max_output_tokens", "length"),
            ("content_filter", "content_filter"),
            ("weariness", "length"),
        ):
            details = {"incomplete_details": {"reason": reason}}
            self.assertEnds(expected, ends("incomplete", **details))
        self.assertEnds("stop", ends())
        self.assertEnds("length", ends("incomplete"))

    def test_endMarkOfOthers(self) -> None:
        """
        C{[DONE]} ends a response, too.
        """
        outcome = understood(events(says("Yes")) + b"data: [DONE]\n\n")
        self.assertEqual(outcome.end, ModelReply("Yes", "stop", NO_USAGE))

    def test_callCutByTheBound(self) -> None:
        """
        A call that the output limit truncated is dropped, with C{length}.
        """
        outcome = understood(
            events(added(0, call(0, "read", "")), writes(0, '{"pa'), ends("incomplete"))
        )
        self.assertEqual(outcome.end.finishReason, "length")
        self.assertEqual(outcome.calls, (ToolCall("call_0", "read", '{"pa'),))

    def test_noCounts(self) -> None:
        """
        Counts may be missing.
        """
        usage = {"input_tokens": None, "input_tokens_details": None}
        for end in (ends(), ends(usage=None), ends(usage=usage)):
            self.assertEqual(understood(events(end)).end.usage, NO_USAGE)


class LeniencyTests(SynchronousTestCase):
    """
    Servers that send less, or more, than OpenAI's.
    """

    def test_itemsOnly(self) -> None:
        """
        Items may arrive complete, without pieces.
        """
        outcome = understood(
            events(
                done(0, message("Two ", "cafés")), done(1, call(1, "ls", "{}")), ends()
            )
        )
        self.assertEqual(outcome.text, "Two cafés")
        self.assertEqual(outcome.calls, (ToolCall("call_1", "ls", "{}"),))

    def test_argumentsAtTheEnd(self) -> None:
        """
        The arguments may arrive with the end of a call.
        """
        outcome = understood(
            events(
                added(0, call(1, "ls", "")), done(0, call(1, "ls", '{"a":1}')), ends()
            )
        )
        self.assertEqual(outcome.calls, (ToolCall("call_1", "ls", '{"a":1}'),))

    def test_noArguments(self) -> None:
        """
        Missing arguments become an empty object.
        """
        outcome = understood(events(added(0, call(1, "ls", "")), ends()))
        self.assertEqual(outcome.calls, (ToolCall("call_1", "ls", "{}"),))

    def test_endOnly(self) -> None:
        """
        Everything may arrive with the end.
        """
        output = [{"type": "reasoning", "content": None}, message("Hello")]
        outcome = understood(events(ends(output=output)))
        self.assertEqual(outcome.end, ModelReply("Hello", "stop", NO_USAGE))

    def test_withoutIndexes(self) -> None:
        """
        Text is sent once, also if items have no index.
        """
        piece = {"type": "response.output_text.delta", "delta": "Hello"}
        outcome = understood(events(piece, ends(output=[message("Hello")])))
        self.assertEqual(outcome.text, "Hello")

    def test_refusal(self) -> None:
        """
        A refusal is kept apart from text, streamed or in a whole item.
        """
        piece = {"type": "response.refusal.delta", "output_index": 0, "delta": "No."}
        item = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
        for wire in (events(piece, ends()), events(done(0, item), ends())):
            end = understood(wire).end
            self.assertEqual((end.text, end.refusal), ("", "No."))

    def test_openThoughts(self) -> None:
        """
        Visible reasoning is sent.
        """
        piece = {"type": "response.reasoning_text.delta", "delta": "Hm"}
        self.assertEqual(understood(events(piece, ends())).thought, "Hm")

    def test_unknownThings(self) -> None:
        """
        Unknown events and items are ignored.
        """
        odd = {"type": "tool_search_call", "arguments": {"a": 1}, "content": "x"}
        outcome = understood(
            events(
                {"type": "response.mood.delta", "delta": {"color": 3}},
                added(0, odd),
                done(0, odd),
                says("Yes", 1),
                ends(),
            )
        )
        self.assertEqual(outcome.end, ModelReply("Yes", "stop", NO_USAGE))


class ThoughtTests(SynchronousTestCase):
    """
    The model's reasoning before its calls is kept.
    """

    def reasoning(self, sealed: object) -> dict[str, object]:
        """
        Return an item with reasoning.
        """
        return {"type": "reasoning", "summary": [], "encrypted_content": sealed}

    def test_whole(self) -> None:
        """
        Complete reasoning is kept unchanged, in order, once.
        """
        outcome = understood(
            events(
                added(0, self.reasoning("gA")),
                done(0, self.reasoning("gAAA")),
                done(1, self.reasoning("gBBB")),
                done(2, call(2, "ls", "{}")),
                ends(output=[self.reasoning("gAAA"), self.reasoning("gBBB")]),
            )
        )
        self.assertEqual(
            outcome.end.thoughts, (Thought("", "gAAA"), Thought("", "gBBB"))
        )

    def test_atTheEnd(self) -> None:
        """
        It may arrive with the end, or be repeated there.
        """
        output = [self.reasoning("gAAA"), call(1, "ls", "{}")]
        for before in ((), (done(0, output[0]),)):
            outcome = understood(events(*before, ends(output=output)))
            self.assertEqual(outcome.end.thoughts, (Thought("", "gAAA"),))

    def test_nothingToKeep(self) -> None:
        """
        Reasoning that can't be sent back, or that led only to text, is not kept.
        """
        for item in (call(1, "ls", "{}"), message("Hi")):
            for sealed in (None, ""):
                outcome = understood(
                    events(done(0, self.reasoning(sealed)), done(1, item), ends())
                )
                self.assertEqual(outcome.end.thoughts, ())
        outcome = understood(
            events(done(0, self.reasoning("gA")), done(1, message("Hi")), ends())
        )
        self.assertEqual(outcome.end.thoughts, ())


class NonsenseTests(SynchronousTestCase):
    """
    Invalid responses are errors.
    """

    def assertNonsense(self, described: dict[str, object]) -> None:
        """
        Assert that a response is malformed.
        """
        self.assertIs(understood(events(described)).end[0], UpstreamMalformed)

    def test_textThatIsNone(self) -> None:
        """
        Text of another type counts as absent.
        """
        for odd in (
            says(3),
            done(0, {"type": "message", "content": 3}),
            done(0, {"type": "reasoning", "encrypted_content": 3}),
        ):
            end = understood(events(odd, says("Yes"), ends())).end
            self.assertEqual((end.text, end.thoughts), ("Yes", ()))

    def test_argumentsThatAreNone(self) -> None:
        """
        Arguments of another type are an error, since the call would change without
        them.
        """
        self.assertNonsense(added(0, call(0, "read", 3)))

    def test_argumentsOfNoCall(self) -> None:
        """
        Arguments without a call.
        """
        self.assertNonsense(writes(4, "{}"))

    def test_callWithoutName(self) -> None:
        """
        A call without a name.
        """
        self.assertNonsense(added(0, call(0, "", "")))


class ErrorTests(SynchronousTestCase):
    """
    Errors within the response.
    """

    def test_everyForm(self) -> None:
        """
        The three forms of errors are equivalent.
        """
        error = {"code": "server_error", "message": "Bad day."}
        for form in (
            {"type": "error", **error},
            {"type": "error", "error": error},
            ends("failed", error=error),
        ):
            found = failure(form)
            self.assertIs(type(found), UpstreamError)
            self.assertEqual(
                found.message,
                "Provider 'vendor' answered with status 500. It says: Bad day.",
            )

    def test_codes(self) -> None:
        """
        Each code has the meaning of its status.
        """
        for code, expected in {
            "invalid_prompt": UpstreamRefused,
            "context_length_exceeded": ContextTooLong,
            "image_too_large": UpstreamRefused,
            "rate_limit_exceeded": UpstreamRateLimited,
            "insufficient_quota": UpstreamOutOfFunds,
            "invalid_api_key": UpstreamAuthFailed,
            "server_is_overloaded": UpstreamError,
            "unheard_of": UpstreamError,
        }.items():
            error = failure({"type": "error", "code": code, "message": "No."})
            self.assertIs(type(error), expected, code)

    def test_byType(self) -> None:
        """
        An error without a code may have a type.
        """
        error = {"type": "invalid_request_error", "code": None, "message": "No."}
        found = failure({"type": "error", "error": error})
        self.assertIs(type(found), UpstreamRefused)

    def test_withoutDescription(self) -> None:
        """
        An error without a description is an error.
        """
        for form in ({"type": "error"}, {"type": "response.failed"}, ends("failed")):
            self.assertIs(type(failure(form)), UpstreamError)

    def test_insteadOfAnAnswer(self) -> None:
        """
        An error with status 200, and not as an event, is an error.
        """
        end = understood(b'{"error":{"code":"rate_limit_exceeded"}}').end
        self.assertIs(end[0], UpstreamRateLimited)
        end = understood(b'{"object":"response","status":"failed"}').end
        self.assertIs(end[0], UpstreamError)

    def test_notWhole(self) -> None:
        """
        A response with the status of an incomplete one is incomplete.
        """
        for status in ("cancelled", "in_progress", "queued"):
            whole = b'{"object":"response","status":"%s"}' % status.encode()
            self.assertIs(understood(whole).end[0], UpstreamTruncated)
        end = {"type": "response.completed", "response": {"status": "incomplete"}}
        reply = understood(events(says("Yes"), end)).end
        self.assertEqual((reply.text, reply.finishReason), ("Yes", "length"))
