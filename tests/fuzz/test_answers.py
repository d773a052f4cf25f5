"""
Responses of model providers, and mutations of them.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import CompletionEncoder, CompletionFormat
from openclaw.api.embeddings import encodeResponse
from openclaw.errors import OpenClawError, UpstreamError, UpstreamMalformed
from openclaw.interfaces import EmbeddingRequest, ModelReply
from openclaw.messages import MOST_CALLS
from openclaw.models.answer_limits import MOST_BYTES, MOST_TOKENS
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.embedding import GoogleEmbeddings
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.ollama.embedding import OllamaEmbeddings
from openclaw.models.dialects.openai_completions.embedding import OpenAIEmbeddings
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.embedding_calls import readAnswer
from openclaw.models.provider import Dialect
from openclaw.models.provider_errors import providerError
from openclaw.models.tool_calls import MOST_ARGUMENTS
from openclaw.server.error_responses import buildErrorBody
from tests.api.sse_reader import framesOf
from tests.fuzz.mutations import everyValueReplaced, hurried, mutated
from tests.models import answer_samples as samples
from tests.models import anthropic_answers, responses_answers
from tests.models import test_google_response as test_google_generative_ai
from tests.models import test_ollama_response as test_ollama
from tests.models.event_reading import cut, decoderOf, outcomeOf

FORM = CompletionFormat(
    completionID="chatcmpl_1",
    created=1,
    model="openclaw",
    stream=True,
    includeUsage=True,
    reasoning=True,
)
_places = st.lists(st.integers(0, 20_000), max_size=5)


class AnswerFuzz:
    """
    A mixin for the test cases of dialects.
    """

    dialect: Callable[[], Dialect]
    samples: Sequence[bytes]

    def decoder(self):
        """
        Return a decoder of one response.
        """
        return decoderOf(self.dialect())

    def read(self, pieces: Iterable[bytes]):
        """
        Decode a response like a call.

        @return: The result, and the usage.
        """
        decoder = self.decoder()
        return outcomeOf(decoder, pieces), decoder.usage

    def assertTellable(self, pieces: Sequence[bytes]) -> None:
        """
        Assert that the result is a reply or a provider's error, and that it can be sent
        to the client.
        """
        outcome, usage = self.read(pieces)
        for count in msgspec.structs.astuple(usage):
            self.assertTrue(0 <= count <= MOST_TOKENS, usage)
        if not isinstance(outcome.end, ModelReply):
            kind, message = outcome.end
            self.assertTrue(issubclass(kind, UpstreamError), kind)
            self.assertTrue(message)
            msgspec.json.encode(message)
            return
        encoder = CompletionEncoder(FORM)
        end = outcome.end
        encoder.buildCompletion(
            RunResult(
                text=end.text,
                finishReason=end.finishReason,
                usage=end.usage,
                toolCalls=tuple(end.toolCalls),
            )
        )
        msgspec.json.encode([end.text, list(end.toolCalls), list(end.thoughts)])

    def assertSendable(self, pieces: Sequence[bytes]) -> None:
        """
        Assert that the events result in well-formed frames.
        """
        decoder, encoder = self.decoder(), CompletionEncoder(FORM)
        frames = encoder.encodeOpening()
        for piece in pieces:
            frames += encoder.encodeEvents(decoder.feed(piece))
            if decoder.complete:
                break
        frames += encoder.encodeEvents(decoder.finish())
        for frame in framesOf(frames):
            self.assertIn("choices", frame)

    def test_endless(self) -> None:
        """
        An endless response is aborted, even one of comments.
        """
        decoder, piece = self.decoder(), b"\n:" + b"x" * 2**23 + b"\n"
        decoder.feed(b":\n")
        for _ in range(MOST_BYTES // len(piece) + 1):
            decoder.feed(b"" if decoder.complete else piece)
        self.assertTrue(decoder.complete)
        self.assertRaises(UpstreamMalformed, decoder.reply)

    def test_repeated(self) -> None:
        """
        A response with a repeated part is a reply, or is aborted: all memory that it
        takes is limited.
        """
        grown = 0
        for sample in self.samples:
            ends = (b"\r\n\r\n", b"\n\n", b"\n")
            end = next(end for end in ends if end in sample or end == ends[-1])
            events = sample.split(end)
            for place, event in enumerate(events):
                again = [event] * (2 * MOST_CALLS)
                wire = end.join([*events[:place], *again, *events[place + 1 :]])
                outcome, _ = self.read([wire])
                self.assertTellable([wire])
                self.assertLessEqual(len(outcome.calls), MOST_CALLS)
                grown += len(outcome.text) > len(sample)
        self.assertTrue(grown, "no part was one of those that matter")

    def test_longValues(self) -> None:
        """
        Any text in a response may be far too long.
        """
        sample = max(self.samples, key=len)
        values = re.findall(rb'"[^"\\]{2,}"', sample)
        self.assertTrue(values)
        for value in sorted(set(values)):
            wire = sample.replace(value, b'"' + b"x" * 3_000_000 + b'"', 1)
            outcome, _ = self.read([wire])
            self.assertTellable([wire])
            for call in outcome.calls:
                self.assertLessEqual(len(call.arguments), MOST_ARGUMENTS)

    def test_everyValue(self) -> None:
        """
        Each value in a response is replaced by invalid ones.
        """
        wires = [wire for each in self.samples for wire in everyValueReplaced(each)]
        self.assertTrue(wires)
        for wire in wires:
            self.assertTellable([wire])

    @hurried
    @given(st.data(), _places)
    def test_mutated(self, data, where) -> None:
        """
        A mutated response is decoded as far as it is valid, and the result is valid.
        """
        wire = data.draw(mutated(self.samples))
        pieces = cut(wire, where)
        self.assertTellable(pieces)
        self.assertSendable(pieces)


class OpenAICompletionsTests(AnswerFuzz, SynchronousTestCase):
    """
    C{openai-completions}.
    """

    samples = [wire for wire, _ in samples.EVERY_SAMPLE.values()]

    dialect = OpenAICompletions


class OpenAIResponsesTests(AnswerFuzz, SynchronousTestCase):
    """
    C{openai-responses}.
    """

    samples = [wire for wire, _ in responses_answers.EVERY_SAMPLE.values()]

    dialect = OpenAIResponses


class AnthropicTests(AnswerFuzz, SynchronousTestCase):
    """
    C{anthropic-messages}.
    """

    samples = [wire for wire, _ in anthropic_answers.EVERY_SAMPLE.values()]

    dialect = AnthropicMessages


class OllamaTests(AnswerFuzz, SynchronousTestCase):
    """
    C{ollama}.
    """

    samples = [wire for wire, _ in test_ollama.SAMPLES.values()]

    dialect = Ollama


class GoogleTests(AnswerFuzz, SynchronousTestCase):
    """
    C{google-generative-ai}.
    """

    samples = [wire for wire, _ in test_google_generative_ai.SAMPLES.values()]

    dialect = GoogleGenerativeAI


EMBEDDINGS = [
    (
        OpenAIEmbeddings(),
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":'
        b'[0.25,-1e-3]},{"index":1,"embedding":"AACAPwAAgD8="}],"model":"m","usage":'
        b'{"prompt_tokens":3,"total_tokens":3}}',
    ),
    (
        OllamaEmbeddings(),
        b'{"model":"m","embeddings":[[0.5,1],[1,2]],"prompt_eval_count":8,'
        b'"total_duration":14143917}',
    ),
    (
        GoogleEmbeddings(),
        b'{"embeddings":[{"values":[0.5,1]},{"values":[0,1]}],"usageMetadata":'
        b'{"promptTokenCount":4}}',
    ),
]


class EmbeddingTests(SynchronousTestCase):
    """
    Responses with embeddings.
    """

    def assertVectors(self, dialect, body: bytes) -> None:
        """
        Assert that the result is the requested vectors, or an error, and can be sent to
        the client.
        """
        try:
            answer = body.decode("utf-8")
        except UnicodeDecodeError:
            return  # known before anybody reads it
        try:
            asked = EmbeddingRequest("m", ["one", "two"])
            reply = readAnswer("vendor", dialect, asked, answer)
        except OpenClawError as error:
            msgspec.json.encode(buildErrorBody(error))
            return
        self.assertEqual(len(reply.vectors), 2)
        self.assertTrue(0 <= reply.promptTokens <= MOST_TOKENS, reply.promptTokens)
        for base64 in (False, True):
            told = msgspec.json.decode(encodeResponse(reply, "openclaw", base64))
            self.assertEqual(len(told["data"]), 2)

    def test_everyValue(self) -> None:
        """
        Each value is replaced by invalid ones.
        """
        for dialect, sample in EMBEDDINGS:
            bodies = list(everyValueReplaced(sample))
            self.assertTrue(bodies)
            for body in bodies:
                self.assertVectors(dialect, body)

    @hurried
    @given(st.data(), st.sampled_from(EMBEDDINGS))
    def test_mutated(self, data, case) -> None:
        """
        Mutated responses.
        """
        dialect, sample = case
        self.assertVectors(dialect, data.draw(mutated([sample])))


class RefusalTests(SynchronousTestCase):
    """
    Error responses.
    """

    complaints = [
        b'{"error":{"message":"Incorrect API key provided: sk-x","type":'
        b'"invalid_request_error","param":null,"code":"invalid_api_key"}}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        b'[{"error":{"code":400,"message":"API key not valid.","status":'
        b'"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/x","reason":'
        b'"API_KEY_INVALID","domain":"googleapis.com"}]}}]',
        b'{"error":"model \'nope\' not found"}',
        b'{"detail":[{"loc":["body"],"msg":"field required"}]}',
        b'{"object":"error","message":"maximum context length is 8 tokens","code":400}',
        b'{"error":{"message":"Provider returned error","code":429,"metadata":'
        b'{"raw":"{\\"error\\":\\"slow down\\"}","provider_name":"Somebody"}}}',
    ]

    @hurried
    @given(
        mutated(complaints),
        st.integers(100, 999),
        st.lists(
            st.sampled_from([b"1", b"nan", b"-1", b"inf", b"1e400", b"1_0", b"\xff"])
            | st.binary(max_size=12).filter(lambda raw: not set(raw) & set(b"\r\n\0")),
            max_size=3,
        ),
    )
    def test_mutated(self, body, status, waits) -> None:
        """
        The result is a provider's error of one line, with a time until a retry of at
        most a day.
        """
        headers = Headers({b"retry-after": waits})
        error = providerError("vendor", status, headers, body, ["sk-secret"])
        self.assertIsInstance(error, UpstreamError)
        self.assertTrue(error.message.isprintable() or "\u2028" not in error.message)
        self.assertLess(len(error.message), 1000)
        msgspec.json.encode(buildErrorBody(error))
        if error.retryAfter is not None:
            self.assertTrue(0 <= error.retryAfter <= 86_400)


__all__ = ["AnswerFuzz"]
