"""
Tests of L{openclaw.models.openai_responses}: what is understood.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import (
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, ToolCall
from openclaw.models.openai_responses import ResponseDecoder
from tests.models.reading import REFUSAL, Outcome, cut, events, outcomeOf, places
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


def understood(*pieces: bytes) -> Outcome:
    """
    Read an answer.
    """
    return outcomeOf(ResponseDecoder("vendor", REFUSAL), pieces)


def failure(*described: dict[str, object]) -> OpenClawError:
    """
    The error that comes of an answer.
    """
    decoder = ResponseDecoder("vendor", REFUSAL)
    decoder.feed(events(*described))
    decoder.finish()
    try:
        return decoder.reply()
    except OpenClawError as error:
        return error


class SampleTests(SynchronousTestCase):
    """
    What comes in the documented form is understood.
    """

    def test_atOnce(self) -> None:
        """
        All words, thoughts, calls and counts are found, each once.
        """
        for name, (wire, outcome) in EVERY_SAMPLE.items():
            self.assertEqual(understood(wire), outcome, name)

    def test_everyCut(self) -> None:
        """
        A read may end at any byte, within a character, an escape or a line end.
        """
        for name, (wire, outcome) in EVERY_SAMPLE.items():
            for sent in (wire, wire.replace(b"\n", b"\r\n")):
                for place in range(len(sent)):
                    self.assertEqual(understood(*cut(sent, [place])), outcome, name)

    @settings(deadline=None)
    @given(st.sampled_from(sorted(EVERY_SAMPLE)), places(3000))
    def test_manyCuts(self, name: str, where: list[int]) -> None:
        """
        However many reads it takes, down to one for each byte.
        """
        wire, outcome = EVERY_SAMPLE[name]
        self.assertEqual(understood(*cut(wire, where)), outcome)

    def test_brokenOff(self) -> None:
        """
        An answer that breaks off anywhere is never mistaken for another one: it is
        the beginning of what it would have been, and whole or known not to be.
        """
        for name, (wire, outcome) in EVERY_SAMPLE.items():
            for length in range(len(wire)):
                left = understood(wire[:length])
                self.assertTrue(left.mayBecome(outcome), name)
                if left != outcome:
                    self.assertIs(left.end[0], UpstreamTruncated, name)


class EndTests(SynchronousTestCase):
    """
    A client learns why the model stopped, and that it did.
    """

    def assertEnds(self, expected: str, *end: dict[str, object]) -> None:
        """
        Assert what an end becomes.
        """
        outcome = understood(events(says("Yes"), *end))
        self.assertEqual(outcome.end.finishReason, expected)

    def test_reasons(self) -> None:
        """
        Each end has its word in chat completions.
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
        C{[DONE]} ends an answer, too.
        """
        outcome = understood(events(says("Yes")) + b"data: [DONE]\n\n")
        self.assertEqual(outcome.end, ModelReply("Yes", "stop", NO_USAGE))

    def test_callCutByTheBound(self) -> None:
        """
        A call that the bound on tokens cut is no call to run: C{length} wins.
        """
        outcome = understood(
            events(added(0, call(0, "read", "")), writes(0, '{"pa'), ends("incomplete"))
        )
        self.assertEqual(outcome.end.finishReason, "length")
        self.assertEqual(outcome.calls, (ToolCall("call_0", "read", '{"pa'),))

    def test_nothing(self) -> None:
        """
        An answer that is empty broke off.
        """
        self.assertIs(understood(b"").end[0], UpstreamTruncated)

    def test_noCounts(self) -> None:
        """
        Counts may be missing.
        """
        usage = {"input_tokens": None, "input_tokens_details": None}
        for end in (ends(), ends(usage=None), ends(usage=usage)):
            self.assertEqual(understood(events(end)).end.usage, NO_USAGE)


class LeniencyTests(SynchronousTestCase):
    """
    Servers that say less, or more, than OpenAI's are understood.
    """

    def test_itemsOnly(self) -> None:
        """
        Items may come whole, without their pieces.
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
        A call may begin, and get its arguments when it is whole.
        """
        outcome = understood(
            events(
                added(0, call(1, "ls", "")), done(0, call(1, "ls", '{"a":1}')), ends()
            )
        )
        self.assertEqual(outcome.calls, (ToolCall("call_1", "ls", '{"a":1}'),))

    def test_noArguments(self) -> None:
        """
        Arguments that never come are none, in a form that can be parsed.
        """
        outcome = understood(events(added(0, call(1, "ls", "")), ends()))
        self.assertEqual(outcome.calls, (ToolCall("call_1", "ls", "{}"),))

    def test_endOnly(self) -> None:
        """
        All may come with the end.
        """
        output = [{"type": "reasoning", "content": None}, message("Hello")]
        outcome = understood(events(ends(output=output)))
        self.assertEqual(outcome.end, ModelReply("Hello", "stop", NO_USAGE))

    def test_withoutIndexes(self) -> None:
        """
        Words are told once, also where items are not numbered.
        """
        piece = {"type": "response.output_text.delta", "delta": "Hello"}
        outcome = understood(events(piece, ends(output=[message("Hello")])))
        self.assertEqual(outcome.text, "Hello")

    def test_refusal(self) -> None:
        """
        What the model says when it refuses is its answer.
        """
        piece = {"type": "response.refusal.delta", "output_index": 0, "delta": "No."}
        self.assertEqual(understood(events(piece, ends())).text, "No.")
        item = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
        self.assertEqual(understood(events(done(0, item), ends())).text, "No.")

    def test_openThoughts(self) -> None:
        """
        The thoughts of models that show them are told.
        """
        piece = {"type": "response.reasoning_text.delta", "delta": "Hm"}
        self.assertEqual(understood(events(piece, ends())).thought, "Hm")

    def test_unknownThings(self) -> None:
        """
        Unknown events and items are passed over, whatever they hold.
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


class NonsenseTests(SynchronousTestCase):
    """
    An answer that can't be read is an error that says so.
    """

    def assertNonsense(self, wire: bytes) -> None:
        """
        Assert that this makes no sense, and is known to at once.
        """
        decoder = ResponseDecoder("vendor", REFUSAL)
        decoder.feed(wire)
        self.assertTrue(decoder.complete)
        decoder.finish()
        self.assertRaises(UpstreamMalformed, decoder.reply)

    def test_noJSON(self) -> None:
        """
        Each event is JSON, and an object.
        """
        for wire in (b"data: {oops}\n\n", b"data: [1]\n\n", b'data: {"type":3}\n\n'):
            self.assertNonsense(wire)

    def test_textThatIsNone(self) -> None:
        """
        Text is text.
        """
        self.assertNonsense(events(says(3)))
        self.assertNonsense(events(done(0, {"type": "message", "content": 3})))

    def test_argumentsOfNoCall(self) -> None:
        """
        Arguments belong to a call.
        """
        self.assertNonsense(events(writes(4, "{}")))

    def test_callWithoutName(self) -> None:
        """
        A call says what is to be called.
        """
        self.assertNonsense(events(added(0, call(0, "", ""))))


class ErrorTests(SynchronousTestCase):
    """
    An error within the answer is told from others by its class.
    """

    def test_everyForm(self) -> None:
        """
        The three forms in which an error comes mean the same.
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
        Each code is what its status would be at the beginning.
        """
        for code, expected in {
            "invalid_prompt": UpstreamRefused,
            "context_length_exceeded": UpstreamRefused,
            "image_too_large": UpstreamRefused,
            "rate_limit_exceeded": UpstreamRateLimited,
            "insufficient_quota": UpstreamRateLimited,
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
        An error that says nothing of itself is one.
        """
        for form in ({"type": "error"}, {"type": "response.failed"}, ends("failed")):
            self.assertIs(type(failure(form)), UpstreamError)

    def test_insteadOfAnAnswer(self) -> None:
        """
        An error that came with a good status, and not as an event, is one.
        """
        end = understood(b'{"error":{"code":"rate_limit_exceeded"}}').end
        self.assertIs(end[0], UpstreamRateLimited)
        end = understood(b'{"object":"response","status":"cancelled"}').end
        self.assertIs(end[0], UpstreamError)
