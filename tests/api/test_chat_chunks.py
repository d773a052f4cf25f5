"""
Tests of L{openclaw.api.chat_chunks}.
"""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import (
    DONE,
    KEEPALIVE,
    CompletionEncoder,
    CompletionFormat,
)
from openclaw.errors import UpstreamTruncated
from openclaw.events import ReasoningDelta, RunStarted, TextDelta
from openclaw.messages import Usage
from tests.api.request_strategies import texts
from tests.api.sse_reader import folded, framesOf

LINE_ENDS = "a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i"
"""
All characters that some client takes for the end of a line.
"""

STOPPED = RunResult(text="Hello.", finishReason="stop", usage=Usage(3, 2, 1, 1))

batches = st.lists(
    st.lists(
        st.builds(TextDelta, texts)
        | st.builds(ReasoningDelta, texts)
        | st.just(RunStarted()),
        min_size=1,
        max_size=4,
    ),
    max_size=4,
)
results = st.builds(
    RunResult,
    text=st.just(""),
    finishReason=st.sampled_from(["stop", "length", "content_filter", "tool_calls"]),
    usage=st.builds(Usage, *[st.integers(0, 2**53)] * 4),
)


def replyOf(model="openclaw", includeUsage=False, reasoning=False):
    """
    Return a reply.
    """
    return CompletionEncoder(
        CompletionFormat(
            completionID="chatcmpl_1",
            created=1_800_000_000,
            model=model,
            includeUsage=includeUsage,
            reasoning=reasoning,
        )
    )


def streamed(encoder, said, result=STOPPED):
    """
    Return the frames of a whole stream.
    """
    stream = (
        encoder.encodeOpening()
        + b"".join(map(encoder.encodeEvents, said))
        + encoder.encodeEnd(result)
    )
    return framesOf(stream)


class SameTests(SynchronousTestCase):
    """
    A streamed reply equals a plain one.
    """

    @given(batches, results, texts, st.booleans(), st.booleans())
    def test_foldedIsWhole(self, said, result, model, includeUsage, reasoning):
        """
        The chunks add up to the plain reply, for any run.
        """
        text = "".join(
            event.text for batch in said for event in batch if type(event) is TextDelta
        )
        ended = RunResult(
            text=text, finishReason=result.finishReason, usage=result.usage
        )
        encoder = replyOf(model, includeUsage, reasoning)
        chunks = folded(streamed(encoder, said, ended))
        for batch in said:
            encoder.collect(batch)
        whole = msgspec.json.decode(encoder.encodeCompletion(ended))
        [choice] = whole.pop("choices")
        self.assertEqual(choice["message"].pop("refusal"), None)
        self.assertEqual(choice["message"].keys(), chunks["message"].keys())
        self.assertEqual(choice["message"], chunks["message"])
        self.assertEqual(choice["finish_reason"], chunks["finish_reason"])
        usage = whole.pop("usage")
        self.assertEqual(chunks.get("usage"), usage if includeUsage else None)
        self.assertEqual(whole.pop("object"), "chat.completion")
        self.assertEqual(chunks["object"], "chat.completion.chunk")
        self.assertTrue(whole)
        for name, value in whole.items():
            self.assertEqual(chunks[name], value)

    def test_sdk(self):
        """
        OpenAI's SDK assembles the chunks to the same reply.
        """
        said = [[TextDelta("Hel"), TextDelta("lo")], [TextDelta(".")]]
        state = ChatCompletionStreamState()
        for frame in streamed(replyOf(includeUsage=True), said):
            if isinstance(frame, dict):
                state.handle_chunk(ChatCompletionChunk.model_validate(frame))
        found = state.get_final_completion()
        self.assertEqual(found.choices[0].message.role, "assistant")
        self.assertEqual(found.choices[0].message.content, "Hello.")
        self.assertEqual(found.choices[0].finish_reason, "stop")
        self.assertEqual(found.usage.total_tokens, 5)


class FrameTests(SynchronousTestCase):
    """
    Every client can read each frame.
    """

    def test_shape(self):
        """
        There is a role, a chunk for each piece, a finish reason, and the end mark.
        """
        said = [[TextDelta("Hel"), TextDelta("lo")], [TextDelta(".")]]
        *chunks, end = streamed(replyOf(), said)
        self.assertEqual(end, "[DONE]")
        self.assertEqual(
            [chunk["choices"][0]["delta"] for chunk in chunks],
            [
                {"role": "assistant", "content": ""},
                {"content": "Hel"},
                {"content": "lo"},
                {"content": "."},
                {},
            ],
        )
        self.assertEqual(
            [chunk["choices"][0]["finish_reason"] for chunk in chunks],
            [None, None, None, None, "stop"],
        )
        for chunk in chunks:
            self.assertEqual(
                chunk.keys() - {"choices"},
                {"id", "object", "created", "model", "system_fingerprint"},
            )

    def test_usage(self):
        """
        If usage is requested, it comes last, in a chunk without a choice.
        """
        *_, finish, usage, end = streamed(replyOf(includeUsage=True), [])
        self.assertEqual(end, "[DONE]")
        self.assertEqual(usage["choices"], [])
        self.assertNotIn("usage", finish)
        self.assertEqual(
            usage["usage"],
            {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "total_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
        )

    def test_noUsage(self):
        """
        Otherwise every chunk has a choice, since simple clients read the first one of
        each.
        """
        frames = streamed(replyOf(), [[TextDelta("Hello.")]])[:-1]
        self.assertTrue(frames)
        for frame in frames:
            self.assertEqual(len(frame["choices"]), 1)
            self.assertNotIn("usage", frame)

    def test_endIsExact(self):
        """
        The end mark and the comments are exact, since some clients compare their bytes.
        """
        self.assertEqual(DONE, b"data: [DONE]\n\n")
        self.assertEqual(KEEPALIVE, b": keepalive\n\n")
        self.assertTrue(replyOf().encodeEnd(STOPPED).endswith(b"}\n\ndata: [DONE]\n\n"))

    def test_lineEnds(self):
        """
        No text, reasoning, model name or error ends a line.
        """
        encoder = replyOf(model=LINE_ENDS, reasoning=True)
        said = [[TextDelta(LINE_ENDS), ReasoningDelta(LINE_ENDS)]]
        stream = (
            encoder.encodeOpening()
            + encoder.encodeEvents(said[0])
            + encoder.encodeEnd(STOPPED)
            + encoder.encodeError(UpstreamTruncated(LINE_ENDS))
        )
        self.assertEqual(len(stream.decode().splitlines()), 2 * stream.count(b"\n\n"))
        *chunks, _, error, _ = framesOf(stream)
        whole = folded(chunks)
        self.assertEqual(whole["model"], LINE_ENDS)
        self.assertEqual(whole["message"]["content"], LINE_ENDS)
        self.assertEqual(whole["message"]["reasoning_content"], LINE_ENDS)
        self.assertEqual(error["error"]["message"], LINE_ENDS)

    def test_otherCharacters(self):
        """
        Other characters are not escaped.
        """
        frames = replyOf().encodeEvents([TextDelta("\u00e4\u2027\u202a\U0001f980")])
        self.assertIn("\u00e4\u2027\u202a\U0001f980".encode(), frames)

    def test_error(self):
        """
        A truncated reply ends with an error in the format that all SDKs raise, and then
        like any other.
        """
        error = UpstreamTruncated("The answer broke off.", param="x")
        self.assertEqual(
            framesOf(replyOf().encodeError(error)),
            [
                {
                    "error": {
                        "message": "The answer broke off.",
                        "type": "upstream_error",
                        "param": "x",
                        "code": "upstream_truncated",
                    }
                },
                "[DONE]",
            ],
        )


class ReasoningTests(SynchronousTestCase):
    """
    Reasoning is sent on request.
    """

    def test_hidden(self):
        """
        By default it is in no chunk, and not in the plain reply.
        """
        encoder = replyOf()
        thought = [ReasoningDelta("Hmm.")]
        self.assertEqual(encoder.encodeEvents(thought), b"")
        encoder.collect(thought)
        self.assertNotIn(b"Hmm.", encoder.encodeCompletion(STOPPED))
        self.assertNotIn(b"reasoning_content", encoder.encodeCompletion(STOPPED))

    def test_shown(self):
        """
        It has a separate member; the content is the same as without it.
        """
        said = [[ReasoningDelta("Hm"), TextDelta("Hello."), ReasoningDelta("m.")]]
        message = folded(streamed(replyOf(reasoning=True), said))["message"]
        self.assertEqual(message["reasoning_content"], "Hmm.")
        self.assertEqual(message["content"], "Hello.")
