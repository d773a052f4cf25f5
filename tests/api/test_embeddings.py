"""
Tests of L{openclaw.api.embeddings}.
"""

from base64 import b64decode, b64encode
from pathlib import Path
from struct import pack, unpack

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.runtime import DRAIN_RETRY_SECONDS
from openclaw.api.embeddings import (
    LARGE_RESPONSE_NUMBERS,
    MAX_INPUTS,
    parseEmbeddingsRequest,
    parseInputs,
)
from openclaw.api.json_bounds import LARGE_BODY_BYTES
from openclaw.errors import InvalidRequest, UpstreamError, UpstreamRateLimited
from openclaw.models.failover import BUDGET_SECONDS
from tests.auth.doorkeeper_doubles import addToken
from tests.server.memory_gateway import AUTHORIZATION, HELLO, GatewayTestCase, configOf
from tests.server.memory_internet import Internet

PATH = "/v1/embeddings"
MODEL = {"embeddingModel": "scripted/vectors"}
ONE = {"model": "openclaw", "input": "Hello."}


def without(config):
    """
    Return a configuration with the endpoint disabled.
    """
    http = config.gateway.http
    off = replace(http.endpoints.embeddings, enabled=False)
    http = replace(http, endpoints=replace(http.endpoints, embeddings=off))
    return replace(config, gateway=replace(config.gateway, http=http))


class InputTests(SynchronousTestCase):
    """
    The forms of C{input}.
    """

    def assertWrong(self, value, param):
        """
        Assert that an input is rejected, and which part the error names.
        """
        error = self.assertRaises(InvalidRequest, parseInputs, value)
        self.assertEqual(error.param, param)

    def test_forms(self):
        """
        A text, several texts, tokens, and several lists of tokens are distinguished.
        """
        for value, inputs in [
            ("a", ["a"]),
            (["a", " "], ["a", " "]),
            ([1, 0], [[1, 0]]),
            ([[1], [2, 3]], [[1], [2, 3]]),
        ]:
            self.assertEqual(parseInputs(value), inputs)

    def test_empty(self):
        """
        An empty input is an error, at any position.
        """
        for value, param in [
            (None, "input"),
            ("", "input"),
            ([], "input"),
            (["a", "b", ""], "input[2]"),
            ([[1], []], "input[1]"),
        ]:
            self.assertWrong(value, param)

    def test_mixed(self):
        """
        A mixture is an error, and so is everything that is neither text nor tokens.
        """
        for value, param in [
            (["a", 1], "input[1]"),
            (["a", [1]], "input[1]"),
            ([1, "a"], "input[1]"),
            ([[1], "a"], "input[1]"),
            ([[1, "a"]], "input[0][1]"),
            ([1, True], "input[1]"),
            ([1, 2.5], "input[1]"),
            ([1, -1], "input[1]"),
            ([True], "input[0]"),
            ([{}], "input[0]"),
            ([None], "input[0]"),
        ]:
            self.assertWrong(value, param)

    def test_many(self):
        """
        The number of inputs is limited, and that of tokens in one is not.
        """
        self.assertEqual(len(parseInputs(["a"] * MAX_INPUTS)), MAX_INPUTS)
        self.assertWrong(["a"] * (MAX_INPUTS + 1), "input")
        self.assertWrong([[1]] * (MAX_INPUTS + 1), "input")
        self.assertEqual(len(parseInputs([1] * (MAX_INPUTS + 1))), 1)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            st.lists,
        )
    )
    def test_anything(self, value):
        """
        Any input is parsed, or rejected with the field's name.
        """
        body = msgspec.json.encode({"input": value})
        try:
            inputs = parseEmbeddingsRequest(body).inputs
        except InvalidRequest as error:
            self.assertTrue(error.param.startswith("input"))
        else:
            self.assertTrue(inputs and all(inputs))


class EmbeddingsTestCase(GatewayTestCase):
    """
    A gateway whose default agent has an embedding model.
    """

    def setUp(self):
        super().setUp()
        self.gateway.stand(configOf(defaults=MODEL))

    def post(self, body, *headers):
        """
        Request embeddings.
        """
        return self.gateway.post(body, *headers, path=PATH)

    @property
    def call(self):
        """
        Return the last call for embeddings.
        """
        return self.gateway.provider.embeddings[-1]

    def answered(self, body, *vectors, headers=(), tokens=7):
        """
        Return the response to a request, for which the model returns these vectors.
        """
        caller = self.post(body, *headers)
        self.call.give(*vectors, tokens=tokens)
        self.assertEqual(caller.answer.status, 200, caller.answer)
        return caller.answer


class AnswerTests(EmbeddingsTestCase):
    """
    Responses.
    """

    def test_shape(self):
        """
        The members are those that OpenAI's clients expect.
        """
        answer = self.answered({**ONE, "input": ["a", "b"]}, [0.5, 0.1], [1.0, -2.0])
        self.assertEqual(
            answer.headers["content-type"], "application/json; charset=utf-8"
        )
        self.assertEqual(
            answer.json,
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": 0, "embedding": [0.5, 0.1]},
                    {"object": "embedding", "index": 1, "embedding": [1.0, -2.0]},
                ],
                "model": "openclaw",
                "usage": {"prompt_tokens": 7, "total_tokens": 7},
            },
        )
        self.assertIn("x-request-id", answer.headers)

    def test_unknownUsage(self):
        """
        Tokens that the provider does not report are estimated, and said to be.
        """
        for inputs, tokens in (
            ("Twelve bytes", 3),
            (["x", "y"], 2),
            ([[1, 2], [3]], 3),
        ):
            body = {**ONE, "input": inputs}
            count = 1 if isinstance(inputs, str) else len(inputs)
            answer = self.answered(body, *[[0.5]] * count, tokens=0)
            self.assertEqual(
                answer.json["usage"],
                {"prompt_tokens": tokens, "total_tokens": tokens, "estimated": True},
            )

    def test_base64(self):
        """
        Base64 has 32-bit little-endian numbers, from both forms of the model's.
        """
        given = pack("<2f", 0.5, -2.0)
        for vector in ([0.5, -2.0], given):
            answer = self.answered({**ONE, "encoding_format": "base64"}, vector)
            self.assertTrue(self.call.request.base64)
            [data] = answer.json["data"]
            self.assertEqual(data["embedding"], b64encode(given).decode())

    def test_floats(self):
        """
        Numbers come from both forms of the model's.
        """
        for asked in ({}, {"encoding_format": "float"}, {"encoding_format": None}):
            answer = self.answered({**ONE, **asked}, pack("<2f", 0.5, -2.0))
            self.assertFalse(self.call.request.base64)
            [data] = answer.json["data"]
            self.assertEqual(data["embedding"], [0.5, -2.0])

    def test_whatTheModelIsAsked(self):
        """
        The model gets the inputs unchanged, and the dimensions.
        """
        self.answered({"input": [[1, 2]], "dimensions": 2}, [1.0, 2.0])
        request = self.call.request
        self.assertEqual(
            (request.model, request.inputs, request.dimensions),
            ("vectors", [[1, 2]], 2),
        )
        self.assertTrue(request.caller.startswith("operator@"))

    def test_modelOfTheAnswer(self):
        """
        The response has the request's model.
        """
        for asked, told in [
            ({"model": " OpenClaw/Main "}, " OpenClaw/Main "),
            ({}, "openclaw"),
        ]:
            answer = self.answered({"input": "a", **asked}, [1.0])
            self.assertEqual(answer.json["model"], told)

    def test_ignored(self):
        """
        Ignored fields are listed.
        """
        answer = self.answered({**ONE, "user": "ann", "colour": 1}, [1.0])
        self.assertEqual(answer.headers["x-openclaw-ignored-params"], "colour, user")

    def test_large(self):
        """
        Large bodies and responses are processed in threads.
        """
        net = Internet()
        self.gateway = self.start(clock=net, config=configOf(defaults=MODEL))
        caller = self.post({**ONE, "input": "x" * LARGE_BODY_BYTES})
        self.assertEqual(self.gateway.provider.embeddings, [])
        net.threads.run()
        numbers = LARGE_RESPONSE_NUMBERS + 1
        self.call.give([0.5] * numbers)
        self.assertEqual(caller.received, b"")
        net.threads.run()
        [data] = caller.answer.json["data"]
        self.assertEqual(len(data["embedding"]), numbers)

    @given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
    def test_everyNumber(self, numbers):
        """
        No number is lost, in either form.
        """
        for asked in ("float", "base64"):
            for vector in (numbers, pack(f"<{len(numbers)}f", *numbers)):
                answer = self.answered({**ONE, "encoding_format": asked}, vector)
                found = answer.json["data"][0]["embedding"]
                if asked == "base64":
                    found = list(unpack(f"<{len(numbers)}f", b64decode(found)))
                self.assertEqual(found, numbers)


class AgentTests(EmbeddingsTestCase):
    """
    The model is the agent's.
    """

    def setUp(self):
        """
        Add another agent with its own model.
        """
        super().setUp()
        other = {"embeddingModel": "scripted/others"}
        agents = {"main": {}, "other": other}
        endpoint = {"modelAliases": {"text-embedding-3-small": "other"}}
        self.gateway.stand(configOf(endpoint, agents=agents, defaults=MODEL))

    def test_named(self):
        """
        The agent is selected as for a completion: by model, alias or header.
        """
        for body, headers, model in [
            ({}, (), "vectors"),
            ({"model": "openclaw/other"}, (), "others"),
            ({"model": "text-embedding-3-small"}, (), "others"),
            ({"model": "x"}, [("x-openclaw-agent-id", "other")], "others"),
            ({}, [("x-openclaw-model", "scripted/third")], "third"),
            ({}, [("x-openclaw-model", "vectors")], "vectors"),
        ]:
            self.answered({"input": "a", **body}, [1.0], headers=headers)
            self.assertEqual(self.call.request.model, model)

    def test_unknown(self):
        """
        Unknown agents and models are the caller's error.
        """
        for body, headers, *error in [
            ({"model": "openclaw/x"}, (), 400, "unknown_agent", "model"),
            ({"model": "gpt-4o"}, (), 400, "model_not_found", "model"),
            (
                {},
                [("x-openclaw-model", "nobody/x")],
                404,
                "model_not_found",
                "x-openclaw-model",
            ),
        ]:
            caller = self.post({"input": "a", **body}, *headers)
            self.assertRefused(caller.answer, *error)
        self.assertEqual(self.gateway.provider.embeddings, [])

    def test_byDefault(self):
        """
        An agent without an embedding model uses the embedded one.
        """
        config = configOf()
        [agent] = config.agentSettings()
        self.assertEqual(str(agent.embeddingModel), f"local/{config.models.local.id}")


class RefusedTests(EmbeddingsTestCase):
    """
    Invalid requests are rejected.
    """

    def test_fields(self):
        """
        The error names the field.
        """
        for body, param in [
            ({}, "input"),
            ({"input": ["a", ""]}, "input[1]"),
            ({"input": {}}, "input"),
            ({"input": 1}, "input"),
            ({**ONE, "encoding_format": "hex"}, "encoding_format"),
            ({**ONE, "dimensions": 0}, "dimensions"),
            ({**ONE, "dimensions": "2"}, "dimensions"),
            ({**ONE, "model": 1}, "model"),
            ({**ONE, "model": "x" * 257}, "model"),
        ]:
            self.assertRefused(self.post(body).answer, 400, None, param)

    def test_noJSON(self):
        """
        A body that is not JSON has its own error.
        """
        self.assertRefused(self.post(b"{").answer, 400, "invalid_json")

    def test_otherMethods(self):
        """
        Only POST is supported.
        """
        answer = self.gateway.get(PATH)
        self.assertRefused(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["allow"], "POST")

    def test_withoutCredential(self):
        """
        A request without a credential is rejected before the body.
        """
        caller = self.gateway.connect()
        caller.send(
            b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100000\r\n\r\n"
        )
        self.assertRefused(caller.answer, 401, "invalid_api_key")

    def test_missingScope(self):
        """
        A token with only the scope to read is rejected.
        """
        self.gateway = self.start(secret=None, config=configOf(defaults=MODEL))
        caller = self.post(ONE, ("x-openclaw-scopes", "operator.read"))
        self.assertRefused(caller.answer, 403, "missing_scope")

    def test_off(self):
        """
        It is disabled together with completions, and can be disabled alone.
        """
        self.gateway.stand(configOf({"enabled": False}, defaults=MODEL))
        answer = self.post(ONE).answer
        self.assertRefused(answer, 404, "endpoint_disabled")
        self.assertIn("chatCompletions.enabled", answer.error["message"])
        self.gateway.stand(without(configOf(defaults=MODEL)))
        for method in ("GET", "POST"):
            caller = self.gateway.connect()
            caller.ask(method, PATH, [AUTHORIZATION], b"{}" * (method == "POST"))
            self.assertRefused(caller.answer, 404, "endpoint_disabled")
            message = caller.answer.error["message"]
            self.assertIn("embeddings.enabled", message)
        self.assertEqual(GatewayTestCase.answered(self, HELLO).text, "Yes?")


class FailureTests(EmbeddingsTestCase):
    """
    The model fails.
    """

    def test_error(self):
        """
        A provider's error reaches the caller with its status.
        """
        caller = self.post(ONE)
        self.call.fail(UpstreamRateLimited("Slowly.", retryAfter=30))
        self.assertRefused(caller.answer, 429, "upstream_rate_limited")
        self.assertEqual(caller.answer.headers["retry-after"], "30")

    def test_again(self):
        """
        A provider with transient errors is called again, with the same model.
        """
        caller = self.post(ONE)
        self.call.fail(UpstreamError("Oops."))
        self.gateway.clock.advance(BUDGET_SECONDS)
        self.assertEqual(len(self.gateway.provider.embeddings), 2)
        self.call.give([1.0])
        self.assertEqual(caller.answer.status, 200)

    def test_late(self):
        """
        The agent's time limit of runs applies.
        """
        self.gateway.stand(configOf(defaults={**MODEL, "timeoutSeconds": 5}))
        caller = self.post(ONE)
        self.gateway.clock.advance(5)
        self.assertTrue(self.call.cancelled)
        self.assertRefused(caller.answer, 504, "run_timeout")

    def test_gone(self):
        """
        A disconnect cancels the call, also during the wait before a retry.
        """
        for leave in ("leave", "reset"):
            caller = self.post(ONE)
            getattr(caller, leave)()
            self.assertTrue(self.call.cancelled)
            self.assertEqual(caller.received, b"")
            caller = self.post(ONE)
            self.call.fail(UpstreamError("Oops."))
            calls = len(self.gateway.provider.embeddings)
            getattr(caller, leave)()
            self.gateway.clock.advance(BUDGET_SECONDS)
            self.assertEqual(len(self.gateway.provider.embeddings), calls)

    def test_tooMany(self):
        """
        Their number is limited, and one caller can use three quarters of it;
        completions are served nevertheless.
        """
        config = configOf(defaults=MODEL)
        most = config.gateway.http.endpoints.embeddings.maxConcurrent
        share = most * 3 // 4
        callers = [self.post(ONE) for _ in range(share)]
        answer = self.post(ONE).answer
        self.assertRefused(answer, 429, "gateway_busy")
        self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(GatewayTestCase.answered(self, HELLO).text, "Yes?")
        callers[0].leave()
        self.assertEqual(len(self.gateway.provider.embeddings), share)
        self.post(ONE)
        self.assertEqual(len(self.gateway.provider.embeddings), share + 1)


class AccountTests(EmbeddingsTestCase):
    """
    A call is logged and counted.
    """

    def assertLine(self, *parts, caller="operator"):
        """
        Assert that the newest log line has these parts, and the number of such lines.
        """
        lines = [
            line for line in self.gateway.logged if line.startswith("kind=embeddings ")
        ]
        for part in (f" caller={caller} agent=main model=scripted/vectors ", *parts):
            self.assertIn(part, lines[-1])
        return len(lines)

    def test_done(self):
        """
        One line has the caller, the number of texts, and the duration; the metrics have
        them, too.
        """
        caller = self.post({**ONE, "input": ["a", "b"]})
        self.gateway.clock.advance(0.25)
        self.call.give([1.0], [2.0])
        name = caller.answer.headers["x-request-id"]
        count = self.assertLine(
            f" request={name} ", " inputs=2 outcome=done gone=no total_ms=250.0 "
        )
        self.assertEqual(count, 1)
        tally = self.gateway.runtime.tally
        self.assertEqual(tally.embeddings.sums, {("main", "done"): 1})

    def test_failed(self):
        """
        It has the reason of a failure, with all attempts.
        """
        self.post(ONE)
        self.call.fail(UpstreamError("Oops."))
        self.gateway.clock.advance(BUDGET_SECONDS)
        self.call.fail(UpstreamRateLimited("Slowly.", retryAfter=30))
        self.assertLine(" outcome=upstream_rate_limited gone=no ", ' error="Slowly."')
        self.assertEqual(
            self.gateway.runtime.tally.upstreamErrors.sums,
            {
                ("scripted", "upstream_error"): 1,
                ("scripted", "upstream_rate_limited"): 1,
            },
        )

    def test_gone(self):
        """
        It shows a disconnect, and a request over the limit.
        """
        config = configOf(defaults=MODEL)
        most = config.gateway.http.endpoints.embeddings.maxConcurrent
        callers = [self.post(ONE) for _ in range(most)]
        self.post(ONE)
        self.assertLine(" outcome=gateway_busy gone=no ")
        callers[0].leave()
        self.assertLine(" outcome=run_cancelled gone=yes ")

    def test_late(self):
        """
        It shows a time-out, which is not a disconnect.
        """
        self.gateway.stand(configOf(defaults={**MODEL, "timeoutSeconds": 5}))
        self.post(ONE)
        self.gateway.clock.advance(5)
        self.assertLine(" outcome=run_timeout gone=no total_ms=5000.0 ")


class QuotaTests(EmbeddingsTestCase):
    """
    Callers with a quota.
    """

    def setUp(self):
        """
        Add a token with one concurrent run.
        """
        super().setUp()
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        token = addToken(state, "ci", maxConcurrent=1)
        self.own = ("Authorization", f"Bearer {token}")
        self.gateway = self.start(config=configOf(defaults=MODEL), state=state)

    def post(self, body):
        """
        Request embeddings with that token.
        """
        caller = self.gateway.connect()
        caller.ask("POST", PATH, [self.own], msgspec.json.encode(body))
        return caller

    def test_asOneRun(self):
        """
        A request for embeddings counts as a run until its end.
        """
        self.post(ONE)
        self.assertRefused(self.post(ONE).answer, 429, "token_concurrency")
        self.call.give([1.0])
        self.post(ONE).leave()
        self.post(ONE)
        self.call.fail(UpstreamRateLimited("Slowly.", retryAfter=30))
        self.post({"input": ""})
        self.post(ONE).leave()
        self.assertEqual(len(self.gateway.provider.embeddings), 4)


class DrainTests(EmbeddingsTestCase):
    """
    The gateway drains.
    """

    def test_drained(self):
        """
        A call in progress can end within the time limit; new ones are rejected.
        """
        caller = self.post(ONE)
        drained = self.gateway.runtime.drain(25)
        self.assertRefused(self.post(ONE).answer, 503, "server_shutting_down")
        self.assertNoResult(drained)
        self.call.give([1.0])
        self.assertEqual(caller.answer.status, 200)
        self.successResultOf(drained)

    def test_tooLate(self):
        """
        A call that takes longer is ended with an error.
        """
        caller = self.post(ONE)
        drained = self.gateway.runtime.drain(25)
        self.gateway.clock.advance(25)
        self.assertTrue(self.call.cancelled)
        self.assertRefused(caller.answer, 503, "server_shutting_down")
        self.assertEqual(
            caller.answer.headers["retry-after"], f"{DRAIN_RETRY_SECONDS:g}"
        )
        self.successResultOf(drained)
