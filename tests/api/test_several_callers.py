"""
Tests of limits and permissions of several callers, over HTTP in memory.
"""

from pathlib import Path

import msgspec
from twisted.internet.task import Clock

from openclaw.errors import UpstreamTruncated
from tests.agents.run_harness import HeldStore
from tests.auth.doorkeeper_doubles import addToken
from tests.server.memory_gateway import (
    COMPLETIONS,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)


class CallerTestCase(GatewayTestCase):
    """
    A gateway with a token for one concurrent run.
    """

    def setUp(self):
        """
        Add the token.
        """
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        token = addToken(state, "ci", maxConcurrent=1)
        self.other = ("Authorization", f"Bearer {addToken(state, 'cd')}")
        self.own = ("Authorization", f"Bearer {token}")
        super().setUp()
        clock = Clock()
        self.store = HeldStore(clock)
        # The gateway opens it.
        self.store.close()
        self.gateway = self.start(
            config=configOf(), state=state, clock=clock, store=self.store
        )

    def post(self, body, *headers):
        """
        Request a completion with only these headers.
        """
        caller = self.gateway.connect()
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        caller.ask("POST", COMPLETIONS, headers, raw)
        return caller


class ConcurrencyTests(CallerTestCase):
    """
    One run at a time.
    """

    def test_branches(self):
        """
        The sessions of a chat are not read for a caller over its limit.
        """
        running = self.post(STREAMED, self.own)
        searched = []
        self.patch(self.gateway.runtime, "outline", searched.append)
        chat = (("X-OpenWebUI-Chat-Id", "c1"), ("X-OpenWebUI-Task", ""))
        answer = self.post(HELLO, self.own, *chat).answer
        self.assertRefused(answer, 429, "token_concurrency")
        self.assertEqual(searched, [])
        running.leave()

    def assertFull(self):
        """
        Assert that the caller can't start another run, in any form.
        """
        for body in (HELLO, STREAMED):
            answer = self.post(body, self.own).answer
            self.assertRefused(answer, 429, "token_concurrency")
            self.assertIn("retry-after", answer.headers)

    def test_ended(self):
        """
        The next run can start when the first has ended, successfully or not.
        """
        error = UpstreamTruncated("The answer broke off.")
        for end in (lambda call: call.finish(), lambda call: call.fail(error)):
            self.post(HELLO, self.own)
            self.assertFull()
            self.gateway.call.say("so")
            end(self.gateway.call)
            self.post(HELLO, self.own).leave()

    def test_goesOn(self):
        """
        A run that continues without its client counts.
        """
        on = ("x-openclaw-on-disconnect", "continue")
        self.post(STREAMED, self.own, on).leave()
        self.assertFull()
        self.gateway.call.say("so")
        self.gateway.call.finish()
        self.post(HELLO, self.own).leave()

    def test_lettingGo(self):
        """
        A run whose client has disconnected counts until it has released its session.
        """
        self.store.held.add("endTurn")
        self.post({**HELLO, "user": "ann"}, self.own).leave()
        self.assertEqual(self.store.waiting, ["endTurn"])
        self.assertFull()
        self.store.release()
        self.post(HELLO, self.own).leave()

    def test_refused(self):
        """
        A request that starts no run does not count.
        """
        for body, status in ((b"{", 400), ({**HELLO, "model": "openclaw/x"}, 400)):
            self.assertEqual(self.post(body, self.own).answer.status, status)
        self.post(HELLO, self.own)
        self.assertFull()

    def test_drained(self):
        """
        A request during draining does not count.
        """
        self.gateway.runtime.cancelAll()
        for _ in range(3):
            answer = self.post(HELLO, self.own).answer
            self.assertRefused(answer, 503, "server_shutting_down")

    def test_others(self):
        """
        Others have their own limits, or none.
        """
        self.post(HELLO, self.own)
        for _ in range(3):
            self.post(HELLO, self.other)
        self.assertEqual(len(self.gateway.provider.calls), 4)


class ModelsTests(GatewayTestCase):
    """
    A caller with some agents sees no others.
    """

    def setUp(self):
        """
        Add a token for one agent of two.
        """
        super().setUp()
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        token = addToken(state, "ci", agents=("helper",))
        self.own = ("Authorization", f"Bearer {token}")
        agents = {"main": {}, "helper": {}}
        self.gateway = self.start(config=configOf(agents=agents), state=state)

    def answerTo(self, name):
        """
        Return the response to a request for a model of this name.
        """
        caller = self.gateway.connect()
        caller.ask("GET", f"/v1/models/{name}", [self.own])
        return caller.answer

    def test_each(self):
        """
        The models of other agents do not exist, by any name.
        """
        for path in ("openclaw/helper", "openclaw%2Fhelper", "agent:helper"):
            self.assertEqual(self.answerTo(path).status, 200, path)
        for path in ("openclaw/main", "openclaw%2Fmain", "agent:main", "openclaw"):
            answer = self.answerTo(path)
            self.assertRefused(answer, 404, "model_not_found", "model")
            self.assertIn("Agents you may use: 'helper'.", answer.error["message"])
