"""
All errors of the daemon in OpenAI's SDKs for Python and Node.
"""

import sys
from collections.abc import Callable
from typing import Any

import httpx
import openai
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.nodejs import NodeTestCase

HI: Any = [{"role": "user", "content": "hi"}]
BODY_BYTES = 20_000
RETRY_SECONDS = 2.0
"""
The gateway's C{Retry-After} when its queue is full; the SDKs' default is half a second.
"""

CONFIG: dict[str, Any] = {
    "gateway": {
        "http": {"endpoints": {"chatCompletions": {"maxBodyBytes": BODY_BYTES}}}
    },
    "agents": {"defaults": {"maxConcurrent": 1, "maxQueued": 0}},
}
ADD_TOKEN = (sys.executable, "-m", "openclaw.cli.main", "token", "add")


def play(call: ServedCall) -> None:
    """
    Reply as the user's message says.
    """
    match call.body["messages"][-1]["content"]:
        case "fail":
            call.refuse(500)
        case "hold":
            call.say("so")
        case "break off":
            call.say("so")
            call.end()
        case _:
            call.say("so")
            call.finish()


class ErrorsTestCase(DaemonTestCase):
    """
    A daemon with one slot for runs.
    """

    # With several workers, each would have one.
    workers = 1

    daemon: Daemon

    async def startFull(self) -> str:
        """
        Start the daemon.

        @return: A token with only the scope to read.
        """
        self.upstream.answer = play
        config = self.configure(CONFIG)
        self.daemon = await self.startDaemon(config=config)
        added = self.start(*ADD_TOKEN, "reader", "--scope", "operator.read")
        await added.ended
        return added.output.strip()


class PythonTests(ErrorsTestCase):
    """
    The SDK for Python.
    """

    reader: str

    async def setUp(self) -> None:
        """
        Start the daemon.
        """
        super().setUp()
        self.reader = await self.startFull()

    def ask(
        self, options: dict[str, Any] | None = None, **fields: Any
    ) -> "Deferred[Any]":
        """
        Send a request in a thread.

        @param options: Options of the client.
        """
        settings: dict[str, Any] = {
            "base_url": f"{self.daemon.url}/v1",
            "api_key": TOKEN,
            "max_retries": 0,
            **(options or {}),
        }
        request = {"model": "openclaw", "messages": HI, **fields}

        def use() -> Any:
            with openai.OpenAI(**settings) as client:
                answer = client.chat.completions.create(**request)
                return list(answer) if fields.get("stream") else answer

        return deferToThread(use)

    async def assertError(
        self, kind: type[openai.APIError], asking: "Deferred[Any]", **has: Any
    ) -> Any:
        """
        Assert the class and the attributes of an error.
        """
        error = await self.assertFailure(asking, kind)
        self.assertIs(type(error), kind)
        self.assertEqual({name: getattr(error, name) for name in has}, has)
        self.assertTrue(error.message)
        return error

    async def test_classes(self) -> None:
        """
        Each status has its class, with the code, the invalid field, and the request's
        id of the log.
        """
        await self.ask(extra_headers={"Idempotency-Key": "k"})
        long = [{"role": "user", "content": "x" * BODY_BYTES}]
        fails = [{"role": "user", "content": "fail"}]
        for kind, status, code, param, asking in [
            (openai.BadRequestError, 400, None, "temperature", {"temperature": 3}),
            (
                openai.AuthenticationError,
                401,
                "invalid_api_key",
                None,
                {"options": {"api_key": "wrong"}},
            ),
            (
                openai.PermissionDeniedError,
                403,
                "missing_scope",
                None,
                {"options": {"api_key": self.reader}},
            ),
            (
                openai.NotFoundError,
                404,
                "model_not_found",
                "x-openclaw-model",
                {"extra_headers": {"x-openclaw-model": "none/such"}},
            ),
            (
                openai.ConflictError,
                409,
                "idempotency_conflict",
                "Idempotency-Key",
                {"extra_headers": {"Idempotency-Key": "k"}, "temperature": 1},
            ),
            (
                openai.APIStatusError,
                413,
                "request_too_large",
                None,
                {"messages": long},
            ),
            (
                openai.InternalServerError,
                502,
                "upstream_error",
                None,
                {"messages": fails},
            ),
        ]:
            error = await self.assertError(
                kind, self.ask(**asking), status_code=status, code=code, param=param
            )
            self.assertRegex(error.request_id, "^req_")
        self.assertNotIn("Traceback", self.daemon.text)

    async def test_conflictIsFinal(self) -> None:
        """
        The SDK retries after a 409, but not after this one.
        """
        await self.ask(extra_headers={"Idempotency-Key": "k"})
        statuses: list[int] = []
        await self.assertError(
            openai.ConflictError,
            self.ask(
                {"max_retries": 2, "http_client": self.watched(statuses.append)},
                extra_headers={"Idempotency-Key": "k"},
                temperature=1,
            ),
        )
        self.assertEqual(statuses, [409])

    async def test_retriesInTime(self) -> None:
        """
        When the queue is full, the SDK retries after the given time, and gets its
        reply.
        """
        holding = await self.caller(self.daemon).ask("hold", stream=True)
        await holding.body.until("so")
        [held] = self.upstream.calls
        answers: list[tuple[int, float]] = []

        def came(status: int) -> None:
            answers.append((status, reactor.seconds()))
            if status == 429:
                reactor.callFromThread(held.finish)

        full = await self.assertError(
            openai.RateLimitError, self.ask(), code="gateway_busy"
        )
        self.assertEqual(full.response.headers["retry-after-ms"], "2000")
        answer = await self.ask({"max_retries": 1, "http_client": self.watched(came)})
        self.assertEqual(answer.choices[0].message.content, "so")
        (first, before), (second, after) = answers
        self.assertEqual((first, second), (429, 200))
        self.assertGreaterEqual(after - before, RETRY_SECONDS)

    async def test_inTheMiddle(self) -> None:
        """
        A truncated stream raises an error with a code.
        """
        messages = [{"role": "user", "content": "break off"}]
        await self.assertError(
            openai.APIError,
            self.ask(stream=True, messages=messages),
            code="upstream_truncated",
            type="upstream_error",
        )

    def watched(self, came: Callable[[int], Any]) -> httpx.Client:
        """
        Return a transport of the SDK that records statuses.
        """
        return httpx.Client(
            event_hooks={"response": [lambda response: came(response.status_code)]}
        )


class NodeTests(ErrorsTestCase, NodeTestCase):
    """
    The SDK for Node.
    """

    async def test_everything(self) -> None:
        """
        It has the same classes, codes, fields and ids; it retries only what can
        succeed, after the given time.
        """
        reader = await self.startFull()
        seen = await self.seenByNode(self.daemon, "errors.mjs", reader)
        ids = [error.pop("requestID") for error in seen["errors"]]
        for each in ids:
            self.assertRegex(each, "^req_")
        self.assertEqual(
            [tuple(error.values()) for error in seen["errors"]],
            [
                ("BadRequestError", 400, None, "temperature"),
                ("AuthenticationError", 401, "invalid_api_key", None),
                ("PermissionDeniedError", 403, "missing_scope", None),
                ("NotFoundError", 404, "model_not_found", "x-openclaw-model"),
                ("ConflictError", 409, "idempotency_conflict", "Idempotency-Key"),
                ("APIError", 413, "request_too_large", None),
                ("InternalServerError", 502, "upstream_error", None),
                ("RateLimitError", 429, "gateway_busy", None),
            ],
        )
        self.assertEqual(seen["conflict"], [409])
        self.assertEqual(seen["retried"]["content"], "so")
        self.assertEqual(seen["retried"]["statuses"], [429, 200])
        self.assertGreaterEqual(seen["retried"]["seconds"], RETRY_SECONDS)
        self.assertEqual(seen["brokenOff"], ["APIError", "upstream_truncated"])
