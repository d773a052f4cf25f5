"""
Embeddings with the real daemon and OpenAI's Python SDK.
"""

from base64 import b64encode
from collections.abc import Callable
from operator import mul
from struct import pack
from typing import Any, TypeVar

import openai
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import KEY, TOKEN, DaemonTestCase
from tests.integration.processes import children, missingProcesses
from tests.integration.requirements import missingModel

T = TypeVar("T")

VECTORS = [[0.5, -1.0, 0.25], [2.0, 1.0, 4.0]]


class SDKTestCase(DaemonTestCase):
    """
    The blocking client in a thread, and the daemon.
    """

    changes: dict[str, Any] = {
        "agents": {"defaults": {"embeddingModel": "scripted/vectors"}}
    }
    daemon: Daemon

    async def setUp(self) -> None:
        """
        Start the daemon.
        """
        super().setUp()
        self.daemon = await self.startDaemon(config=self.configure(self.changes))

    def embed(self, given: Any, **fields: Any) -> "Deferred[Any]":
        """
        Request embeddings.
        """
        return self.withClient(
            lambda client: client.embeddings.create(
                model="openclaw", input=given, **fields
            )
        )

    def withClient(self, work: Callable[[openai.OpenAI], T]) -> "Deferred[T]":
        """
        Use the client in a thread.
        """

        def use() -> T:
            url = f"{self.daemon.url}/v1"
            with openai.OpenAI(base_url=url, api_key=TOKEN, max_retries=0) as client:
                return work(client)

        return deferToThread(use)


def give(call: ServedCall) -> None:
    """
    Reply like OpenAI: in the requested format, with a vector for each input.
    """
    given = call.body["input"]
    count = len(given) if isinstance(given, list) and given[0] != 1 else 1
    coded = call.body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": b64encode(pack("<3f", *vector)).decode() if coded else vector,
        }
        for index, vector in enumerate(VECTORS[:count])
    ]
    call.give({"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}})


class ProviderTests(SDKTestCase):
    """
    The model of a configured provider.
    """

    async def setUp(self) -> None:
        """
        Let the provider reply.
        """
        await super().setUp()
        self.upstream.answer = give

    async def test_byDefault(self) -> None:
        """
        The SDK requests base64 by default, and returns numbers.
        """
        answer = await self.embed(["a", "b"])
        self.assertEqual([each.embedding for each in answer.data], VECTORS)
        self.assertEqual([each.index for each in answer.data], [0, 1])
        self.assertEqual((answer.object, answer.model), ("list", "openclaw"))
        self.assertEqual(
            (answer.usage.prompt_tokens, answer.usage.total_tokens), (5, 5)
        )
        [call] = self.upstream.calls
        self.assertEqual(call.path, "/v1/embeddings")
        self.assertEqual(call.headers["authorization"], f"Bearer {KEY}")
        self.assertEqual(call.body["model"], "vectors")

    async def test_everyForm(self) -> None:
        """
        One text, several, tokens; numbers on request.
        """
        for given, count in [("a", 1), (["a", "b"], 2), ([1, 2], 1), ([[3], [4]], 2)]:
            for form in ("float", "base64"):
                answer = await self.embed(given, encoding_format=form, dimensions=3)
                found = [each.embedding for each in answer.data]
                if form == "base64":
                    coded = [b64encode(pack("<3f", *v)).decode() for v in VECTORS]
                    self.assertEqual(found, coded[:count])
                else:
                    self.assertEqual(found, VECTORS[:count])
                self.assertEqual(self.upstream.calls[-1].body["dimensions"], 3)

    async def test_mistakes(self) -> None:
        """
        Each error has a class of the SDK, and the field.
        """
        for given, fields, param in [
            ("", {}, "input"),
            (["a", "b", ""], {}, "input[2]"),
            ([], {}, "input"),
            ("a", {"dimensions": 7}, "dimensions"),
            ("a", {"encoding_format": "hex"}, "encoding_format"),
        ]:
            error = await self.assertFailure(
                self.embed(given, **fields), openai.BadRequestError
            )
            self.assertEqual(error.param, param)
            self.assertTrue(error.request_id)

    async def test_rateLimit(self) -> None:
        """
        A provider's rate limit has the time until a retry.
        """
        self.upstream.answer = lambda call: call.refuse(
            429, headers=[("retry-after", "7")]
        )
        error = await self.assertFailure(self.embed("a"), openai.RateLimitError)
        self.assertEqual(error.code, "upstream_rate_limited")
        self.assertEqual(error.response.headers["retry-after"], "7")

    async def test_gone(self) -> None:
        """
        When the client disconnects, the provider's connection is closed immediately.
        """
        self.upstream.answer = lambda call: None
        asked = self.upstream.nextCall()
        given: dict[str, Any] = {"model": "openclaw", "input": "a"}

        def giveUp(client: openai.OpenAI) -> None:
            client.with_options(timeout=1).embeddings.create(**given)

        giving = self.withClient(giveUp)
        call = await asked
        await self.assertFailure(giving, openai.APITimeoutError)
        await call.gone
        self.assertNotIn("Traceback", self.daemon.text)


class EmbeddedTests(SDKTestCase):
    """
    The embedded model, without any configuration.
    """

    skip = missingModel() or missingProcesses()
    changes = {"models": {"local": {"threads": 1, "contextSize": 256}}}

    async def test_outOfTheBox(self) -> None:
        """
        Vectors in both formats come from a process that starts automatically, and ends
        with the daemon.
        """
        self.assertEqual(children(self.daemon.pid), [])
        answer = await self.embed(["The cat sleeps.", "A kitten is napping.", "Stocks"])
        cat, kitten, stocks = (each.embedding for each in answer.data)
        self.assertGreater(sum(map(mul, cat, kitten)), sum(map(mul, cat, stocks)))
        self.assertGreater(answer.usage.prompt_tokens, 5)
        [_] = children(self.daemon.pid)
        floats = await self.embed("The cat sleeps.", encoding_format="float")
        again = floats.data[0].embedding
        self.assertAlmostEqual(sum(map(mul, cat, again)), 1, places=2)
        await self.daemon.stop()
        self.assertIn("The embedded model is stopped", self.daemon.text)

    async def test_mistakes(self) -> None:
        """
        Unsupported requests are errors of the client.
        """
        for given, fields, code in [
            ("word " * 300, {}, "context_length_exceeded"),
            ("a", {"dimensions": 64}, "unsupported_dimensions"),
        ]:
            error = await self.assertFailure(
                self.embed(given, **fields), openai.BadRequestError
            )
            self.assertEqual(error.code, code)
