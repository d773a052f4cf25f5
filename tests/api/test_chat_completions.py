"""
Tests of L{openclaw.api.chat_completions}: replies, plain and streamed.
"""

from hypothesis import given

from openclaw.errors import UpstreamRateLimited, UpstreamTruncated
from openclaw.messages import NO_USAGE, Usage
from tests.api.request_strategies import rubbish
from tests.api.sse_reader import folded, terminalsOf
from tests.server.memory_gateway import HELLO, STREAMED, GatewayTestCase, configOf

COUNTED = {**STREAMED, "stream_options": {"include_usage": True}}
# Neither is retried.
LIMITED = UpstreamRateLimited("The provider is busy.", retryAfter=30)
TRUNCATED = UpstreamTruncated("The answer broke off.", shouldRetry=False)


class WholeTests(GatewayTestCase):
    """
    Plain replies.
    """

    def test_shape(self):
        """
        The members are those that OpenAI's clients expect.
        """
        answer = self.answered(HELLO, reason="length", usage=Usage(5, 4, 3, 2))
        self.assertEqual(
            answer.headers["content-type"], "application/json; charset=utf-8"
        )
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        found = answer.json
        self.assertRegex(found.pop("id"), "^chatcmpl_[0-9a-f]{24}$")
        self.assertRegex(found.pop("system_fingerprint"), "^openclaw-")
        self.assertEqual(
            found,
            {
                "object": "chat.completion",
                "created": int(self.gateway.clock.seconds()),
                "model": "openclaw",
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "Yes?",
                            "refusal": None,
                        },
                        "logprobs": None,
                        "finish_reason": "length",
                    }
                ],
                "usage": {
                    "prompt_tokens": 5,
                    "completion_tokens": 4,
                    "total_tokens": 9,
                    "prompt_tokens_details": {"cached_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 2},
                },
            },
        )

    def test_contentType(self):
        """
        The content type of the body does not matter: it is JSON.
        """
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "rubbish",
        ):
            answer = self.answered(HELLO, ("Content-Type", kind))
            self.assertEqual(answer.text, "Yes?")

    def test_nothingBeforeTheEnd(self):
        """
        Nothing is sent before the reply is complete, however long that takes.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.call.say("Yes?")
        self.gateway.clock.advance(60)
        self.assertEqual(caller.received, b"")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Yes?")

    def test_emptyReply(self):
        """
        An empty reply is requested again; the usage includes both calls.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.call.finish(usage=Usage(1, 0))
        self.assertEqual(caller.received, b"")
        self.gateway.call.say("Yes?")
        self.gateway.call.finish(usage=Usage(2, 1))
        self.assertEqual(caller.answer.text, "Yes?")
        self.assertEqual(caller.answer.json["usage"]["total_tokens"], 4)

    def test_error(self):
        """
        A failure has its own status, and the time until a retry.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.call.say("Ye")
        self.gateway.call.fail(LIMITED)
        self.assertRefused(caller.answer, 429, "upstream_rate_limited")
        self.assertEqual(caller.answer.headers["retry-after"], "30")
        self.assertEqual(caller.answer.headers["retry-after-ms"], "30000")

    def test_emptyTwice(self):
        """
        An empty reply is not a success.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.call.finish()
        self.gateway.call.finish()
        self.assertRefused(caller.answer, 502, "empty_reply")


class StreamTests(GatewayTestCase):
    """
    Streamed replies.
    """

    def test_headers(self):
        """
        The headers keep proxies from buffering.
        """
        headers = self.answered(STREAMED).headers
        for name, value in {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            "transfer-encoding": "chunked",
        }.items():
            self.assertEqual(headers[name], value)
        self.assertNotIn("content-length", headers)
        self.assertNotIn("content-encoding", headers)

    def test_asItIsSaid(self):
        """
        Each batch of the model's events is one write, sent immediately.
        """
        caller = self.gateway.post(STREAMED)
        for count, texts in enumerate([("Y", "e"), ("s",), ("?", " ", "!")], start=1):
            before = len(caller.line.writes)
            self.gateway.call.say(*texts)
            # The first one has the headers before it.
            self.assertEqual(len(caller.line.writes), before + 1 + (count == 1))
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Yes? !")

    def test_sameAsWhole(self):
        """
        Apart from the format, it equals the plain reply.
        """
        ending = {"reason": "content_filter", "usage": Usage(5, 4, 3, 2)}
        whole = self.answered(HELLO, **ending).json
        stream = folded(self.answered(COUNTED, **ending).frames)
        [choice] = whole["choices"]
        self.assertEqual(choice["message"]["content"], stream["message"]["content"])
        self.assertEqual(choice["finish_reason"], stream["finish_reason"])
        self.assertEqual(whole["usage"], stream["usage"])

    def test_unknownUsage(self):
        """
        Usage that the provider does not report is estimated, and says so, whole and
        streamed.
        """
        for body in (HELLO, COUNTED):
            answer = self.answered(body, usage=NO_USAGE)
            whole = folded(answer.frames) if body is COUNTED else answer.json
            usage = whole["usage"]
            self.assertIs(usage["estimated"], True)
            self.assertGreater(usage["prompt_tokens"], 0)
            self.assertGreater(usage["completion_tokens"], 0)
            total = usage["prompt_tokens"] + usage["completion_tokens"]
            self.assertEqual(usage["total_tokens"], total)
        usage = self.answered(HELLO, usage=Usage(5, 4)).json["usage"]
        self.assertNotIn("estimated", usage)

    def test_usageOfAllCalls(self):
        """
        Usage is that of the whole run.
        """
        caller = self.gateway.post(COUNTED)
        self.gateway.call.finish(usage=Usage(1, 0))
        self.gateway.call.say("Yes?")
        self.gateway.call.finish(usage=Usage(2, 1))
        self.assertEqual(folded(caller.answer.frames)["usage"]["total_tokens"], 4)

    def test_errorBefore(self):
        """
        An error before the first output has its own status.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.clock.advance(0.75)
        self.gateway.call.fail(LIMITED)
        self.assertRefused(caller.answer, 429, "upstream_rate_limited")
        self.assertEqual(caller.answer.headers["retry-after"], "30")

    def test_errorBehindAWord(self):
        """
        An error after the first output is the last frame of the stream, and its only
        terminal.
        """
        caller = self.gateway.post(COUNTED)
        self.gateway.call.say("Ye")
        self.gateway.call.fail(TRUNCATED)
        self.assertEqual(caller.answer.status, 200)
        self.assertTrue(caller.answer.complete)
        self.assertEqual(terminalsOf(caller.answer.frames), ["upstream_truncated"])
        self.assertEqual(caller.answer.frames[-1], "[DONE]")
        self.assertEqual(caller.answer.text, "Ye")

    def test_errorBehindSilence(self):
        """
        The same applies if the stream was opened after a silence of the model.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.clock.advance(1)
        self.assertEqual(caller.answer.status, 200)
        self.gateway.call.fail(TRUNCATED)
        self.assertEqual(terminalsOf(caller.answer.frames), ["upstream_truncated"])

    def test_keepAlive(self):
        """
        Comments keep the connection open while the model is silent.
        """
        self.gateway = self.start(config=configOf(endpoint={"keepAliveSeconds": 7}))
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Yes")
        self.gateway.clock.advance(7)
        self.gateway.clock.advance(7)
        self.gateway.call.say("?")
        self.gateway.call.finish()
        self.gateway.clock.advance(7)
        self.assertEqual(caller.answer.frames.count(": keepalive"), 2)
        self.assertEqual(caller.answer.text, "Yes?")

    def test_atOnce(self):
        """
        A provider that replies before its method returns loses neither events nor
        headers.
        """

        def answer(call):
            call.say("Yes?")
            call.finish()

        self.gateway.provider.answer = answer
        for body in (HELLO, STREAMED):
            answer = self.gateway.post(body).answer
            self.assertEqual(answer.text, "Yes?")
            self.assertIn("x-openclaw-run-id", answer.headers)
            self.assertIn("x-openclaw-session-key", answer.headers)

    def test_atOnceAndWrong(self):
        """
        The same applies to one that fails then.
        """
        self.gateway.provider.answer = lambda call: call.fail(LIMITED)
        answer = self.gateway.post(STREAMED).answer
        self.assertRefused(answer, 429, "upstream_rate_limited")


class RubbishTests(GatewayTestCase):
    """
    No body causes an internal error.
    """

    def setUp(self):
        """
        Start a gateway whose model replies to every call.
        """
        super().setUp()

        def answer(call):
            call.say("Yes?")
            call.finish()

        self.gateway.provider.answer = answer

    @given(rubbish)
    def test_anyBody(self, body):
        """
        It is served, or it is an error of the caller.
        """
        caller = self.gateway.post(body)
        self.assertIn(caller.answer.status, (200, 400))
        self.assertTrue(caller.answer.complete)
        caller.leave()
