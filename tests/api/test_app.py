"""
Tests of L{openclaw.api.app}: all paths.
"""

import msgspec

from openclaw import __version__
from openclaw.messages import Usage
from tests.server.memory_gateway import (
    COMPLETIONS,
    EPOCH,
    HELLO,
    STREAMED,
    TOKEN,
    GatewayTestCase,
    configOf,
)

TWO_AGENTS = {"main": {"name": "Main"}, "research": {}}
NAMES = ("openclaw", "openclaw/default", "openclaw/main", "openclaw/research")
OWNER = {"owned_by": "openclaw"}


class HealthTests(GatewayTestCase):
    """
    The probes, which need no credential.
    """

    def answerTo(self, method, path):
        """
        Return the response to a request without a credential.
        """
        caller = self.gateway.connect()
        caller.ask(method, path)
        self.assertEqual(caller.answer.headers["cache-control"], "no-store")
        self.assertIn("x-request-id", caller.answer.headers)
        self.assertEqual(
            caller.answer.headers["content-type"], "application/json; charset=utf-8"
        )
        return caller.answer

    def test_live(self):
        """
        C{/healthz} is 200 while the process lives.
        """
        self.gateway.failing = ["the session store is not open yet"]
        for path in ("/healthz", "/health", "/healthz/", "/healthz?x"):
            answer = self.answerTo("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json, {"ok": True, "status": "live"})

    def test_index(self):
        """
        The root says what answers here and where to go on; every path exists.
        """
        for path in ("/", "/?x"):
            answer = self.answerTo("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertEqual(
                (answer.json["name"], answer.json["baseURL"]),
                ("OpenClaw for Twisted", "/v1"),
            )
        for name, status in (("models", 401), ("health", 200)):
            self.assertEqual(self.answerTo("GET", answer.json[name]).status, status)

    def test_ready(self):
        """
        The gateway is ready.
        """
        for path in ("/readyz", "/ready"):
            answer = self.answerTo("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertEqual(
                answer.json,
                {
                    "ok": True,
                    "ready": True,
                    "status": "ready",
                    "uptimeMs": 0,
                    "failing": [],
                },
            )

    def test_started(self):
        """
        C{/startupz} shows whether the gateway has started, or the reasons, and for how
        long it has been running.
        """
        self.gateway.clock.advance(1.5)
        for path in ("/startupz", "/startup"):
            answer = self.answerTo("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["cache-control"], "no-store")
            self.assertEqual(
                answer.json,
                {
                    "ok": True,
                    "status": "started",
                    "version": __version__,
                    "uptimeMs": 1500,
                },
            )
            self.gateway.failing = ["the disk is full"]
            answer = self.answerTo("GET", path)
            self.assertEqual((answer.status, answer.json["ok"]), (503, False))
            self.assertEqual(answer.json["failing"], ["the disk is full"])
            self.gateway.failing = []

    def test_notReady(self):
        """
        The gateway is not ready, with the reasons.
        """
        self.gateway.failing = ["the gateway is shutting down", "and more"]
        for path in ("/readyz", "/ready"):
            answer = self.answerTo("GET", path)
            self.assertEqual(answer.status, 503)
            self.assertEqual(
                answer.json,
                {
                    "ok": False,
                    "ready": False,
                    "status": "not ready",
                    "uptimeMs": 0,
                    "failing": ["the gateway is shutting down", "and more"],
                },
            )

    def test_head(self):
        """
        HEAD gets the same headers as GET, and no body.
        """
        for path, failing in [("/healthz", []), ("/readyz", []), ("/readyz", ["x"])]:
            self.gateway.failing = failing
            whole = self.answerTo("GET", path)
            caller = self.gateway.connect()
            caller.ask("HEAD", path)
            caller.ask("HEAD", path)
            self.assertEqual(len(caller.answers), 2)
            for answer in caller.answers:
                self.assertEqual(answer.status, whole.status)
                self.assertEqual(answer.headers["content-length"], str(len(whole.body)))
            self.assertTrue(caller.received.endswith(b"\r\n\r\n"))


class ModelsTests(GatewayTestCase):
    """
    The values of a request's C{model}.
    """

    def setUp(self):
        """
        Start a gateway with two agents and an alias.
        """
        super().setUp()
        self.gateway = self.start(
            config=configOf(
                agents=TWO_AGENTS, endpoint={"modelAliases": {"gpt-4o": "research"}}
            )
        )

    def test_list(self):
        """
        They are listed as in OpenAI's API, the default agent's first.
        """
        answer = self.gateway.get("/v1/models")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["object"], "list")
        self.assertEqual(
            answer.json["data"],
            [
                {
                    "id": name,
                    "object": "model",
                    "created": EPOCH,
                    "owned_by": "openclaw",
                }
                for name in (
                    "openclaw",
                    "openclaw/default",
                    "openclaw/main",
                    "openclaw/research",
                )
            ],
        )

    def test_createdOnce(self):
        """
        C{created} does not change while the gateway runs.
        """
        self.gateway.clock.advance(3600)
        models = self.gateway.get("/v1/models").json["data"]
        self.assertTrue(models)
        for model in models:
            self.assertEqual(model["created"], EPOCH)

    def test_eachOne(self):
        """
        Each of them can be retrieved, with its slash escaped or not.
        """
        models = self.gateway.get("/v1/models").json["data"]
        self.assertTrue(models)
        for model in models:
            for name in (model["id"], model["id"].replace("/", "%2F")):
                answer = self.gateway.get(f"/v1/models/{name}")
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json, model)

    def test_whateverCompletes(self):
        """
        A name that completions accept can be retrieved, even if it is not listed.
        """
        for name in ("gpt-4o", "openclaw:main", "agent:research", "OpenClaw%2FMain"):
            self.assertEqual(self.gateway.get(f"/v1/models/{name}").status, 200)

    def test_unknown(self):
        """
        The error for any other name lists the names.
        """
        for name in ("gpt-5", "openclaw/nobody", "openclaw%2Fnobody", "%22"):
            answer = self.gateway.get(f"/v1/models/{name}")
            self.assertRefused(answer, 404, "model_not_found", param="model")
        answer = self.gateway.get("/v1/models/openclaw/nobody")
        self.assertIn("'main', 'research'", answer.error["message"])

    def test_head(self):
        """
        The headers alone can be had, too.
        """
        answer = self.gateway.get("/v1/models", method="HEAD")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, b"")


class RoutingTests(GatewayTestCase):
    """
    Errors of routing are JSON.
    """

    def test_allow(self):
        """
        A wrong method is 405, with the right ones.
        """
        for path, allowed in [
            (COMPLETIONS, "POST"),
            ("/v1/models", "GET, HEAD"),
            ("/v1/models/openclaw/main", "GET, HEAD"),
            ("/healthz", "GET, HEAD"),
            ("/ready", "GET, HEAD"),
        ]:
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FROB"):
                answer = self.gateway.get(path, method=method)
                self.assertRefused(answer, 405, "method_not_allowed")
                self.assertEqual(answer.headers["allow"], allowed)
                self.assertIn(method, answer.error["message"])

    def test_nothing(self):
        """
        The error for an unknown path has the path.
        """
        for method in ("GET", "POST", "OPTIONS"):
            answer = self.gateway.get("/v1/chat/competitions", method=method)
            self.assertRefused(answer, 404, "not_found")
            self.assertIn("/v1/chat/competitions", answer.error["message"])

    def test_headOfNothing(self):
        """
        An error without its body is an error all the same.
        """
        answer = self.gateway.get("/nowhere", method="HEAD")
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.body, b"")
        self.assertIn("x-request-id", answer.headers)


class Unforeseen(Exception):
    """
    An unexpected exception.
    """


class UnexpectedTests(GatewayTestCase):
    """
    Unexpected exceptions are internal errors, without details.
    """

    def assertLoggedOnce(self, kind):
        """
        Assert that one failure was logged, and remove it.
        """
        [failure] = self.gateway.failures
        self.gateway.failures.clear()
        failure.trap(kind)

    def assertNothingTold(self, answer):
        """
        Assert that the response has no internal details.
        """
        self.assertRefused(answer, 500, "internal_error")
        self.assertEqual(answer.error["message"], "The gateway failed.")

    def test_resource(self):
        """
        A resource raises an exception.
        """

        class Broken:
            """
            A check of C{/readyz} that fails.
            """

            def __iter__(self):
                raise Unforeseen(TOKEN)

        self.gateway.failing = Broken()
        answer = self.gateway.get("/readyz")
        self.assertNothingTold(answer)
        self.assertLoggedOnce(Unforeseen)
        self.assertIn(answer.headers["x-request-id"], self.gateway.logged[0])

    def test_provider(self):
        """
        A model provider raises an exception.
        """

        def answer(call):
            raise Unforeseen(TOKEN)

        self.gateway.provider.answer = answer
        for body in (HELLO, STREAMED):
            self.assertNothingTold(self.gateway.post(body).answer)
            self.assertLoggedOnce(Unforeseen)

    def test_whole(self):
        """
        A response can't be encoded.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish(usage=Usage(prompt_tokens=1j))
        self.assertNothingTold(caller.answer)
        self.assertLoggedOnce(TypeError)

    def test_behindTheFirstByte(self):
        """
        The end of a stream can't be encoded: the connection is closed, so that the
        stream is not taken for complete.
        """
        caller = self.gateway.post(
            {**STREAMED, "stream_options": {"include_usage": True}}
        )
        self.gateway.call.say("Yes?")
        self.gateway.call.finish(usage=Usage(prompt_tokens=1j))
        self.assertTrue(caller.line.aborted)
        self.assertTrue(caller.closed)
        self.assertFalse(caller.answer.complete)
        self.assertNotIn(b"[DONE]", caller.received)
        self.assertNotIn(b"\r\n0\r\n\r\n", caller.received)
        self.assertLoggedOnce(TypeError)


class SecretTests(GatewayTestCase):
    """
    No response or log line has a credential.
    """

    def test_nowhere(self):
        """
        Neither the gateway's own nor an invalid one is shown.
        """
        tried = "another-secret-that-was-tried"
        received = []
        for token in (TOKEN, tried):
            for method, path in [
                ("POST", COMPLETIONS),
                ("GET", "/v1/models"),
                ("GET", "/v1/models/nobody"),
                ("GET", "/nowhere"),
                ("PUT", COMPLETIONS),
                ("GET", "/readyz"),
                ("POST", "/%ff"),
            ]:
                caller = self.gateway.connect()
                headers = [("Authorization", f"Bearer {token}")]
                body = msgspec.json.encode(HELLO) if method == "POST" else b""
                caller.ask(method, path, headers, body)
                if self.gateway.runtime.runs:
                    self.gateway.call.say("Yes?")
                    self.gateway.call.finish()
                received.append(caller.received)
        self.assertEqual(len([one for one in received if b" 200 " in one]), 4)
        everything = b"".join(received) + "".join(self.gateway.logged).encode()
        for secret in (TOKEN, tried):
            self.assertNotIn(secret.encode(), everything)
