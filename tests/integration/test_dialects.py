"""
Providers of all dialects, over real sockets.
"""

import json
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import KEY, DaemonTestCase
from tests.integration.http_caller import streamedWords
from tests.integration.upstream import Upstream

EVENTS = "text/event-stream"


def events(*documents: Any) -> bytes:
    """
    Return an event stream of JSON documents.
    """
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in documents)


def lines(*documents: Any) -> bytes:
    """
    Return JSON documents, one per line.
    """
    return b"".join(b"%s\n" % json.dumps(each).encode() for each in documents)


class RecordedAnswer(Resource):
    """
    A provider with a fixed response.

    @ivar asked: The requests: the URI, headers (by lower-case names) and JSON of each.
    """

    isLeaf = True

    def __init__(self, contentType: str, answer: bytes) -> None:
        super().__init__()
        self._contentType = contentType
        self._answer = answer
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    def render_POST(self, request: Request) -> bytes:
        """
        Record the request, and respond.
        """
        headers = {
            name.decode().lower(): values[-1].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        body = json.loads(request.content.read())
        self.asked.append((request.uri.decode(), headers, body))
        request.setHeader("content-type", self._contentType)
        return self._answer


class DialectTests(DaemonTestCase):
    """
    One request to a provider of each dialect.
    """

    async def answered(
        self, api: str, contentType: str, answer: bytes, *, base: str = ""
    ) -> tuple[str, dict[str, str], Any]:
        """
        Send requests to a daemon with a provider of a dialect, plain and streamed, and
        assert that the client gets C{Two words} with its usage.

        @param base: The path of the provider's base URL.
        @return: The first request that the provider got; see L{RecordedAnswer.asked}.
        """
        provider = RecordedAnswer(contentType, answer)
        # By this clock no connection is idle for too long.
        site = Site(provider, reactor=Clock())
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}{base}"
        spoken = {"baseUrl": url, "apiKey": KEY, "api": api}
        config = self.configure(
            {
                "agents": {"defaults": {"model": "spoken/some-model"}},
                "models": {"providers": {"spoken": spoken}},
            }
        )
        daemon = await self.startDaemon(config=config)
        caller = self.caller(daemon)

        whole = await (await caller.ask("hi")).json()
        [choice] = whole["choices"]
        self.assertEqual(choice["message"]["content"], "Two words")
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(whole["usage"]["prompt_tokens"], 7)
        self.assertEqual(whole["usage"]["completion_tokens"], 3)

        streamed = await (await caller.ask("hi", stream=True)).whole()
        self.assertEqual(streamedWords(streamed), "Two words")
        self.assertIn("[DONE]", streamed)

        self.assertEqual(len(provider.asked), 2)
        # Connections that the provider keeps open are closed with the daemon.
        await daemon.stop()
        return provider.asked[0]

    async def test_anthropicMessages(self) -> None:
        """
        Anthropic's Messages API: the key has its own header, and the version is sent.
        """
        uri, headers, body = await self.answered(
            "anthropic-messages",
            EVENTS,
            events(
                {"type": "message_start", "message": {"usage": {"input_tokens": 7}}},
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "Two "},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "words"},
                },
                {"type": "content_block_stop", "index": 0},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 3},
                },
                {"type": "message_stop"},
            ),
        )
        self.assertEqual(uri, "/v1/messages")
        self.assertEqual(headers["x-api-key"], KEY)
        self.assertIn("anthropic-version", headers)
        self.assertNotIn("authorization", headers)
        self.assertEqual(body["model"], "some-model")
        self.assertEqual([each["role"] for each in body["messages"]], ["user"])

    async def test_ollama(self) -> None:
        """
        Ollama's native API: one JSON document per line.
        """
        uri, headers, body = await self.answered(
            "ollama",
            "application/x-ndjson",
            lines(
                {"message": {"role": "assistant", "content": "Two "}, "done": False},
                {"message": {"role": "assistant", "content": "words"}, "done": False},
                {
                    "message": {"role": "assistant", "content": ""},
                    "done": True,
                    "done_reason": "stop",
                    "prompt_eval_count": 7,
                    "eval_count": 3,
                },
            ),
        )
        self.assertEqual(uri, "/api/chat")
        self.assertEqual(headers["authorization"], f"Bearer {KEY}")
        self.assertEqual(body["model"], "some-model")
        self.assertEqual(body["messages"][-1], {"role": "user", "content": "hi"})

    async def test_googleGenerativeAI(self) -> None:
        """
        Google's Gemini API: the model is in the path, the key in its own header and
        never in the URL.
        """

        def candidate(text: str, **more: Any) -> dict[str, Any]:
            content = {"role": "model", "parts": [{"text": text}]}
            return {"content": content, "index": 0, **more}

        usage = {"promptTokenCount": 7, "candidatesTokenCount": 3}
        uri, headers, body = await self.answered(
            "google-generative-ai",
            EVENTS,
            events(
                {"candidates": [candidate("Two ")]},
                {
                    "candidates": [candidate("words", finishReason="STOP")],
                    "usageMetadata": usage,
                },
            ),
            base="/v1beta",
        )
        self.assertEqual(uri, "/v1beta/models/some-model:streamGenerateContent?alt=sse")
        self.assertEqual(headers["x-goog-api-key"], KEY)
        self.assertNotIn("authorization", headers)
        self.assertEqual(body["contents"][-1]["parts"], [{"text": "hi"}])

    async def test_openAIResponses(self) -> None:
        """
        OpenAI's Responses API: the key is a Bearer token, and C{store} is false.
        """

        def delta(text: str) -> dict[str, Any]:
            return {
                "type": "response.output_text.delta",
                "item_id": "msg_1",
                "output_index": 0,
                "content_index": 0,
                "delta": text,
            }

        message = {"id": "msg_1", "type": "message", "role": "assistant"}
        said = {"type": "output_text", "text": "Two words", "annotations": []}
        uri, headers, body = await self.answered(
            "openai-responses",
            EVENTS,
            events(
                {
                    "type": "response.output_item.added",
                    "output_index": 0,
                    "item": {**message, "content": []},
                },
                delta("Two "),
                delta("words"),
                {
                    "type": "response.completed",
                    "response": {
                        "id": "resp_1",
                        "status": "completed",
                        "output": [{**message, "content": [said]}],
                        "usage": {
                            "input_tokens": 7,
                            "output_tokens": 3,
                            "total_tokens": 10,
                        },
                    },
                },
            ),
            base="/v1",
        )
        self.assertEqual(uri, "/v1/responses")
        self.assertEqual(headers["authorization"], f"Bearer {KEY}")
        self.assertEqual(body["model"], "some-model")
        self.assertIs(body["store"], False)


class FallbackTests(DaemonTestCase):
    """
    An agent with a second model, of another provider.
    """

    def setUp(self) -> None:
        """
        Start the second provider, with a reply.
        """
        super().setUp()
        self.second = Upstream(reactor)
        self.addCleanup(self.second.close)
        self.second.says("from the second")

    async def startWithFallback(self, firstURL: str) -> Daemon:
        """
        Start the daemon.
        """
        model = {"primary": "scripted/words", "fallbacks": ["second/other"]}
        config = self.configure(
            {
                "agents": {"defaults": {"model": model}},
                "models": {
                    "providers": {
                        "scripted": {"baseUrl": firstURL},
                        "second": {"baseUrl": self.second.url, "apiKey": "second-key"},
                    }
                },
            }
        )
        return await self.startDaemon(config=config)

    async def assertSecondAnswers(self, daemon: Daemon) -> None:
        """
        Assert that clients get the second model's reply, streamed or not, and that its
        request has its own name and key.
        """
        caller = self.caller(daemon)
        for streamed in (False, True):
            answer = await caller.ask("hi", stream=streamed)
            self.assertEqual(answer.status, 200)
            self.assertEqual(await answer.words(), "from the second")
        self.assertEqual(len(self.second.calls), 2)
        for call in self.second.calls:
            self.assertEqual(call.body["model"], "other")
            self.assertEqual(call.headers["authorization"], "Bearer second-key")

    async def test_unavailable(self) -> None:
        """
        A provider that responds with 503 is retried, then the other is called.
        """
        self.upstream.answer = lambda call: call.refuse(503)
        daemon = await self.startWithFallback(self.upstream.url)
        await self.assertSecondAnswers(daemon)
        self.assertEqual(len(self.upstream.calls), 2 * 3)
        keys = {call.headers["authorization"] for call in self.upstream.calls}
        self.assertEqual(keys, {f"Bearer {KEY}"})

    async def test_keyRefused(self) -> None:
        """
        A provider that rejects its key is not called for a while.
        """
        self.upstream.answer = lambda call: call.refuse(401)
        daemon = await self.startWithFallback(self.upstream.url)
        await self.assertSecondAnswers(daemon)
        # Each worker detects this for itself.
        self.assertIn(len(self.upstream.calls), range(1, self.workers + 1))

    async def test_connectionRefused(self) -> None:
        """
        An unreachable provider takes only the attempt to connect.
        """
        # Bound but not listening: no other process can get this port meanwhile.
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        daemon = await self.startWithFallback(f"http://127.0.0.1:{port}/v1")
        await self.assertSecondAnswers(daemon)

    async def test_notBehindTheFirstWord(self) -> None:
        """
        Sent output can't be revoked: another model does not continue a truncated
        stream.
        """

        def breakOff(call: ServedCall) -> None:
            call.say("from the")
            call.end()

        self.upstream.answer = breakOff
        daemon = await self.startWithFallback(self.upstream.url)
        answer = await self.caller(daemon).ask("hi", stream=True)
        text = await answer.whole()
        self.assertEqual(streamedWords(text), "from the")
        self.assertIn('"upstream_truncated"', text)
        self.assertEqual(self.second.calls, [])
