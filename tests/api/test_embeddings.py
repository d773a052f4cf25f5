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
    A configuration with the endpoint switched off.
    """
    http = config.gateway.http
    off = replace(http.endpoints.embeddings, enabled=False)
    http = replace(http, endpoints=replace(http.endpoints, embeddings=off))
    return replace(config, gateway=replace(config.gateway, http=http))


class InputTests(SynchronousTestCase):
    """
    The valid forms of C{input}.
    """

    def assertWrong(self, value, param):
        """
        Assert that it is refused, and which part is named.
        """
        error = self.assertRaises(InvalidRequest, parseInputs, value)
        self.assertEqual(error.param, param)

    def test_forms(self):
        """
        A text, several, tokens, and several lists of tokens: each is known for what
        it is.
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
        Nothing to embed is a mistake, wherever it is.
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
        So is a mixture, and what is neither text nor token.
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
        The number of inputs is bounded, and that of tokens in one is not.
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
        Whatever comes is read or refused with the field's name.
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
    A gateway whose default agent has a model for embeddings.
    """

    def setUp(self):
        """
        Start it.
        """
        super().setUp()
        self.gateway.stand(configOf(defaults=MODEL))

    def post(self, body, *headers):
        """
        Ask for embeddings.
        """
        return self.gateway.post(body, *headers, path=PATH)

    @property
    def call(self):
        """
        The last call for embeddings.
        """
        return self.gateway.provider.embeddings[-1]

    def answered(self, body, *vectors, headers=()):
        """
        The answer to a request, for which the model has these vectors.
        """
        caller = self.post(body, *headers)
        self.call.give(*vectors, tokens=7)
        self.assertEqual(caller.answer.status, 200, caller.answer)
        return caller.answer


class AnswerTests(EmbeddingsTestCase):
    """
    The answers.
    """

    def test_shape(self):
        """
        It is what OpenAI's clients expect, member by member.
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

    def test_base64(self):
        """
        Base64 is 32-bit numbers, little-endian, whichever form the model gave.
        """
        given = pack("<2f", 0.5, -2.0)
        for vector in ([0.5, -2.0], given):
            answer = self.answered({**ONE, "encoding_format": "base64"}, vector)
            self.assertTrue(self.call.request.base64)
            [data] = answer.json["data"]
            self.assertEqual(data["embedding"], b64encode(given).decode())

    def test_floats(self):
        """
        Numbers are numbers, whichever form the model gave.
        """
        for asked in ({}, {"encoding_format": "float"}, {"encoding_format": None}):
            answer = self.answered({**ONE, **asked}, pack("<2f", 0.5, -2.0))
            self.assertFalse(self.call.request.base64)
            [data] = answer.json["data"]
            self.assertEqual(data["embedding"], [0.5, -2.0])

    def test_whatTheModelIsAsked(self):
        """
        The model gets the inputs as they are, and the dimensions.
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
        The answer's model is the one that was sent.
        """
        for asked, told in [
            ({"model": " OpenClaw/Main "}, " OpenClaw/Main "),
            ({}, "openclaw"),
        ]:
            answer = self.answered({"input": "a", **asked}, [1.0])
            self.assertEqual(answer.json["model"], told)

    def test_ignored(self):
        """
        Fields without an effect are named.
        """
        answer = self.answered({**ONE, "user": "ann", "colour": 1}, [1.0])
        self.assertEqual(answer.headers["x-openclaw-ignored-params"], "colour, user")

    def test_large(self):
        """
        Large bodies and large answers are worked on in threads.
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
        No number is lost on the way, in either form.
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
        There is another agent, with a model of its own.
        """
        super().setUp()
        other = {"embeddingModel": "scripted/others"}
        agents = {"main": {}, "other": other}
        endpoint = {"modelAliases": {"text-embedding-3-small": "other"}}
        self.gateway.stand(configOf(endpoint, agents=agents, defaults=MODEL))

    def test_named(self):
        """
        The agent is found as for a completion: by model, alias or header.
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
        Agents and models that are not there are the caller's mistake.
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
        An agent that has no such model uses the embedded one.
        """
        config = configOf()
        [agent] = config.agentSettings()
        self.assertEqual(str(agent.embeddingModel), f"local/{config.models.local.id}")


class RefusedTests(EmbeddingsTestCase):
    """
    Wrong requests are refused.
    """

    def test_fields(self):
        """
        The field is named.
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
        A body that is not JSON has an error of its own.
        """
        self.assertRefused(self.post(b"{").answer, 400, "invalid_json")

    def test_otherMethods(self):
        """
        There is only POST.
        """
        answer = self.gateway.get(PATH)
        self.assertRefused(answer, 405, "method_not_allowed")
        self.assertEqual(answer.headers["allow"], "POST")

    def test_withoutCredential(self):
        """
        A stranger is stopped before the body.
        """
        caller = self.gateway.connect()
        caller.send(
            b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100000\r\n\r\n"
        )
        self.assertRefused(caller.answer, 401, "invalid_api_key")

    def test_missingScope(self):
        """
        A token that may only read may not create embeddings.
        """
        self.gateway = self.start(secret=None, config=configOf(defaults=MODEL))
        caller = self.post(ONE, ("x-openclaw-scopes", "operator.read"))
        self.assertRefused(caller.answer, 403, "missing_scope")

    def test_off(self):
        """
        It is off with the completions, and can be switched off alone.
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
        A provider that stumbles is asked again, the same model each time.
        """
        caller = self.post(ONE)
        self.call.fail(UpstreamError("Oops."))
        self.gateway.clock.advance(BUDGET_SECONDS)
        self.assertEqual(len(self.gateway.provider.embeddings), 2)
        self.call.give([1.0])
        self.assertEqual(caller.answer.status, 200)

    def test_late(self):
        """
        It may not take longer than a run of the agent.
        """
        self.gateway.stand(configOf(defaults={**MODEL, "timeoutSeconds": 5}))
        caller = self.post(ONE)
        self.gateway.clock.advance(5)
        self.assertTrue(self.call.cancelled)
        self.assertRefused(caller.answer, 504, "run_timeout")

    def test_gone(self):
        """
        A caller who leaves stops the model, also while another try is awaited.
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
        Their number is bounded, and one caller has three quarters of it at most;
        completions are served all the same.
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
        Assert that the newest line of the log has these parts, and how often there
        was such a line.
        """
        lines = [
            line for line in self.gateway.logged if line.startswith("kind=embeddings ")
        ]
        for part in (f" caller={caller} agent=main model=scripted/vectors ", *parts):
            self.assertIn(part, lines[-1])
        return len(lines)

    def test_done(self):
        """
        One line tells who asked, how many texts, and how long it took; the numbers
        have it, too.
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
        It says why a call failed, with what the provider did at each try.
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
        It says that the caller has gone away, and that another was one too many.
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
        It says that it took too long, which is not the caller's doing.
        """
        self.gateway.stand(configOf(defaults={**MODEL, "timeoutSeconds": 5}))
        self.post(ONE)
        self.gateway.clock.advance(5)
        self.assertLine(" outcome=run_timeout gone=no total_ms=5000.0 ")


class QuotaTests(EmbeddingsTestCase):
    """
    Callers with a bound of their own.
    """

    def setUp(self):
        """
        There is a token for one run at a time.
        """
        super().setUp()
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        token = addToken(state, "ci", maxConcurrent=1)
        self.own = ("Authorization", f"Bearer {token}")
        self.gateway = self.start(config=configOf(defaults=MODEL), state=state)

    def post(self, body):
        """
        Ask for embeddings with that token.
        """
        caller = self.gateway.connect()
        caller.ask("POST", PATH, [self.own], msgspec.json.encode(body))
        return caller

    def test_asOneRun(self):
        """
        A request for embeddings counts as a run, until it has its answer or fails.
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
    The gateway stops.
    """

    def test_drained(self):
        """
        A call in progress may end within the budget; nothing new begins.
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
