"""
Tests of L{openclaw.api.idempotency} and L{openclaw.api.chat_completions}: repeated
requests.
"""

import msgspec
from twisted.internet.defer import succeed
from zope.interface import implementer

from openclaw.errors import UpstreamRefused, UpstreamTruncated
from openclaw.interfaces import ITool
from tests.api.sse_reader import DONE, terminalsOf
from tests.server.memory_gateway import HELLO, STREAMED, GatewayTestCase, configOf

KEY = ("Idempotency-Key", "k-1")
FIRST, SECOND = ("x-stainless-retry-count", "0"), ("x-stainless-retry-count", "1")
GOES_ON = ("x-openclaw-on-disconnect", "continue")
OTHER = {"messages": [{"role": "user", "content": "Something else."}]}


class KeyTests(GatewayTestCase):
    """
    Requests with the same C{Idempotency-Key} are one run.
    """

    def test_joins(self):
        """
        The same request during the run gets the same reply, streamed or plain.
        """
        for body in (HELLO, STREAMED):
            first = self.gateway.post(body, KEY)
            self.gateway.call.say("One ")
            second = self.gateway.post(body, KEY)
            self.gateway.call.say("two.")
            self.gateway.call.finish()
            self.assertEqual(first.answer.body, second.answer.body)
            self.assertEqual(second.answer.text, "One two.")
            self.assertNotIn("idempotent-replayed", first.answer.headers)
            self.assertEqual(second.answer.headers["idempotent-replayed"], "true")
            self.assertEqual(
                first.answer.headers["x-openclaw-run-id"],
                second.answer.headers["x-openclaw-run-id"],
            )
            self.gateway.clock.advance(1000)
        self.assertEqual(len(self.gateway.provider.calls), 2)

    def test_replays(self):
        """
        The same request after the run gets the same reply, also after the first client
        has disconnected.
        """
        first = self.gateway.post(STREAMED, KEY)
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        first.leave()
        second = self.gateway.post(STREAMED, KEY)
        self.assertEqual(second.answer.body, first.answer.body)
        self.assertEqual(len(self.gateway.provider.calls), 1)

    def test_reasoning(self):
        """
        Each of the replies has the reasoning once.
        """
        events = ("x-openclaw-events", "reasoning")
        first = self.gateway.post(HELLO, KEY, events)
        self.gateway.call.think("Hm.")
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        second = self.gateway.post(HELLO, KEY, events)
        self.assertEqual(first.answer.body, second.answer.body)
        message = second.answer.json["choices"][0]["message"]
        self.assertEqual(message["reasoning_content"], "Hm.")

    def test_otherBody(self):
        """
        The key with another request is rejected, without retries of the SDKs.
        """
        self.gateway.post(HELLO, KEY)
        self.gateway.call.finish("length")
        for body, headers in (
            (OTHER, ()),
            (STREAMED, ()),
            (HELLO, [("x-openclaw-session-key", "notes")]),
            (HELLO, [("x-openclaw-message-channel", "mail")]),
        ):
            answer = self.gateway.post(body, KEY, *headers).answer
            self.assertEqual(answer.status, 409)
            self.assertEqual(answer.error["code"], "idempotency_conflict")
            self.assertEqual(answer.headers["x-should-retry"], "false")

    def test_oneStays(self):
        """
        The model call continues while one of the clients is connected.
        """
        first = self.gateway.post(STREAMED, KEY)
        second = self.gateway.post(STREAMED, KEY)
        first.leave()
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        self.assertEqual(second.answer.text, "Hi.")
        self.assertEqual(second.answer.frames[-1], DONE)

    def test_nobodyStays(self):
        """
        When both have disconnected it is cancelled, and the next request starts a new
        run.
        """
        callers = [self.gateway.post(STREAMED, KEY) for _ in range(2)]
        for caller in callers:
            self.assertFalse(self.gateway.call.cancelled)
            caller.leave()
        self.assertTrue(self.gateway.call.cancelled)
        third = self.gateway.post(STREAMED, KEY)
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        self.assertEqual(third.answer.text, "Hi.")

    def test_failure(self):
        """
        A failure without effects is not replayed.
        """
        first = self.gateway.post(HELLO, KEY)
        self.gateway.call.fail(UpstreamRefused("No."))
        self.assertEqual(first.answer.status, 400)
        second = self.gateway.post(HELLO, KEY)
        self.gateway.call.say("Yes.")
        self.gateway.call.finish()
        self.assertEqual(second.answer.text, "Yes.")

    def test_fullHouse(self):
        """
        An existing reply is sent even if no more runs can start.
        """
        config = configOf(defaults={"maxConcurrent": 1, "maxQueued": 0})
        gateway = self.start(config=config)
        gateway.post(HELLO, KEY)
        gateway.call.say("Hi.")
        gateway.call.finish()
        gateway.post(OTHER)
        self.assertEqual(gateway.post(OTHER).answer.status, 429)
        self.assertEqual(gateway.post(HELLO, KEY).answer.text, "Hi.")

    def test_notAKey(self):
        """
        An invalid key is rejected, with the header's name.
        """
        for key in ("", "x" * 256, "a\tb"):
            answer = self.gateway.post(HELLO, ("Idempotency-Key", key)).answer
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.error["param"], "Idempotency-Key")
        self.assertEqual(self.gateway.provider.calls, [])


class KeylessTests(GatewayTestCase):
    """
    OpenAI's SDKs retry without a key.
    """

    def test_joins(self):
        """
        A retry during the run joins it.
        """
        first = self.gateway.post(HELLO, FIRST)
        second = self.gateway.post(HELLO, SECOND)
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        self.assertEqual(second.answer.body, first.answer.body)
        self.assertEqual(len(self.gateway.provider.calls), 1)

    def test_twoFirstTries(self):
        """
        Two first attempts are two runs.
        """
        self.gateway.post(HELLO, FIRST)
        self.gateway.post(HELLO, FIRST)
        self.assertEqual(len(self.gateway.provider.calls), 2)
        for call in self.gateway.provider.calls:
            call.say("Hi.")
            call.finish()

    def test_otherChat(self):
        """
        The same messages in another chat are another request, whichever header has the
        chat's id.
        """
        gateway = self.start(config=configOf({"sessionHeaders": ["X-Chat"]}))
        gateway.post(HELLO, FIRST, ("x-chat", "ann"))
        gateway.post(HELLO, SECOND, ("x-chat", "bob"))
        gateway.post(HELLO, SECOND)
        self.assertEqual(len(gateway.provider.calls), 3)
        gateway.post(HELLO, SECOND, ("x-chat", "ann"))
        self.assertEqual(len(gateway.provider.calls), 3)
        for call in gateway.provider.calls:
            call.finish("length")

    def test_over(self):
        """
        A retry after the run starts a new run, since the first response may have
        arrived.
        """
        self.gateway.post(HELLO, FIRST)
        self.gateway.call.finish("length")
        second = self.gateway.post(HELLO, SECOND)
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        self.assertEqual(second.answer.text, "Hi.")

    def test_gone(self):
        """
        The run ends when its client disconnects, so that there is none to join.
        """
        first = self.gateway.post(HELLO, FIRST)
        first.leave()
        self.assertTrue(self.gateway.call.cancelled)
        self.gateway.post(HELLO, SECOND)
        self.assertEqual(len(self.gateway.provider.calls), 2)
        self.gateway.call.finish("length")


class GoesOnTests(GatewayTestCase):
    """
    A client can let the run continue after a disconnect.
    """

    def test_goesOn(self):
        """
        The model call is not cancelled, and another request with the key gets the
        reply.
        """
        first = self.gateway.post(STREAMED, KEY, GOES_ON)
        self.gateway.call.say("One ")
        first.leave()
        self.assertFalse(self.gateway.call.cancelled)
        self.gateway.call.say("two.")
        self.gateway.call.finish()
        second = self.gateway.post(STREAMED, KEY, GOES_ON)
        self.assertEqual(second.answer.text, "One two.")
        self.assertEqual(terminalsOf(second.answer.frames), ["stop"])

    def test_room(self):
        """
        The body of the request counts towards the limit of memory until the run ends;
        that of a run that ends with its client does not.
        """
        bodyBudget = self.gateway.site.bodyBudget
        self.gateway.post(HELLO, GOES_ON).leave()
        self.assertEqual(bodyBudget.used, len(msgspec.json.encode(HELLO)))
        self.gateway.post(HELLO).leave()
        self.assertEqual(bodyBudget.used, len(msgspec.json.encode(HELLO)))
        self.gateway.provider.calls[0].finish("length")
        self.assertEqual(bodyBudget.used, 0)

    def test_notBegun(self):
        """
        A request that could not start a run does not count.
        """
        config = configOf(defaults={"maxConcurrent": 1, "maxQueued": 0})
        gateway = self.start(config=config)
        gateway.post(HELLO)
        self.assertEqual(gateway.post(OTHER, GOES_ON).answer.status, 429)
        gateway.call.finish("length")
        self.assertEqual(gateway.site.bodyBudget.used, 0)

    def test_kept(self):
        """
        The reply is stored in the session.
        """
        session = ("x-openclaw-session-key", "notes")
        self.gateway.post(HELLO, session, GOES_ON).leave()
        self.gateway.call.say("Hi.")
        self.gateway.call.finish()
        said = self.successResultOf(self.gateway.store.transcript("agent:main:notes"))
        self.assertEqual([one.content for one in said], ["Hello.", "Hi."])

    def test_drained(self):
        """
        Draining ends the run like any other.
        """
        self.gateway.post(HELLO, GOES_ON).leave()
        self.gateway.runtime.cancelAll()
        self.assertTrue(self.gateway.call.cancelled)

    def test_otherWord(self):
        """
        Another value is rejected, with the header's name, even if the run exists.
        """
        self.gateway.post(HELLO, KEY)
        other = ("x-openclaw-on-disconnect", "wait")
        for more in ((other,), (other, KEY)):
            answer = self.gateway.post(HELLO, *more).answer
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.error["param"], "x-openclaw-on-disconnect")


@implementer(ITool)
class Change:
    """
    A tool with or without effects.
    """

    description = "Does it."
    parameters = {"type": "object", "properties": {}}

    def __init__(self, name, readOnly):
        self.name, self.readOnly = name, readOnly

    def run(self, arguments, context):
        return succeed("done")


class EffectsTests(GatewayTestCase):
    """
    SDKs do not retry a run that had effects.
    """

    def setUp(self):
        """
        Add tools with and without effects.
        """
        super().setUp()
        agents = {"main": {"tools": {"allow": ["change", "look"]}}}
        tools = [Change("change", False), Change("look", True)]
        self.gateway = self.start(config=configOf(agents=agents), tools=tools)

    def failureAfter(self, body, *names):
        """
        Return the response when the model has called these tools, and then fails.
        """
        caller = self.gateway.post(body)
        for name in names:
            self.gateway.call.callTool(f"call_{name}", name, "{}")
            self.gateway.call.finish("tool_calls")
        self.gateway.call.fail(UpstreamTruncated("It broke off.", retryAfter=60.0))
        self.assertRefused(caller.answer, 502, "upstream_truncated")
        return caller.answer

    def test_told(self):
        """
        The error prevents retries after a tool that may have had effects, and only
        then.
        """
        for body in (HELLO, STREAMED):
            for names, told in [
                ((), None),
                (("look",), None),
                (("look", "change"), "false"),
                (("change", "look"), "false"),
            ]:
                answer = self.failureAfter(body, *names)
                self.assertEqual(answer.headers.get("x-should-retry"), told, names)
