"""
Tests of L{openclaw.models.openai_completions}: what is understood.

How it travels is tested in L{tests.models.test_upstream}.
"""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import (
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamTruncated,
)
from openclaw.events import ReasoningDelta, TextDelta
from openclaw.interfaces import ModelReply
from openclaw.messages import NO_USAGE, Usage
from openclaw.models.openai_completions import ChatCompletionDecoder
from openclaw.models.sse import MAX_EVENT_BYTES
from tests.models.reading import REFUSAL
from tests.models.samples import EVERY_SAMPLE, UNSTREAMED, Outcome
from tests.models.support import cut, places


def understood(*pieces: bytes) -> Outcome:
    """
    Read an answer as a call does: until it is complete, or has ended.
    """
    decoder = ChatCompletionDecoder("vendor", REFUSAL)
    events = []
    for piece in pieces:
        events += decoder.feed(piece)
        if decoder.complete:
            break
    events += decoder.finish()
    told: dict[type, str] = {TextDelta: "", ReasoningDelta: ""}
    for event in events:
        assert event.text, "an event tells something"
        told[type(event)] += event.text
    try:
        end = decoder.reply()
        assert end.text == told[TextDelta], "the reply is what was told"
    except OpenClawError as error:
        end = (type(error), error.message)
    return Outcome(told[TextDelta], told[ReasoningDelta], end)


def stream(*chunks: object, done: bool = True) -> bytes:
    """
    A stream of these chunks.
    """
    events = [b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks]
    return b"".join(events) + (b"data: [DONE]\n\n" if done else b"")


def says(finish_reason: str | None = None, **delta: object) -> dict[str, object]:
    """
    A chunk with this delta.
    """
    return {"choices": [{"delta": delta, "finish_reason": finish_reason}]}


class SampleTests(SynchronousTestCase):
    """
    The providers that there are, are understood.
    """

    def test_atOnce(self) -> None:
        """
        All words, thoughts, counts and reasons are found.
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
    @given(st.sampled_from(sorted(EVERY_SAMPLE)), places(1500))
    def test_manyCuts(self, name: str, where: list[int]) -> None:
        """
        However many reads it takes, down to one for each byte.
        """
        wire, outcome = EVERY_SAMPLE[name]
        self.assertEqual(understood(*cut(wire, where)), outcome)

    @settings(deadline=None)
    @given(st.sampled_from(sorted(EVERY_SAMPLE)), st.integers(0, 1500), places(1500))
    def test_brokenOff(self, name: str, length: int, where: list[int]) -> None:
        """
        An answer that breaks off anywhere is never mistaken for another one: it is
        the beginning of what it would have been, and whole or known not to be.
        """
        wire, outcome = EVERY_SAMPLE[name]
        left = understood(*cut(wire[:length], where))
        self.assertEqual(left, understood(wire[:length]))
        self.assertTrue(outcome.told.startswith(left.told))
        self.assertTrue(outcome.thought.startswith(left.thought))
        if isinstance(left.end, ModelReply):
            self.assertEqual(left.told, outcome.told)
        elif left.end != outcome.end:
            self.assertIs(left.end[0], UpstreamTruncated)


class EndTests(SynchronousTestCase):
    """
    An answer counts only if the provider said that it is whole.
    """

    def test_reasonWithoutDone(self) -> None:
        """
        C{[DONE]} may be missing.
        """
        outcome = understood(stream(says("stop", content="Hi."), done=False))
        self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_doneWithoutReason(self) -> None:
        """
        The reason may be missing, or come as C{null}.
        """
        for chunk in (
            says(content="Hi."),
            {"choices": [{"delta": {"content": "Hi."}}]},
        ):
            outcome = understood(stream(chunk))
            self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_neither(self) -> None:
        """
        Without both the answer broke off; what there was of it has been told.
        """
        outcome = understood(stream(says(content="Hi."), done=False))
        self.assertEqual(outcome.told, "Hi.")
        self.assertEqual(
            outcome.end,
            (UpstreamTruncated, "The answer of provider 'vendor' broke off."),
        )

    def test_nothing(self) -> None:
        """
        No answer is none.
        """
        for pieces in ([], [b""], [b"\r\n"], [b": wait\n\n"]):
            self.assertEqual(understood(*pieces).end[0], UpstreamTruncated)
        page = understood(b"<html></html>")
        self.assertEqual(page.end[0], UpstreamMalformed)

    def test_reasons(self) -> None:
        """
        Of the reasons those are told that mean something to a caller.
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
        What a provider gave up is not whole, even where it reports no error.
        """
        for reason in ("error", "abort", "insufficient_system_resource"):
            outcome = understood(stream(says(reason, content="Hi.")))
            self.assertEqual(outcome.end[0], UpstreamTruncated)

    def test_doneIsTheEnd(self) -> None:
        """
        Behind C{[DONE]}, also with blanks after it, nothing is read.
        """
        wire = stream(says(content="Hi.")).replace(b"[DONE]", b"[DONE] ")
        for more in (stream(says(content="More.")), b"data: {nonsense\n\n"):
            outcome = understood(wire + more)
            self.assertEqual(outcome.end, ModelReply("Hi.", "stop", NO_USAGE))

    def test_heldBack(self) -> None:
        """
        What looks like the start of a thought when the answer ends was text.
        """
        outcome = understood(stream(says("stop", content="<thi")))
        self.assertEqual(outcome.end, ModelReply("<thi", "stop", NO_USAGE))


class ChunkTests(SynchronousTestCase):
    """
    Providers are sloppy in many ways.
    """

    def test_nulls(self) -> None:
        """
        Any field may be C{null}, or not there.
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
        An event without data is no chunk.
        """
        wire = b"data:\n\ndata:  \n\n" + stream(says(content="Hi."))
        self.assertEqual(understood(wire).told, "Hi.")

    def test_thoughtInText(self) -> None:
        """
        Thoughts that the model writes into its answer are told apart, however the
        chunks come.
        """
        pieces = ["<thi", "nk>Hm", ".</th", "ink>", "\n\n", "Yes", ". <think>"]
        outcome = understood(stream(*(says(content=piece) for piece in pieces)))
        self.assertEqual((outcome.thought, outcome.told), ("Hm.", "Yes. <think>"))

    def test_usage(self) -> None:
        """
        The last count holds: some providers send one with each chunk, each with
        all tokens so far.
        """
        outcome = understood(
            stream(
                {**says(content="a"), "usage": {"completion_tokens": 1}},
                {**says(content="b"), "usage": {"completion_tokens": 2}},
                {**says("stop"), "usage": None},
            )
        )
        self.assertEqual(outcome.end, ModelReply("ab", "stop", Usage(0, 2)))

    def test_lateUsage(self) -> None:
        """
        The count comes behind the reason, and is not missed.
        """
        last = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
        outcome = understood(stream(says("stop", content="a"), last, done=False))
        self.assertEqual(outcome.end, ModelReply("a", "stop", Usage(3, 1)))


class MalformedTests(SynchronousTestCase):
    """
    What can't be read is said to be so.
    """

    MESSAGE = "Provider 'vendor' sent something that is no answer."

    def test_malformed(self) -> None:
        """
        Broken JSON, JSON that is no chunk, and JSON made to break the reader.  What
        came before has been told.
        """
        for payload in [
            b"{nonsense",
            b'{"choices":[{"delta":{"content":"\xff"}}]}',
            b"[1]",
            b'"text"',
            b'{"choices":[{"delta":{"content":1}}]}',
            b'{"choices":{"delta":{}}}',
            b'{"error":' + b"[" * 50_000,
        ]:
            wire = stream(says(content="Hi."), done=False)
            for piece in (
                cut(wire + b"data: " + payload + b"\n\n", [len(wire)]),
                [wire + b"data: " + payload + b"\n\n"],
            ):
                outcome = understood(*piece, stream(says("stop")))
                self.assertEqual(outcome.told, "Hi.")
                self.assertEqual(outcome.end, (UpstreamMalformed, self.MESSAGE))

    def test_endless(self) -> None:
        """
        Nobody can fill our memory: an event or a document without an end is given
        up.
        """
        for start in (b"data: ", b'{"a":"'):
            decoder = ChatCompletionDecoder("vendor", REFUSAL)
            decoder.feed(start)
            megabyte = b"x" * 1024 * 1024
            for _ in range(MAX_EVENT_BYTES // len(megabyte)):
                self.assertFalse(decoder.complete)
                decoder.feed(megabyte)
            self.assertTrue(decoder.complete)
            with self.assertRaises(UpstreamMalformed):
                decoder.reply()

    def test_halfDocument(self) -> None:
        """
        A document that breaks off is an answer that broke off.
        """
        outcome = understood(UNSTREAMED[:-20])
        self.assertEqual((outcome.told, outcome.end[0]), ("", UpstreamTruncated))


class ReportedErrorTests(SynchronousTestCase):
    """
    An error that comes after a status of 200 is one.
    """

    def assertReported(self, chunk: object, kind: type[OpenClawError]) -> str:
        """
        Assert that a chunk, streamed or not, means an error.

        @return: Its message.
        """
        streamed = understood(stream(says(content="Hi."), chunk))
        whole = understood(msgspec.json.encode(chunk))
        self.assertEqual(streamed.told, "Hi.")
        self.assertEqual(streamed.end[0], kind)
        self.assertEqual(streamed.end, whole.end)
        return streamed.end[1]

    def test_forms(self) -> None:
        """
        Each provider has its own way to put it.
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
        An error need not say anything.
        """
        self.assertReported({"error": True}, UpstreamError)

    def test_status(self) -> None:
        """
        Where a status comes with it, it is that error.
        """
        limit = {"error": {"message": "Slow down", "code": 429}}
        self.assertReported(limit, UpstreamRateLimited)
        key = {"error": {"message": "No such key: abc", "code": 401}}
        self.assertNotIn("abc", self.assertReported(key, UpstreamAuthFailed))
