"""
Tests of L{openclaw.models.dialects.openai_completions.response}.

L{tests.models.test_upstream_call} tests the transport.
"""

from functools import partial

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import (
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, Thought, Usage
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from tests.models import event_reading
from tests.models.answer_samples import EVERY_SAMPLE, UNSTREAMED
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import cut, decoderOf, outcomeOf

understood = partial(event_reading.understood, OpenAICompletions)


def stream(*chunks: object, done: bool = True) -> bytes:
    """
    Return a stream of these chunks.
    """
    events = [b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]
    return b"".join(events) + (b"data: [DONE]\n\n" if done else b"")


def says(finish_reason: str | None = None, **delta: object) -> dict[str, object]:
    """
    Return a chunk with this delta.
    """
    return {"choices": [{"delta": delta, "finish_reason": finish_reason}]}


class AnswerTests(DecoderContract, SynchronousTestCase):
    """
    Responses of actual providers.
    """

    dialect = OpenAICompletions
    samples = EVERY_SAMPLE
    said = b'{"choices":[{"delta":{"content":"Hi."}}]}'
    tooLong = (
        # llama.cpp
        b'{"error":{"code":400,"type":"exceed_context_size_error","message":"request'
        b" (9412 tokens) exceeds the available context size (8192 tokens), try"
        b' increasing it","n_prompt_tokens":9412,"n_ctx":8192}}',
        # OpenRouter
        b'{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":'
        b'"{\\"message\\":\\"prompt is too long: 9 tokens > 8 maximum\\"}"}}}',
        # vLLM
        b'{"object":"error","message":"This model\'s maximum context length is 4096'
        b' tokens. However, you requested 5000 tokens.","code":400}',
    )


class EndTests(SynchronousTestCase):
    """
    A reply requires proof that it is complete.
    """

    def test_reasonWithoutDone(self) -> None:
        """
        C{[DONE]} may be missing.
        """
        outcome = understood(stream(says("stop", content="Hi."), done=False))
        self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_doneWithoutReason(self) -> None:
        """
        The reason may be missing or C{null}.
        """
        for chunk in (
            says(content="Hi."),
            {"choices": [{"delta": {"content": "Hi."}}]},
        ):
            outcome = understood(stream(chunk))
            self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_neither(self) -> None:
        """
        Without both the response is truncated; its events are kept.
        """
        outcome = understood(stream(says(content="Hi."), done=False))
        self.assertEqual(outcome.text, "Hi.")
        self.assertEqual(
            outcome.end,
            (UpstreamTruncated, "The answer of provider 'vendor' broke off."),
        )

    def test_reasons(self) -> None:
        """
        Known reasons are passed on.
        """
        for said, told in [
            ("length", "length"),
            ("max_tokens", "length"),
            ("content_filter", "content_filter"),
            ("stop", "stop"),
            ("eos", "stop"),
        ]:
            outcome = understood(stream(says(said, content="Hi.")))
            self.assertEqual(outcome.end, ModelReply("Hi.", told, NO_USAGE))

    def test_reasonThatIsNone(self) -> None:
        """
        A reply that the provider aborted is not complete, even without an error.
        """
        for reason in ("error", "abort", "insufficient_system_resource"):
            outcome = understood(stream(says(reason, content="Hi.")))
            self.assertEqual(outcome.end[0], UpstreamTruncated)

    def test_doneIsTheEnd(self) -> None:
        """
        After C{[DONE]}, also with trailing blanks, nothing is read.
        """
        wire = stream(says(content="Hi.")).replace(b"[DONE]", b"[DONE] ")
        for more in (stream(says(content="More.")), b"data: {nonsense\n\n"):
            outcome = understood(wire + more)
            self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_heldBack(self) -> None:
        """
        The beginning of a possible tag at the end of the reply was text.
        """
        outcome = understood(stream(says("stop", content="<thi")))
        self.assertEqual(outcome.end, ModelReply("<thi", "stop", NO_USAGE))


class ChunkTests(SynchronousTestCase):
    """
    Inaccurate servers.
    """

    def test_nulls(self) -> None:
        """
        Any field may be C{null} or missing.
        """
        outcome = understood(
            stream(
                {},
                {"choices": None, "usage": None, "error": None},
                {"choices": []},
                {"choices": [{}]},
                {"choices": [{"delta": None, "finish_reason": None}]},
                says(content=None, reasoning_content=None, reasoning=None, role=None),
                says(content=""),
                {"usage": {"prompt_tokens": None, "completion_tokens_details": None}},
                {"usage": {"prompt_tokens_details": {"cached_tokens": None}}},
                says(content="Hi.", tool_calls=None),
            )
        )
        self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_emptyData(self) -> None:
        """
        An event without data is ignored.
        """
        wire = b"data:\n\ndata:  \n\n" + stream(says(content="Hi."))
        self.assertEqual(understood(wire).text, "Hi.")

    def test_thoughtInText(self) -> None:
        """
        Reasoning inside the text is separated, in any pieces.
        """
        pieces = ["<thi", "nk>Hm", ".</th", "ink>", "\n\n", "Yes", ". <think>"]
        outcome = understood(stream(*(says(content=piece) for piece in pieces)))
        self.assertEqual((outcome.thought, outcome.text), ("Hm.", "Yes. <think>"))

    def test_thoughtThatNothingOpens(self) -> None:
        """
        Reasoning with only a closing tag is not in the reply's text, and not in the
        events if it is recognised in time.
        """
        pieces = ["Hm", ".</th", "ink>", "\n\n", "Yes."]
        chunks = [says(content=piece) for piece in pieces]
        decoder = decoderOf(OpenAICompletions())
        decoder.feed(stream(*chunks))
        decoder.finish()
        self.assertEqual(decoder.reply().text, "Yes.")
        decoder = decoderOf(OpenAICompletions())
        decoder.expectThought()
        outcome = outcomeOf(decoder, [stream(*chunks)])
        self.assertEqual((outcome.thought, outcome.text), ("Hm.", "Yes."))
        choice = {"message": {"content": "Hm.</think>\nYes."}, "finish_reason": "stop"}
        whole = understood(msgspec.json.encode({"choices": [choice]}))
        self.assertEqual((whole.thought, whole.text), ("Hm.", "Yes."))

    def test_thoughtOfItsOwn(self) -> None:
        """
        If a server separates the reasoning, the text has no tags.
        """
        decoder = decoderOf(OpenAICompletions())
        decoder.expectThought()
        chunks = [says(reasoning_content="Hm."), says(content="Y"), says(content="es.")]
        outcome = outcomeOf(decoder, [stream(*chunks)])
        self.assertEqual((outcome.thought, outcome.text), ("Hm.", "Yes."))

    def test_wholeWithoutReason(self) -> None:
        """
        A plain response is complete by being one document.
        """
        whole = msgspec.json.encode({"choices": [{"message": {"content": "Hi."}}]})
        self.assertEqual(understood(whole).end, ModelReply("Hi.", "stop", NO_USAGE))
        self.assertEqual(understood(whole[:-1]).end[0], UpstreamTruncated)

    def test_thoughtsBeforeCalls(self) -> None:
        """
        Reasoning before a call is kept, with the field in which it came; reasoning
        before text is not.
        """
        call = {"id": "c", "function": {"name": "ls", "arguments": "{}"}}
        for field in ("reasoning_content", "reasoning"):
            thoughts = [says(**{field: "Hm"}), says(**{field: "."})]
            end = understood(stream(*thoughts, says(tool_calls=[call]))).end
            self.assertEqual(end.thoughts, (Thought("Hm.", field),))
            end = understood(stream(*thoughts, says(content="Hi."))).end
            self.assertEqual(end.thoughts, ())

    def test_usage(self) -> None:
        """
        The last count is used: some providers send one with each chunk, with all tokens
        so far.
        """
        outcome = understood(
            stream(
                {**says(content="a"), "usage": {"completion_tokens": 1}},
                {**says(content="b"), "usage": {"completion_tokens": 2}},
                {**says("stop"), "usage": None},
            )
        )
        self.assertEqual(outcome.end, ModelReply("ab", "stop", Usage(0, 2)))

    def test_usageAnywhere(self) -> None:
        """
        Usage is found wherever a provider puts it.
        """
        counts = {"prompt_tokens": 9, "completion_tokens": 4}
        end = says("stop")
        choice = {**end["choices"][0], "usage": counts}
        own = {"choices": [], "usage": counts}
        for wire in (
            stream({**end, "usage": counts}),
            stream(end, own),
            stream(end, {"usage": counts}),
            stream(end) + stream(own, done=False),
            stream(end) + stream({"choices": [choice]}, done=False),
            stream(end) + stream({"x_groq": {"usage": counts}}, done=False),
            stream({"choices": [choice]}),
            stream({**end, "x_groq": {"id": "req_1", "usage": counts}}),
            stream(end, {"x_groq": {"usage": counts}}),
            stream(own, end),
            stream({**says(), "usage": counts}, {**end, "usage": {}}),
            stream({**says(), "usage": counts}, {**end, "usage": {"prompt_tokens": 0}}),
        ):
            for pieces in ([wire], cut(wire, range(len(wire)))):
                self.assertEqual(understood(*pieces).end.usage, Usage(9, 4), wire)

    def test_cachedTokens(self) -> None:
        """
        Each provider has its own word for cached tokens.
        """
        for told in (
            {"prompt_tokens_details": {"cached_tokens": 6}},
            {"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3},
            {"cached_tokens": 6},
            {"prompt_cache_hit_tokens": "6", "prompt_tokens_details": []},
        ):
            counts = {"prompt_tokens": 9, "completion_tokens": 4, **told}
            end = understood(stream({**says("stop"), "usage": counts})).end
            self.assertEqual(end.usage, Usage(9, 4, 6), told)

    def test_lateUsage(self) -> None:
        """
        The count after the finish reason is read.
        """
        last = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
        outcome = understood(stream(says("stop", content="a"), last, done=False))
        self.assertEqual(outcome.end, ModelReply("a", "stop", Usage(3, 1)))


class MalformedTests(SynchronousTestCase):
    """
    Malformed responses are errors.
    """

    def test_wrongTypes(self) -> None:
        """
        A member of another type counts as absent, and proves nothing.
        """
        for payload in (
            {"choices": [{"delta": {"content": 1}}]},
            {"choices": {"delta": {}}},
        ):
            self.assertEqual(understood(stream(payload)).end[0], UpstreamTruncated)
            outcome = understood(stream(payload, says("stop", content="Hi.")))
            self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_halfDocument(self) -> None:
        """
        An incomplete document is a truncated response.
        """
        outcome = understood(UNSTREAMED[:-20])
        self.assertEqual((outcome.text, outcome.end[0]), ("", UpstreamTruncated))


class ReportedErrorTests(SynchronousTestCase):
    """
    Errors after a status of 200.
    """

    def assertReported(self, chunk: object, kind: type[OpenClawError]) -> str:
        """
        Assert that a chunk, streamed or not, is an error.

        @return: Its message.
        """
        streamed = understood(stream(says(content="Hi."), chunk))
        whole = understood(msgspec.json.encode(chunk))
        self.assertEqual(streamed.text, "Hi.")
        self.assertEqual(streamed.end[0], kind)
        self.assertEqual(streamed.end, whole.end)
        return streamed.end[1]

    def test_forms(self) -> None:
        """
        The forms of several providers.
        """
        for chunk in [
            {"error": {"message": "Out of memory", "type": "server_error"}},
            {"error": {"message": "Out of memory", "code": "oom"}},
            {"error": "Out of memory"},
            {"error": {"message": "Out of memory", "code": 200}},
            {"object": "error", "message": "Out of memory", "code": 500},
        ]:
            message = self.assertReported(chunk, UpstreamError)
            self.assertEqual(
                message,
                "Provider 'vendor' answered with status 500. It says: Out of memory",
            )

    def test_noWords(self) -> None:
        """
        An error need not have a message.
        """
        self.assertReported({"error": True}, UpstreamError)

    def test_status(self) -> None:
        """
        An error with a status has that status's meaning.
        """
        limit = {"error": {"message": "Slow down", "code": 429}}
        self.assertReported(limit, UpstreamRateLimited)
        key = {"error": {"message": "No such key: abc", "code": 401}}
        self.assertNotIn("abc", self.assertReported(key, UpstreamAuthFailed))
