"""
Tests of L{openclaw.server.live_config}: the effects of a reload.
"""

import msgspec

from openclaw.errors import UpstreamTruncated
from tests.server.memory_gateway import (
    AUTHORIZATION,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)


class ReloadTests(GatewayTestCase):
    """
    A request uses the configuration of its arrival.
    """

    def test_endpointOff(self):
        """
        If the endpoint is disabled, runs in progress are not affected.
        """
        stream, whole = self.gateway.post(STREAMED), self.gateway.post(HELLO)
        self.gateway.provider.calls[0].say("Ye")
        self.gateway.stand(configOf(endpoint={"enabled": False}))
        self.assertRefused(self.gateway.post(HELLO).answer, 404, "endpoint_disabled")
        self.assertRefused(self.gateway.get("/v1/models"), 404, "endpoint_disabled")
        self.gateway.provider.calls[0].say("s?")
        self.gateway.provider.calls[0].finish()
        self.gateway.provider.calls[1].fail(
            UpstreamTruncated("It broke off.", shouldRetry=False)
        )
        self.assertEqual(stream.answer.text, "Yes?")
        self.assertRefused(whole.answer, 502, "upstream_truncated")

    def test_endpointOffDuringTheBody(self):
        """
        Requests whose headers have arrived are not affected, either.
        """
        caller = self.gateway.connect()
        body = msgspec.json.encode(HELLO)
        length = ("Content-Length", str(len(body)))
        caller.ask("POST", "/v1/chat/completions", [AUTHORIZATION, length])
        self.gateway.stand(configOf(endpoint={"enabled": False}))
        caller.send(body)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Yes?")

    def test_agents(self):
        """
        A new agent can be used immediately.
        """
        body = {**HELLO, "model": "openclaw/new"}
        self.assertEqual(self.gateway.post(body).answer.status, 400)
        self.gateway.stand(configOf(agents={"main": {}, "new": {}}))
        caller = self.gateway.post(body)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Yes?")
        names = [model["id"] for model in self.gateway.get("/v1/models").json["data"]]
        self.assertIn("openclaw/new", names)

    def test_limits(self):
        """
        A new limit applies to the next request on the same connection.
        """
        caller = self.gateway.connect()
        body = b"[]" + b" " * 1024
        self.gateway.ask(caller, body)
        self.gateway.stand(configOf(endpoint={"maxBodyBytes": 1024}))
        self.gateway.ask(caller, body)
        statuses = [answer.status for answer in caller.answers]
        self.assertEqual(statuses, [400, 413])
