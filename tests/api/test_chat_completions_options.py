"""
Tests of L{openclaw.api.chat_completions}: options of requests, and headers of
responses.
"""

from openclaw.errors import UpstreamTruncated
from tests.api.sse_reader import folded
from tests.server.memory_gateway import (
    COMPLETIONS,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)

AGENTS = {"main": {"systemPrompt": "Be kind."}, "research": {"systemPrompt": "Dig."}}
TRUNCATED = UpstreamTruncated("The answer broke off.", shouldRetry=False)


class HeaderTests(GatewayTestCase):
    """
    Headers of every response.
    """

    def test_names(self):
        """
        The run's id is unique and the one in the log; a request without a session has a
        unique key.
        """
        answers = [self.answered(body) for body in (HELLO, STREAMED, HELLO)]
        for answer, line in zip(answers, self.gateway.logged, strict=True):
            self.assertIn(answer.headers["x-openclaw-run-id"], line)
            self.assertIn(answer.headers["x-openclaw-session-key"], line)
            self.assertRegex(
                answer.headers["x-openclaw-session-key"],
                "^agent:main:openai:[0-9a-f-]{36}$",
            )
        for name in ("x-openclaw-run-id", "x-openclaw-session-key", "x-request-id"):
            self.assertEqual(len({answer.headers[name] for answer in answers}), 3)

    def test_ofAFailure(self):
        """
        A failed run has its id, too.
        """
        for body in (HELLO, STREAMED):
            caller = self.gateway.post(body)
            self.gateway.call.fail(TRUNCATED)
            self.assertIn(
                caller.answer.headers["x-openclaw-run-id"], self.gateway.logged[-1]
            )

    def test_ignoredFields(self):
        """
        Ignored fields are listed; only plain names, up to a limit.
        """
        odd = {"modalities": [], "audio": {}, "a\r\nb: c": 1, "\u00e4": 1, "": 1}
        for body in ({**HELLO, **odd}, {**STREAMED, **odd}):
            answer = self.answered(body)
            self.assertEqual(
                answer.headers["x-openclaw-ignored-params"], "audio, modalities"
            )
        many = {f"field{number:03}": 1 for number in range(100)}
        named = self.answered({**HELLO, **many}).headers["x-openclaw-ignored-params"]
        self.assertEqual(named.split(", "), sorted(many)[:32])

    def test_noneIgnored(self):
        """
        Without ignored fields the header is absent.
        """
        answer = self.answered({**HELLO, "temperature": 1, "store": None})
        self.assertNotIn("x-openclaw-ignored-params", answer.headers)


class AgentTests(GatewayTestCase):
    """
    The agent is selected, and its prompt used.
    """

    def setUp(self):
        """
        Start a gateway with two agents.
        """
        super().setUp()
        self.gateway = self.start(config=configOf(agents=AGENTS))

    def test_modelIsEchoed(self):
        """
        The response has the request's C{model} unchanged, or C{openclaw}.
        """
        for sent, told in [
            ({}, "openclaw"),
            ({"model": None}, "openclaw"),
            ({"model": ""}, ""),
            ({"model": " OpenClaw/Research "}, " OpenClaw/Research "),
            ({"model": "agent:main"}, "agent:main"),
        ]:
            self.assertEqual(self.answered({**HELLO, **sent}).json["model"], told)
            stream = self.answered({**STREAMED, **sent})
            self.assertEqual(folded(stream.frames)["model"], told)

    def test_chosen(self):
        """
        The header takes precedence over the model; the agent's prompt comes first, then
        the channel, then the request's instructions.
        """
        research = {"model": "openclaw/research"}
        for body, headers, system in [
            ({}, [], "Be kind."),
            (research, [], "Dig."),
            (research, [("x-openclaw-agent-id", "main")], "Be kind."),
            ({"model": "gpt-4o"}, [("x-openclaw-agent", "Research")], "Dig."),
            (
                {},
                [("x-openclaw-message-channel", " telegram ")],
                "Be kind.\n\nYou are talking through the channel telegram.",
            ),
        ]:
            self.answered({**HELLO, **body}, *headers)
            self.assertEqual(self.gateway.call.request.system, system)
        told = [{"role": "system", "content": "Be brief."}, *HELLO["messages"]]
        self.answered({"messages": told})
        self.assertEqual(self.gateway.call.request.system, "Be kind.\n\nBe brief.")

    def test_oddModel(self):
        """
        With an agent's header the model may be any text; it can't break a stream.
        """
        odd = "a\nb\u2028\x85"
        header = ("x-openclaw-agent-id", "main")
        answer = self.answered({**STREAMED, "model": odd}, header)
        self.assertEqual(folded(answer.frames)["model"], odd)

    def test_otherModel(self):
        """
        The header can select another model, if it exists.
        """
        self.answered(HELLO, ("x-openclaw-model", "scripted/two"))
        self.assertEqual(self.gateway.call.request.model, "two")
        caller = self.gateway.post(HELLO, ("x-openclaw-model", "nobody/two"))
        self.assertRefused(caller.answer, 404, "model_not_found", "x-openclaw-model")

    def test_sampling(self):
        """
        Sampling fields are passed on.
        """
        self.answered({**HELLO, "temperature": 0.5, "stop": ["x"]})
        sampling = self.gateway.call.request.sampling
        self.assertEqual((sampling.temperature, sampling.stop), (0.5, ("x",)))

    def test_refused(self):
        """
        An unknown agent or an invalid channel is the caller's error, and the model is
        not called.
        """
        for body, header, code, param in [
            ({"model": "gpt-4o"}, None, "model_not_found", "model"),
            ({"model": "openclaw/nobody"}, None, "unknown_agent", "model"),
            (
                {},
                ("x-openclaw-agent-id", "nobody"),
                "unknown_agent",
                "x-openclaw-agent-id",
            ),
            (
                {},
                ("x-openclaw-message-channel", "x" * 65),
                None,
                "x-openclaw-message-channel",
            ),
            (
                {},
                ("x-openclaw-message-channel", "a\tb"),
                None,
                "x-openclaw-message-channel",
            ),
        ]:
            caller = self.gateway.post({**HELLO, **body}, *[header] * bool(header))
            self.assertRefused(caller.answer, 400, code, param)
            self.assertNotIn("x-openclaw-run-id", caller.answer.headers)
        self.assertEqual(self.gateway.provider.calls, [])


class ReasoningTests(GatewayTestCase):
    """
    Reasoning is sent on request.
    """

    def thoughtOf(self, body, *headers):
        """
        Return the reasoning in a reply, or C{None}.
        """
        caller = self.gateway.post(body, *headers)
        self.gateway.call.think("Hm")
        self.gateway.call.say("Yes?")
        self.gateway.call.think("m.")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Yes?")
        if body is HELLO:
            [choice] = caller.answer.json["choices"]
            return choice["message"].get("reasoning_content")
        return folded(caller.answer.frames)["message"].get("reasoning_content")

    def test_asked(self):
        """
        The header may list other events, too, in any case.
        """
        for value in ("reasoning", "tools, Reasoning", " reasoning ,x"):
            header = ("x-openclaw-events", value)
            for body in (HELLO, STREAMED):
                self.assertEqual(self.thoughtOf(body, header), "Hmm.")

    def test_notAsked(self):
        """
        By default, and with other events, it is hidden.
        """
        for headers in (
            [],
            [("x-openclaw-events", "")],
            [("x-openclaw-events", "tools")],
            [("x-openclaw-events", "no-reasoning")],
        ):
            for body in (HELLO, STREAMED):
                self.assertIs(self.thoughtOf(body, *headers), None)


class OrderTests(GatewayTestCase):
    """
    Of several errors, the first in a fixed order is reported.
    """

    def test_oneByOne(self):
        """
        The order is: the credential, the JSON, the fields, the agent, its model, the
        session, the tools, and the images.
        """
        url = {"type": "image_url", "image_url": {"url": "no image"}}
        picture = {"messages": [{"role": "user", "content": [url]}]}
        tools = {**picture, "tools": [1]}
        agent = ("x-openclaw-agent-id", "main")
        model = ("x-openclaw-model", "nobody/two")
        session = ("x-openclaw-session-key", "cron:x")
        wrong = {**tools, "model": "gpt-4o", "temperature": 3}
        for body, headers, status, param in [
            (b"{", [model, session], 400, None),
            (wrong, [model, session], 400, "temperature"),
            ({**wrong, "temperature": 1}, [model, session], 400, "model"),
            (tools, [agent, model, session], 404, "x-openclaw-model"),
            (tools, [agent, session], 400, "x-openclaw-session-key"),
            (tools, [agent], 400, "tools[0]"),
            (picture, [agent], 400, "messages[0].content[0].image_url.url"),
        ]:
            answer = self.gateway.post(body, *headers).answer
            self.assertEqual((answer.status, answer.error["param"]), (status, param))
        stranger = self.gateway.connect()
        stranger.ask("POST", COMPLETIONS, [model, session], b"{")
        self.assertEqual(stranger.answer.status, 401)
        self.assertEqual(self.gateway.provider.calls, [])
