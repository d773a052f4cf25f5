"""
Tests of L{openclaw.api.chat_completions}: bodies that take long to parse.
"""

from pathlib import Path

import msgspec

from openclaw.api.json_bounds import LARGE_BODY_BYTES
from tests.auth.doorkeeper_doubles import addToken
from tests.server.memory_gateway import COMPLETIONS, HELLO, GatewayTestCase
from tests.server.memory_internet import Internet

KEY = "Idempotency-Key"


def sized(size, **fields):
    """
    Return a request of this many bytes.
    """
    document = {**HELLO, "padding": "", **fields}
    document["padding"] = "x" * (size - len(msgspec.json.encode(document)))
    return msgspec.json.encode(document)


class LargeBodyTests(GatewayTestCase):
    """
    While a large body is parsed, others are served.
    """

    def setUp(self):
        """
        Start a gateway with threads.
        """
        super().setUp()
        self.net = Internet()
        self.gateway = self.start(clock=self.net)

    def test_small(self):
        """
        A body of the usual size is parsed immediately.
        """
        for size in (200, LARGE_BODY_BYTES):
            self.answered(sized(size))
            self.assertEqual(self.net.threads.work, [])

    def test_large(self):
        """
        A larger one is parsed in a thread, with the same response.
        """
        for stream in (False, True):
            calls = len(self.gateway.provider.calls)
            caller = self.gateway.post(sized(LARGE_BODY_BYTES + 1, stream=stream))
            self.assertEqual(len(self.gateway.provider.calls), calls)
            self.net.threads.run()
            self.gateway.call.say("Yes?")
            self.gateway.call.finish()
            self.assertEqual(caller.answer.text, "Yes?")
            headers = caller.answer.headers
            self.assertEqual(headers["x-openclaw-ignored-params"], "padding")

    def test_mistakes(self):
        """
        Its errors are those of any other body.
        """
        size = LARGE_BODY_BYTES + 1
        for wrong, code, param in [
            (sized(size, temperature=3), None, "temperature"),
            (sized(size)[:-1] + b"]", "invalid_json", None),
            (sized(size, model="gpt-4o"), "model_not_found", "model"),
        ]:
            caller = self.gateway.post(wrong)
            self.net.threads.run()
            self.assertRefused(caller.answer, 400, code, param)

    def test_repeated(self):
        """
        The digest of a large body with a key is computed in a thread, too, and a
        repeated one is not parsed again.
        """
        key, body = (KEY, "k-1"), sized(LARGE_BODY_BYTES + 1)
        first = self.gateway.post(body, key)
        self.assertEqual(len(self.net.threads.work), 1)
        self.net.threads.run()
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        second = self.gateway.post(body, key)
        self.assertEqual(second.received, b"")
        self.net.threads.run()
        self.assertEqual(second.answer.body, first.answer.body)
        other = self.gateway.post(sized(LARGE_BODY_BYTES + 2), key)
        self.net.threads.run()
        self.assertRefused(other.answer, 409, "idempotency_conflict", KEY)
        self.assertEqual(len(self.gateway.provider.calls), 1)

    def test_repeatedAndGone(self):
        """
        After a disconnect no digest is computed.
        """
        key = (KEY, "k-1")
        caller = self.gateway.post(sized(LARGE_BODY_BYTES + 1), key)
        caller.leave()
        self.net.threads.run()
        self.assertEqual(self.gateway.provider.calls, [])

    def test_gone(self):
        """
        After a disconnect it is not parsed, or the result is dropped.
        """
        for leave in ("leave", "reset"):
            caller = self.gateway.post(sized(LARGE_BODY_BYTES + 1))
            getattr(caller, leave)()
            self.net.threads.run()
            self.assertEqual(self.gateway.provider.calls, [])
            self.assertEqual(caller.received, b"")


class FairReadingTests(GatewayTestCase):
    """
    Large bodies of one caller do not delay those of another.
    """

    def test_turns(self):
        """
        One body of each caller is in a thread at a time; another caller's gets the
        other thread immediately.
        """
        state = Path(self.mktemp()).absolute()
        state.mkdir()
        tokens = [addToken(state, name) for name in ("greedy", "polite")]
        net = Internet()
        gateway = self.start(clock=net, state=state)

        def post(token):
            caller = gateway.connect()
            header = ("Authorization", f"Bearer {token}")
            caller.ask("POST", COMPLETIONS, [header], sized(LARGE_BODY_BYTES + 1))

        for _ in range(8):
            post(tokens[0])
        self.assertEqual(len(net.threads.work), 1)
        post(tokens[1])
        self.assertEqual(len(net.threads.work), 2)
        while net.threads.work:
            net.threads.run()
        asked = [run.request.caller for run in gateway.runtime.runs.values()]
        self.assertEqual(asked[1], "token:polite")
        self.assertEqual(len(asked), 9)
