"""
Tests of embeddings over HTTP: L{openclaw.models.embedding_calls} and the dialects.
"""

import json
from base64 import b64encode
from struct import pack

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, eventAsText
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.config import Provider, Secret
from openclaw.errors import (
    ContextTooLong,
    InvalidRequest,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.interfaces import EmbeddingRequest, IEmbedder
from openclaw.models.dialects.google_generative_ai.embedding import GoogleEmbeddings
from openclaw.models.dialects.ollama.embedding import OllamaEmbeddings
from openclaw.models.dialects.openai_completions.embedding import (
    LlamaCppEmbeddings,
    OpenAIEmbeddings,
)
from openclaw.models.embedding_calls import (
    INPUT_BYTES,
    LARGE_BYTES,
    VECTOR_BYTES,
    packVector,
    readVector,
    unpackVector,
)
from openclaw.models.provider_maker import HTTPProviderMaker
from openclaw.plugins.openclaw_models import anthropicMessages, openaiCompletions
from tests.models.provider_case import KEY, ProviderTestCase

REQUEST = EmbeddingRequest("m", ["a", "b"])
GIVEN = {
    "data": [{"embedding": [0.5, 1]}, {"embedding": [2.0, -1.0]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


def floats(reply):
    """
    Return the vectors of a reply.
    """
    return [unpackVector(vector) for vector in reply.vectors]


def replaced(request=REQUEST, **fields):
    """
    Return a request with other fields.
    """
    return msgspec.structs.replace(request, **fields)


class VectorTests(SynchronousTestCase):
    """
    The two forms of a vector.
    """

    @given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
    def test_bothForms(self, numbers):
        """
        Base64 and numbers are equivalent.
        """
        coded = msgspec.Raw(msgspec.json.encode(pack(f"<{len(numbers)}f", *numbers)))
        self.assertEqual(unpackVector(readVector(coded)), numbers)
        self.assertEqual(unpackVector(packVector(numbers)), numbers)

    def test_digits(self):
        """
        Numbers keep all of their digits.
        """
        self.assertEqual(
            unpackVector(readVector(msgspec.Raw(b"[0.1, -3]"))), [0.1, -3.0]
        )

    @given(
        st.binary(max_size=20) | st.sampled_from([b"[]", b'""', b'"AAA="', b"[null]"])
    )
    def test_rubbish(self, data):
        """
        An invalid vector is a clear error.
        """
        try:
            self.assertTrue(readVector(msgspec.Raw(data)))
        except ValueError:
            pass


class OpenAITests(SynchronousTestCase):
    """
    OpenAI's dialect.
    """

    def test_asks(self):
        """
        Only requested fields are sent, since some servers reject others.
        """
        dialect = OpenAIEmbeddings()
        self.assertEqual(dialect.path(REQUEST), "/embeddings")
        for request, body in [
            (REQUEST, {"model": "m", "input": ["a", "b"]}),
            (
                EmbeddingRequest("m", [[1, 2]], 64, base64=True),
                {
                    "model": "m",
                    "input": [[1, 2]],
                    "dimensions": 64,
                    "encoding_format": "base64",
                },
            ),
        ]:
            self.assertEqual(json.loads(dialect.encode(request)), body)

    def test_llamaCpp(self):
        """
        llama.cpp would ignore the dimensions.
        """
        body = json.loads(LlamaCppEmbeddings().encode(replaced(dimensions=2)))
        self.assertNotIn("dimensions", body)

    def test_order(self):
        """
        The vectors have the order of the inputs, whatever order they arrive in.
        """
        data = [{"embedding": [i], "index": i} for i in (2, 0, 1)]
        reply = OpenAIEmbeddings().read(json.dumps({"data": data}))
        self.assertEqual(floats(reply), [[0], [1], [2]])
        self.assertEqual(reply.promptTokens, 0)


class OllamaTests(SynchronousTestCase):
    """
    Ollama's dialect.
    """

    def test_asks(self):
        """
        C{truncate} is false, so that a text that is too long is an error.
        """
        dialect = OllamaEmbeddings()
        self.assertEqual(dialect.path(REQUEST), "/api/embed")
        self.assertEqual(
            json.loads(dialect.encode(replaced(dimensions=64))),
            {"model": "m", "input": ["a", "b"], "truncate": False, "dimensions": 64},
        )

    def test_reads(self):
        """
        Vectors and tokens are decoded.
        """
        reply = OllamaEmbeddings().read(
            '{"model":"m","embeddings":[[1,2],[3,4]],"prompt_eval_count":5}'
        )
        self.assertEqual((floats(reply), reply.promptTokens), ([[1, 2], [3, 4]], 5))

    def test_tokens(self):
        """
        The API does not accept tokens as inputs.
        """
        for dialect in (OllamaEmbeddings(), GoogleEmbeddings()):
            error = self.assertRaises(
                InvalidRequest, dialect.encode, replaced(inputs=["a", [1]])
            )
            self.assertEqual(error.param, "input")


class GoogleTests(SynchronousTestCase):
    """
    Google's dialect.
    """

    def test_asks(self):
        """
        Each text is a separate request of a batch.
        """
        dialect = GoogleEmbeddings()
        for name in ("m", "models/m"):
            request = replaced(model=name, dimensions=64)
            self.assertEqual(dialect.path(request), "/models/m:batchEmbedContents")
            self.assertEqual(
                json.loads(dialect.encode(request)),
                {
                    "requests": [
                        {
                            "model": "models/m",
                            "outputDimensionality": 64,
                            "content": {"parts": [{"text": text}]},
                        }
                        for text in "ab"
                    ]
                },
            )

    def test_reads(self):
        """
        Vectors are decoded, and tokens if they are counted.
        """
        reply = GoogleEmbeddings().read('{"embeddings":[{"values":[1,2]}]}')
        self.assertEqual((floats(reply), reply.promptTokens), ([[1, 2]], 0))
        reply = GoogleEmbeddings().read(
            '{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":4}}'
        )
        self.assertEqual(reply.promptTokens, 4)


class InPairs(OpenAIEmbeddings):
    """
    An API with two inputs per request.
    """

    most = 2


class EmbedTests(ProviderTestCase):
    """
    A provider over HTTP.
    """

    def makeProvider(self, url="http://model.test/v1", maker=openaiCompletions):
        """
        Return a provider of a configuration.
        """
        settings = Provider(baseUrl=url, apiKey=Secret(KEY), timeoutSeconds=60)
        return maker.makeProvider("vendor", settings, self.network, self.log())

    def log(self):
        """
        Return a log that keeps its events.
        """
        return Logger(observer=lambda event: self.logged.append(eventAsText(event)))

    def embed(self, request=REQUEST):
        """
        Request embeddings, and deliver the request.
        """
        done = self.provider.embed(request)
        self.network.flush()
        return done

    def failure(self, done, kind):
        """
        Return the error, which does not have the key.
        """
        self.network.flush()
        error = self.failureResultOf(done, kind).value
        self.assertIs(type(error), kind)
        self.assertNotIn(KEY, error.message)
        return error

    def test_answer(self):
        """
        The request has the key, the response is returned, and the connection is kept.
        """
        verifyObject(IEmbedder, self.provider)
        for _ in range(2):
            done = self.embed()
            self.assertEqual(self.served.path, "/v1/embeddings")
            self.assertEqual(self.served.headers["authorization"], f"Bearer {KEY}")
            self.assertEqual(self.served.headers["accept"], "application/json")
            self.served.give(GIVEN)
            self.network.flush()
            reply = self.successResultOf(done)
            self.assertEqual(floats(reply), [[0.5, 1], [2, -1]])
            self.assertEqual(reply.promptTokens, 3)
        self.assertEqual(len(self.network.links), 1)
        self.assertCloses()

    def test_eitherForm(self):
        """
        A server may send the other format than the requested one.
        """
        coded = b64encode(pack("<2f", 0.5, 1)).decode()
        for asked in (True, False):
            done = self.embed(EmbeddingRequest("m", ["a"], base64=asked))
            self.served.give({"data": [{"embedding": [0.5, 1] if asked else coded}]})
            self.network.flush()
            self.assertEqual(floats(self.successResultOf(done)), [[0.5, 1]])
        self.assertCloses()

    def test_dimensions(self):
        """
        Vectors of another length than the requested one are an error.
        """
        for wanted in (2, 3):
            done = self.embed(replaced(dimensions=wanted))
            self.served.give(GIVEN)
            self.network.flush()
            if wanted == 2:
                self.assertEqual(len(self.successResultOf(done).vectors), 2)
        error = self.failure(done, InvalidRequest)
        self.assertEqual(error.param, "dimensions")
        self.assertIn("2 dimensions", error.message)

    def test_nonsense(self):
        """
        An invalid or unrelated response is the provider's error.
        """
        for document in [
            {},
            {"data": []},
            {"data": GIVEN["data"][:1]},
            {"data": [{"embedding": [1]}, {"embedding": [1, 2]}]},
            {"data": [{"embedding": []}, {"embedding": []}]},
            {"data": [{"embedding": "AAA="}, {"embedding": "AAA="}]},
            {"data": [{"embedding": "*"}, {"embedding": "*"}]},
            {"data": [{"embedding": None}, {"embedding": None}]},
            [],
        ]:
            done = self.embed()
            self.served.give(document)
            self.failure(done, UpstreamMalformed)

    def test_brokenOff(self):
        """
        A truncated response is distinguished from an invalid one.
        """
        done = self.embed()
        self.served.send(b'{"data":[{"embedding":[1.0,')
        self.network.flush()
        self.served.cut()
        self.failure(done, UpstreamTruncated)

    def test_endless(self):
        """
        A response over the limit is not read further.
        """
        done = self.embed()
        self.served.send(b" " * (LARGE_BYTES + 2 * INPUT_BYTES + 1))
        self.failure(done, UpstreamTooLarge)

    def test_manyVectors(self):
        """
        A list of very many vectors is not decoded.
        """
        for many in ("[],", '{"embedding":[]},'):
            done = self.embed()
            self.served.send(b'{"data":[%b{}]}' % (many.encode() * 15_000))
            self.served.end()
            self.failure(done, UpstreamTooLarge)

    def test_longVector(self):
        """
        Neither is a vector of very many numbers.
        """
        for vector in (b"[" + b"1," * VECTOR_BYTES + b"1]", b'"%b"' % (b"A" * 2**21)):
            self.assertRaises(ValueError, readVector, msgspec.Raw(vector))

    def test_refusals(self):
        """
        Error responses have the same meaning as for completions.
        """
        for status, message, kind in [
            (401, "bad key", UpstreamAuthFailed),
            (429, "slow down", UpstreamRateLimited),
            (503, "oops", UpstreamError),
            (400, "maximum context length is 8192 tokens", ContextTooLong),
            (
                500,
                "input (3001 tokens) is too large to process. increase the physical"
                " batch size (current batch size: 512)",
                ContextTooLong,
            ),
        ]:
            done = self.embed()
            self.served.refuse(status, f"{message} {KEY}")
            self.failure(done, kind)

    def test_unreachable(self):
        """
        The connection is refused.
        """
        self.provider = self.makeProvider("http://model.test:81/v1")
        done = self.embed()
        # A name may have several addresses, which are tried in turn.
        self.network.wait(0.5)
        self.failure(done, UpstreamUnreachable)

    def test_silent(self):
        """
        A provider that sends nothing times out.
        """
        done = self.embed()
        self.network.wait(61)
        error = self.failure(done, UpstreamTimeout)
        self.assertEqual(error.code, "upstream_idle_timeout")
        self.assertNothingLeft()

    def test_cancelled(self):
        """
        Cancelling closes the connection immediately.
        """
        done = self.embed()
        done.cancel()
        self.failureResultOf(done, RunCancelled)
        self.network.flush()
        self.successResultOf(self.served.gone)
        self.assertNothingLeft()

    def test_inParts(self):
        """
        More inputs than the API accepts are sent in parts, with one result.
        """
        maker = HTTPProviderMaker("x", openaiCompletions.dialect, f"{__name__}.InPairs")
        self.provider = self.makeProvider(maker=maker)
        done = self.embed(EmbeddingRequest("m", ["a", "b", "c"]))
        self.assertEqual(self.served.body["input"], ["a", "b"])
        self.served.give(GIVEN)
        self.network.flush()
        self.assertEqual(self.served.body["input"], ["c"])
        self.served.give({**GIVEN, "data": [{"embedding": [7, 8]}]})
        self.network.flush()
        reply = self.successResultOf(done)
        self.assertEqual(floats(reply), [[0.5, 1], [2, -1], [7, 8]])
        self.assertEqual(reply.promptTokens, 6)
        self.assertCloses()

    def test_none(self):
        """
        An API without embeddings has an error that says so.
        """
        self.provider = self.makeProvider(maker=anthropicMessages)
        error = self.failure(self.embed(), InvalidRequest)
        self.assertIn("no embeddings", error.message)
        self.assertEqual(self.model.calls, [])
