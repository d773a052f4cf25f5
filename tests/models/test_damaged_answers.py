"""
Tests of L{openclaw.models.upstream_call}: responses damaged on the wire, in each
dialect.
"""

from gzip import compress

from twisted.logger import Logger

from openclaw.config import Provider, Secret
from openclaw.errors import (
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.interfaces import EmbeddingRequest
from openclaw.plugins import openclaw_models
from tests.models import (
    answer_samples,
    anthropic_answers,
    responses_answers,
    test_google_response,
    test_ollama_response,
)
from tests.models.provider_case import HEAD, KEY, ProviderTestCase

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
GZIP = b"Content-Encoding: gzip\r\n"
TERMINATED = {
    "openaiCompletions": answer_samples.OPENAI,
    "openaiResponses": responses_answers.TALK,
    "anthropicMessages": anthropic_answers.TALK,
    "ollama": test_ollama_response.ANSWER,
}
"""
Streams whose protocol has an end marker.
"""

STREAMS = {**TERMINATED, "googleGenerativeAI": test_google_response.ANSWER}
VECTORS = b'{"data":[{"embedding":[0.5,1]}]}'
CODINGS = (
    b"br",
    b"zstd",
    b"deflate",
    b"gzip, gzip",
    b"gzip, br",
    b"x-unknown",
    b"gzip\r\nContent-Encoding: gzip",
)


def chunk(data: bytes) -> bytes:
    """
    Return data as a chunk of the transfer coding.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


def sized(data: bytes) -> bytes:
    """
    Return the end of the headers, and a body with its length.
    """
    return b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


class DialectTestCase(ProviderTestCase):
    """
    Providers of all dialects, whose server is the test.
    """

    def begin(self, name):
        """
        Call a provider.
        """
        self.setUp()
        self.server = self.serveRaw()
        settings = Provider(baseUrl="http://model.test/v1", apiKey=Secret(KEY))
        log = Logger(observer=lambda event: None)
        maker = getattr(openclaw_models, name)
        self.provider = maker.makeProvider("vendor", settings, self.network, log)

    def answered(self, name, *pieces):
        """
        Call a model, and deliver each piece of the response as a separate read.
        """
        self.begin(name)
        call = self.asked()
        for piece in pieces:
            self.server.write(piece)
            self.network.flush()
        return call

    def embedded(self, answer):
        """
        Request a vector.
        """
        self.begin("openaiCompletions")
        done = self.provider.embed(EmbeddingRequest("m", ["a"]))
        self.network.flush()
        self.server.write(answer)
        self.network.flush()
        return done

    def assertFails(self, done, kind, words, what):
        """
        Assert that a response is an error with this reason.
        """
        error = self.failureResultOf(done).value
        self.assertIs(type(error), kind, (what, error))
        isLasting = kind in (UpstreamMalformed, UpstreamAuthFailed)
        self.assertEqual(error.shouldRetry, False if isLasting else None)
        self.assertIn(words, error.message, what)
        self.assertNothingLeft()


class DamageTests(DialectTestCase):
    """
    Detected damage is an error, even if all events can be decoded.
    """

    def test_undamaged(self):
        """
        The same response without damage is a reply.
        """
        for name, wire in STREAMS.items():
            packed = compress(wire)
            for answer in (
                CHUNKED + b"\r\n" + chunk(wire) + b"0\r\n\r\n",
                CHUNKED + GZIP + b"\r\n" + chunk(packed) + b"0\r\n\r\n",
                HEAD + GZIP + sized(packed),
            ):
                call = self.answered(name, answer)
                self.assertTrue(self.successResultOf(call.done).text, name)

    def test_framing(self):
        """
        Damaged framing in the read of the last event is an error.
        """
        for name, wire in STREAMS.items():
            for rest in (b"zz\r\n", b"-1\r\n", b"\r\n\r\n", b"0\r\nno header\r\n\r\n"):
                answer = CHUNKED + b"\r\n" + chunk(wire) + rest
                call = self.answered(name, answer)
                self.assertFails(call.done, UpstreamTruncated, "damaged", (name, rest))

    def test_compressed(self):
        """
        A wrong or missing checksum, and trailing data, are errors.
        """
        for name, wire in STREAMS.items():
            packed = compress(wire)
            wrong = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
            for body in (wrong, packed[:-1], packed[:-8], packed + b"more"):
                for answer in (
                    HEAD + GZIP + sized(body),
                    CHUNKED + GZIP + b"\r\n" + chunk(body) + b"0\r\n\r\n",
                ):
                    call = self.answered(name, answer)
                    self.assertFails(call.done, UpstreamTruncated, "compressed", name)

    def test_withoutTerminal(self):
        """
        Without an end marker in the dialect, damage is an error at any time; earlier
        events are kept.
        """
        wire = STREAMS["googleGenerativeAI"]
        begin = CHUNKED + b"\r\n" + chunk(wire)
        call = self.answered("googleGenerativeAI", begin, b"zz\r\n")
        self.assertFails(call.done, UpstreamTruncated, "damaged", "google")
        self.assertIn("Two cafés", self.text)

    def test_afterTerminal(self):
        """
        Data after the provider's end marker is not awaited.
        """
        for name, wire in TERMINATED.items():
            call = self.answered(name, CHUNKED + b"\r\n" + chunk(wire))
            self.assertTrue(self.successResultOf(call.done).text, name)
            self.server.write(b"zz\r\n")
            self.network.flush()
            self.assertNothingLeft()

    def test_secondMessage(self):
        """
        Bytes after a complete message are not part of it, and close the connection.
        """
        for name, wire in STREAMS.items():
            for rest in (b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
                call = self.answered(name, HEAD + sized(wire) + rest)
                self.assertTrue(self.successResultOf(call.done).text, name)
                self.assertNothingLeft()

    def test_reportedError(self):
        """
        An error that the provider reports takes precedence over later damage.
        """
        wire = b'data: {"error":{"message":"Out of coffee"}}\n\n'
        answer = CHUNKED + b"\r\n" + chunk(wire) + b"zz\r\n"
        call = self.answered("openaiCompletions", answer)
        self.assertFails(call.done, UpstreamError, "Out of coffee", "error")

    def test_embeddings(self):
        """
        Vectors with damaged framing are an error, even if the JSON is complete.
        """
        whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(
            VECTORS
        )
        self.successResultOf(self.embedded(whole + b"0\r\n\r\n"))
        done = self.embedded(whole + b"zz\r\n")
        self.assertFails(done, UpstreamTruncated, "damaged", "embeddings")


class CodingTests(DialectTestCase):
    """
    Content codings that were not requested.
    """

    def test_answers(self):
        """
        A response with one is an error with the coding's name.
        """
        for coding in CODINGS:
            header = b"Content-Encoding: %b\r\n" % coding
            named = coding.replace(b"\r\nContent-Encoding:", b",").decode()
            words = f"a content coding that was not requested ({named})"
            for name, wire in STREAMS.items():
                call = self.answered(name, HEAD + header + sized(wire))
                self.assertFails(call.done, UpstreamMalformed, words, name)
            head = b"HTTP/1.1 200 OK\r\n" + header
            done = self.embedded(head + sized(VECTORS))
            self.assertFails(done, UpstreamMalformed, words, coding)

    def test_refusals(self):
        """
        An error response with one keeps its meaning, in one read or several, also
        without a body.
        """
        for coding in CODINGS:
            for status, kind, words in (
                (400, UpstreamRefused, "refused the request"),
                (401, UpstreamAuthFailed, "refused the gateway's key"),
                (429, UpstreamRateLimited, "is over its rate limit"),
                (500, UpstreamError, "status 500"),
                (503, UpstreamError, "status 503"),
            ):
                head = (
                    b"HTTP/1.1 %d No\r\nRetry-After: 7\r\nContent-Encoding: %b\r\n"
                    % (status, coding)
                )
                for name in STREAMS:
                    for pieces in (
                        [head + sized(b"no words")],
                        [head + sized(b"")],
                        [head, b"Content-Length: 4\r\n\r\n", b"no"],
                    ):
                        call = self.answered(name, *pieces)
                        error = self.failureResultOf(call.done).value
                        self.assertIs(type(error), kind, (name, coding))
                        self.assertIn(words, error.message)
                        after = 7 if status in (429, 503) else None
                        self.assertEqual(error.retryAfter, after)
                        self.assertNothingLeft()
            done = self.embedded(
                b"HTTP/1.1 429 No\r\nContent-Encoding: %b\r\n" % coding + sized(b"x")
            )
            self.assertFails(done, UpstreamRateLimited, "rate limit", coding)
