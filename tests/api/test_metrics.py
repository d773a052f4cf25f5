"""
Tests of C{/metrics} over HTTP.
"""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.auth.doorkeeper_doubles import addToken
from tests.config.check_helpers import check
from tests.server.memory_connection import Caller
from tests.server.memory_gateway import AUTHORIZATION, HELLO, GatewayTestCase, configOf


def showing(**metrics):
    """
    Return a configuration with this for the endpoint.
    """
    return check({"gateway": {"http": {"endpoints": {"metrics": metrics}}}}, {}, None)[
        0
    ]


class MetricsTests(GatewayTestCase):
    """
    Access to the metrics.
    """

    def bare(self, path="/metrics", *headers, method="GET"):
        """
        Send a request without the token.
        """
        caller: Caller = self.gateway.connect()
        caller.ask(method, path, headers)
        return caller.answer

    def samples(self, answer):
        """
        Return the samples of a response, by name.
        """
        self.assertEqual(answer.status, 200, answer)
        return {
            sample.name: sample.value
            for family in parse(answer.body.decode())
            for sample in family.samples
        }

    def test_read(self):
        """
        With the token, counters and gauges can be read.
        """
        self.answered(HELLO)
        self.gateway.post(HELLO)
        answer = self.gateway.get("/metrics")
        found = self.samples(answer)
        self.assertEqual(found["openclaw_runs_total"], 1)
        self.assertEqual(found["openclaw_runs_in_progress"], 1)
        self.assertGreaterEqual(found["openclaw_connections"], 2)
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        self.assertIn("x-request-id", answer.headers)

    def test_refused(self):
        """
        Without a valid credential there are none.
        """
        wrong = ("Authorization", "Bearer guess")
        for answer in (
            self.bare(),
            self.bare("/metrics", wrong),
            self.bare("/metrics/"),
        ):
            self.assertRefused(answer, 401, "invalid_api_key")

    def test_scope(self):
        """
        A caller without the scope is rejected.
        """
        self.gateway = self.start(secret=None)
        self.assertEqual(self.bare().status, 200)
        for scopes in ("operator.pairing", "operator.read", "operator.write"):
            answer = self.bare("/metrics", ("x-openclaw-scopes", scopes))
            self.assertRefused(answer, 403, "missing_scope")

    def test_tokens(self):
        """
        The metrics include all agents: a token for some agents is rejected, one with
        the scope is accepted.
        """
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        token = addToken(state, "ci", agents=("main",))
        collector = addToken(state, "prometheus", scopes=("operator.metrics",))
        self.gateway = self.start(config=configOf(), state=state)
        answer = self.bare("/metrics", ("Authorization", f"Bearer {token}"))
        self.assertRefused(answer, 403, "missing_scope")
        given = ("Authorization", f"Bearer {collector}")
        answer = self.bare("/metrics", given)
        self.assertIn("openclaw_connections", self.samples(answer))
        self.assertRefused(self.bare("/v1/models", given), 403, "missing_scope")

    def test_open(self):
        """
        The endpoint can be opened to everyone.
        """
        self.gateway.stand(showing(open=True))
        self.assertIn("openclaw_connections", self.samples(self.bare()))

    def test_off(self):
        """
        The endpoint can be disabled; the error names the key.
        """
        self.gateway.stand(showing(enabled=False, open=True))
        answer = self.gateway.get("/metrics")
        self.assertRefused(answer, 404, "endpoint_disabled")
        self.assertIn("gateway.http.endpoints.metrics.enabled", answer.error["message"])

    def test_withoutCompletions(self):
        """
        It does not depend on the other endpoint.
        """
        self.gateway.stand(configOf({"enabled": False}))
        self.assertEqual(self.gateway.get("/metrics").status, 200)

    def test_otherMethods(self):
        """
        Only GET is supported.
        """
        caller = self.gateway.connect()
        caller.ask("POST", "/metrics", [AUTHORIZATION], b"x")
        self.assertRefused(caller.answer, 405, "method_not_allowed")

    def test_secrets(self):
        """
        The metrics have no messages, sessions or tokens.
        """
        self.answered({**HELLO, "user": "ann", "model": "openclaw"}, say=("Yes 4711",))
        text = self.gateway.get("/metrics").body.decode()
        for word in ("Hello", "4711", "ann", AUTHORIZATION[1]):
            self.assertNotIn(word, text)
