"""
OpenAI's Python SDK, which must not notice a difference to OpenAI.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import openai
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from openclaw.testing import ServedCall
from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.test_embeddings_api import VECTORS, give

T = TypeVar("T")

HI: Any = [{"role": "user", "content": "hi"}]
ASYNC_CALLER = Path(__file__).with_name("openai_async.py")


class SDKTestCase(DaemonTestCase):
    """
    The blocking client in a thread, and a gateway in the reactor.
    """

    async def setUp(self) -> None:
        """
        Start the gateway.
        """
        super().setUp()
        away = {"models": {"local": {"modelPath": "/nowhere.gguf"}}}
        self.gateway = await self.startGateway(self.configure(away))

    def withClient(
        self, work: Callable[[openai.OpenAI], T], **options: Any
    ) -> "Deferred[T]":
        """
        Use the client in a thread.

        @param options: Options of the client, which does not retry by default.
        """
        settings: dict[str, Any] = {"api_key": TOKEN, "max_retries": 0, **options}

        def use() -> T:
            url = f"{self.gateway.urls()[0]}/v1"
            with openai.OpenAI(base_url=url, **settings) as client:
                return work(client)

        return deferToThread(use)


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    """
    Send the simplest request.
    """
    return client.chat.completions.create(
        **{"model": "openclaw", "messages": HI, **fields}
    )


class WholeAnswerTests(SDKTestCase):
    """
    C{create()}.
    """

    async def test_answer(self) -> None:
        """
        The reply has the text, the finish reason, and the usage.
        """
        self.upstream.says("Hello", " to you")
        completion = await self.withClient(ask)
        [choice] = completion.choices
        self.assertEqual(choice.message.content, "Hello to you")
        self.assertEqual(choice.message.role, "assistant")
        self.assertIsNone(choice.message.refusal)
        self.assertEqual(choice.finish_reason, "stop")
        self.assertEqual(completion.usage.prompt_tokens, 7)
        self.assertEqual(completion.usage.total_tokens, 10)

    async def test_requestID(self) -> None:
        """
        The request's id of the log is available.
        """
        self.upstream.says("so")

        def requestIDs(client: openai.OpenAI) -> tuple[str | None, str | None]:
            raw = client.chat.completions.with_raw_response.create(
                model="openclaw", messages=HI
            )
            return raw.headers["x-request-id"], raw.parse()._request_id

        inHeader, inCompletion = await self.withClient(requestIDs)
        self.assertTrue(inHeader)
        self.assertEqual(inHeader, inCompletion)


class StreamTests(SDKTestCase):
    """
    C{create(stream=True)}, and the C{stream()} that builds on it.
    """

    async def test_chunksArriveAsTheyAreSaid(self) -> None:
        """
        A chunk arrives before the model sends the next text.
        """
        asked = self.upstream.nextCall()
        first: Deferred[str] = Deferred()

        def read(client: openai.OpenAI) -> list[str]:
            texts = []
            for chunk in ask(client, stream=True):
                text = chunk.choices[0].delta.content
                if text and not any(texts):
                    reactor.callFromThread(first.callback, text)
                texts.append(text or "")
            return texts

        reading = self.withClient(read)
        call = await asked
        call.say("Hello")
        self.assertEqual(await first, "Hello")
        call.say(" to", " you")
        call.finish()
        self.assertEqual("".join(await reading), "Hello to you")

    async def test_usageComesLast(self) -> None:
        """
        The requested usage of a stream is in a last chunk without choices.
        """
        self.upstream.says("so")
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = await self.withClient(lambda client: list(ask(client, **asked)))
        *others, last = chunks
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage.completion_tokens, 3)
        self.assertEqual([each.usage for each in others], [None] * len(others))
        self.assertEqual(others[-1].choices[0].finish_reason, "stop")

    async def test_accumulated(self) -> None:
        """
        The SDK's accumulator assembles the reply from the chunks.
        """
        self.upstream.says("Hello", " to you")

        def accumulate(client: openai.OpenAI) -> Any:
            with client.chat.completions.stream(
                model="openclaw",
                messages=HI,
                stream_options={"include_usage": True},
            ) as stream:
                return stream.get_final_completion()

        completion = await self.withClient(accumulate)
        self.assertEqual(completion.choices[0].message.role, "assistant")
        self.assertEqual(completion.choices[0].message.content, "Hello to you")
        self.assertEqual(completion.usage.total_tokens, 10)

    async def test_failureInTheMiddle(self) -> None:
        """
        A truncated stream raises an error after the received texts.
        """

        def breakOff(call: ServedCall) -> None:
            call.say("Hello")
            call.end()

        self.upstream.answer = breakOff
        read: list[Any] = []

        def readAll(client: openai.OpenAI) -> None:
            read.extend(ask(client, stream=True))

        error = await self.assertFailure(self.withClient(readAll), openai.APIError)
        self.assertEqual(error.code, "upstream_truncated")
        self.assertEqual(error.type, "upstream_error")
        self.assertIn("scripted", error.message)


class ErrorTests(SDKTestCase):
    """
    Each error has the class that the SDK's users catch.
    """

    async def test_wrongToken(self) -> None:
        """
        A wrong token is an authentication error.
        """
        error = await self.assertFailure(
            self.withClient(ask, api_key="wrong"), openai.AuthenticationError
        )
        self.assertEqual(error.code, "invalid_api_key")
        self.assertTrue(error.request_id)

    async def test_wrongRequest(self) -> None:
        """
        An invalid request has the field.
        """
        error = await self.assertFailure(
            self.withClient(lambda client: ask(client, model="openclaw/nobody")),
            openai.BadRequestError,
        )
        self.assertEqual((error.code, error.param), ("unknown_agent", "model"))
        self.assertIn("'main'", error.message)

    async def test_unknownModel(self) -> None:
        """
        An unknown model is not found.
        """
        error = await self.assertFailure(
            self.withClient(lambda client: client.models.retrieve("gpt-4o")),
            openai.NotFoundError,
        )
        self.assertEqual((error.code, error.param), ("model_not_found", "model"))

    async def test_rateLimit(self) -> None:
        """
        A provider's rate limit is a rate limit, with the time until a retry.
        """
        self.upstream.answer = lambda call: call.refuse(
            429, headers=[("retry-after", "7")]
        )
        error = await self.assertFailure(self.withClient(ask), openai.RateLimitError)
        self.assertEqual(error.code, "upstream_rate_limited")
        self.assertEqual(error.response.headers["retry-after"], "7")

    async def test_notNow(self) -> None:
        """
        A model that can't run is a 503 with its own code.
        """
        headers = {"x-openclaw-model": "local/smollm2-135m-instruct"}
        error = await self.assertFailure(
            self.withClient(lambda client: ask(client, extra_headers=headers)),
            openai.InternalServerError,
        )
        self.assertEqual(error.status_code, 503)
        self.assertEqual(error.code, "model_unavailable")

    async def test_noRetryWhereItIsHopeless(self) -> None:
        """
        By default the SDK does not retry what can't succeed.
        """
        self.upstream.answer = lambda call: call.refuse(401)
        error = await self.assertFailure(
            self.withClient(ask, max_retries=2), openai.InternalServerError
        )
        self.assertEqual(error.code, "upstream_auth_failed")
        self.assertEqual(len(self.upstream.calls), 1)


class ModelTests(SDKTestCase):
    """
    C{models}.
    """

    async def test_list(self) -> None:
        """
        The agents are listed as models.
        """
        models = await self.withClient(lambda client: list(client.models.list()))
        self.assertEqual(
            [model.id for model in models],
            ["openclaw", "openclaw/default", "openclaw/main"],
        )
        self.assertTrue(all(model.created > 0 for model in models))

    async def test_retrieve(self) -> None:
        """
        Each of them can be retrieved.
        """
        model = await self.withClient(
            lambda client: client.models.retrieve("openclaw/main")
        )
        self.assertEqual(model.id, "openclaw/main")


class AsynchronousTests(DaemonTestCase):
    """
    C{AsyncOpenAI}, in a process with asyncio.
    """

    async def test_everything(self) -> None:
        """
        Replies, streams, both concurrently, embeddings, and errors.
        """

        def answer(call: ServedCall) -> None:
            if call.path.endswith("/embeddings"):
                give(call)
                return
            call.say("Hello", " to you")
            call.finish()

        self.upstream.answer = answer
        agents = {"defaults": {"embeddingModel": "scripted/vectors"}}
        daemon = await self.startDaemon(config=self.configure({"agents": agents}))
        self.assertEqual(
            await self.seenBy(daemon, sys.executable, str(ASYNC_CALLER)),
            {
                "whole": "Hello to you",
                "streamed": ["", "Hello", " to you", None],
                "together": ["Hello to you"] * 5,
                "embedded": VECTORS,
                "wrongToken": ["AuthenticationError", "invalid_api_key"],
                "wrongModel": ["BadRequestError", "model_not_found"],
                "models": ["openclaw", "openclaw/default", "openclaw/main"],
            },
        )
