"""
Tests of L{openclaw.api.chat_completions}: sessions.
"""

from openclaw.errors import UpstreamRefused, UpstreamTruncated
from openclaw.messages import AssistantMessage, UserMessage
from tests.api.chat_bodies import assistant, user
from tests.server.memory_gateway import GatewayTestCase, configOf

NOTES = ("x-openclaw-session-key", "notes")


class SessionTestCase(GatewayTestCase):
    """
    A test case with sessions.
    """

    def ask(self, *messages, headers=(), say="Yes?", **fields):
        """
        Complete a request.

        @return: The model's messages, and the session's key.
        """
        caller = self.gateway.post({"messages": messages, **fields}, *headers)
        self.gateway.call.say(say)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, say)
        asked = [message.content for message in self.gateway.call.request.messages]
        return asked, caller.answer.headers["x-openclaw-session-key"]

    def kept(self, key):
        """
        Return the texts of a session's transcript.
        """
        transcript = self.successResultOf(self.gateway.store.transcript(key))
        return [message.content for message in transcript]

    def assertMistake(self, param, *headers, code=None, **fields):
        """
        Assert that a request is rejected, and has no effect.
        """
        caller = self.gateway.post({"messages": [user("Hi.")], **fields}, *headers)
        self.assertRefused(caller.answer, 400, code, param)
        self.assertEqual(self.gateway.provider.calls, [])


class StatelessTests(SessionTestCase):
    """
    Requests without a session.
    """

    def test_nothingIsKept(self):
        """
        Nothing is stored, and the model gets only the request's messages.
        """
        for fields in ({}, {"user": ""}, {"user": "  "}, {"user": None}):
            asked, key = self.ask(user("A"), assistant("B"), user("C"), **fields)
            self.assertEqual(asked, ["A", "B", "C"])
            self.assertRegex(key, "^agent:main:openai:[0-9a-f-]{36}$")
        self.assertEqual(self.successResultOf(self.gateway.store.sessions()), [])


class NamedTests(SessionTestCase):
    """
    Requests with a session.
    """

    def test_history(self):
        """
        The model gets earlier turns, streamed or not.
        """
        self.ask(user("My name is Anna."), headers=[NOTES], say="Hello, Anna.")
        asked, key = self.ask(user("Who am I?"), headers=[NOTES], stream=True)
        self.assertEqual(asked, ["My name is Anna.", "Hello, Anna.", "Who am I?"])
        self.assertEqual(key, "agent:main:notes")
        self.assertEqual(self.kept(key), [*asked, "Yes?"])

    def test_sentAgain(self):
        """
        A client that sends the history each time, as in OpenAI's API, duplicates
        nothing.
        """
        said = []
        for number in range(4):
            said.append(user(f"Q{number}"))
            asked, key = self.ask(*said, headers=[NOTES], say=f"A{number}")
            self.assertEqual(asked, [message["content"] for message in said])
            said.append(assistant(f"A{number}"))
        self.assertEqual(self.kept(key), [message["content"] for message in said])

    def test_broughtAlong(self):
        """
        The history in the first request of a session is its beginning.
        """
        asked, key = self.ask(user("A"), assistant("B"), user("C"), headers=[NOTES])
        self.assertEqual(asked, ["A", "B", "C"])
        self.assertEqual(self.kept(key), ["A", "B", "C", "Yes?"])

    def test_instructionsAreNotHistory(self):
        """
        System texts apply only to their request.
        """
        system = {"role": "system", "content": "Be brief."}
        self.ask(system, user("A"), headers=[NOTES])
        asked, _ = self.ask(user("B"), headers=[NOTES])
        self.assertEqual(asked, ["A", "Yes?", "B"])
        self.assertNotIn("Be brief.", self.gateway.call.request.system)

    def test_failedRun(self):
        """
        A failed run leaves the user's message, and a usable session.
        """
        self.gateway.post({"messages": [user("A")]}, NOTES)
        self.gateway.call.fail(
            UpstreamTruncated("The answer broke off.", shouldRetry=False)
        )
        self.assertEqual(self.kept("agent:main:notes"), ["A"])
        asked, _ = self.ask(user("B"), headers=[NOTES])
        self.assertEqual(asked, ["A", "B"])

    def test_refusedTurn(self):
        """
        A turn that a provider refuses is kept, and spoils no later one: the model is
        not shown it again.
        """
        self.ask(user("A"), headers=[NOTES])
        for text in ("bad", "worse"):
            caller = self.gateway.post({"messages": [user(text)]}, NOTES)
            self.gateway.call.fail(UpstreamRefused("Not this."))
            self.assertEqual(caller.answer.status, 400)
        asked, _ = self.ask(user("B"), headers=[NOTES])
        self.assertEqual(asked, ["A", "Yes?", "B"])
        self.assertEqual(
            self.kept("agent:main:notes"),
            ["A", "Yes?", "bad", "", "worse", "", "B", "Yes?"],
        )

    def test_refusedOpening(self):
        """
        So is the first turn of a session, of which the history stays.
        """
        history = [user("A"), {"role": "assistant", "content": "Yes?"}, user("bad")]
        self.gateway.post({"messages": history}, NOTES)
        self.gateway.call.fail(UpstreamRefused("Not this."))
        asked, _ = self.ask(user("B"), headers=[NOTES])
        self.assertEqual(asked, ["A", "Yes?", "B"])

    def test_kinds(self):
        """
        Messages are stored with their roles.
        """
        _, key = self.ask(user("A"), headers=[NOTES])
        self.assertEqual(
            list(self.successResultOf(self.gateway.store.transcript(key))),
            [UserMessage("A"), AssistantMessage("Yes?")],
        )


class UserTests(SessionTestCase):
    """
    A C{user} has one session with each agent.
    """

    def setUp(self):
        """
        Start a gateway with two agents.
        """
        super().setUp()
        self.gateway = self.start(config=configOf(agents={"main": {}, "other": {}}))

    def test_conversation(self):
        """
        Surrounding blanks do not matter; case does.
        """
        self.ask(user("A"), user=" Anna ")
        asked, key = self.ask(user("B"), user="Anna")
        self.assertEqual(asked, ["A", "Yes?", "B"])
        self.assertEqual(key, "agent:main:openai-user:Anna")
        self.assertEqual(self.ask(user("C"), user="anna")[0], ["C"])
        asked, key = self.ask(user("D"), user="Anna", model="openclaw/other")
        self.assertEqual(asked, ["D"])
        self.assertEqual(key, "agent:other:openai-user:Anna")

    def test_headerWins(self):
        """
        The header takes precedence.
        """
        _, key = self.ask(user("A"), user="Anna", headers=[NOTES])
        self.assertEqual(key, "agent:main:notes")
        self.assertEqual(self.kept("agent:main:openai-user:Anna"), [])

    def test_anyAlphabet(self):
        """
        A name may have any characters; the header has it in UTF-8.
        """
        _, key = self.ask(user("A"), user="Zo\u00eb")
        self.assertEqual(
            key.encode("latin-1").decode(), "agent:main:openai-user:Zo\u00eb"
        )

    def test_notAName(self):
        """
        An invalid name is rejected.
        """
        self.assertMistake("user", user="x" * 513)
        self.assertMistake("user", user="a\r\nset-cookie: b")


class KeyTests(SessionTestCase):
    """
    Session keys.
    """

    def setUp(self):
        """
        Start a gateway with two agents.
        """
        super().setUp()
        self.gateway = self.start(config=configOf(agents={"main": {}, "other": {}}))

    def test_wholeKey(self):
        """
        A whole key is used unchanged, and selects its agent.
        """
        key = "agent:other:notes"
        _, found = self.ask(user("A"), headers=[("x-openclaw-session-key", key)])
        self.assertEqual(found, key)
        asked, found = self.ask(user("B"), headers=[NOTES], model="openclaw/other")
        self.assertEqual(found, key)
        self.assertEqual(asked, ["A", "Yes?", "B"])

    def test_mistakes(self):
        """
        A key that is reserved, empty, or of another or unknown agent is rejected.
        """
        for key, code, fields in [
            ("subagent:x", "reserved_session_key", {}),
            ("agent:main:CRON:x", "reserved_session_key", {}),
            ("", None, {}),
            ("agent:nobody:x", "unknown_agent", {}),
            ("agent:other:x", None, {"model": "openclaw/main"}),
        ]:
            self.assertMistake(
                "x-openclaw-session-key",
                ("x-openclaw-session-key", key),
                code=code,
                **fields,
            )


class TurnTests(SessionTestCase):
    """
    A session has one run at a time.
    """

    def test_inOrder(self):
        """
        Other runs wait in order, and each gets the messages of those before.
        """
        callers = [
            self.gateway.post({"messages": [user(text)], "stream": True}, NOTES)
            for text in "ABC"
        ]
        for number, text in enumerate("ABC"):
            self.assertEqual(len(self.gateway.provider.calls), number + 1)
            asked = self.gateway.call.request.messages
            self.assertEqual(asked[-1].content, text)
            self.assertEqual(len(asked), 2 * number + 1)
            self.gateway.call.say(text.lower())
            self.gateway.call.finish()
        self.assertEqual([caller.answer.text for caller in callers], ["a", "b", "c"])

    def test_othersGoOn(self):
        """
        Other sessions, and requests without one, do not wait.
        """
        self.gateway.post({"messages": [user("A")]}, NOTES)
        self.gateway.post({"messages": [user("B")], "user": "Anna"})
        self.gateway.post({"messages": [user("C")]})
        self.assertEqual(len(self.gateway.provider.calls), 3)

    def test_bounded(self):
        """
        The wait is limited, and its error has the time until a retry; the stream was
        not opened meanwhile.
        """
        self.gateway = self.start(
            config=configOf(session={"waitSeconds": 5, "maxWaiting": 1})
        )
        body = {"messages": [user("A")], "stream": True}
        first, second, third = [self.gateway.post(body, NOTES) for _ in range(3)]
        self.assertRefused(third.answer, 429, "session_busy")
        self.assertIn("retry-after", third.answer.headers)
        self.gateway.clock.advance(4)
        self.assertEqual(second.received, b"")
        self.gateway.clock.advance(1)
        self.assertRefused(second.answer, 429, "session_busy")
        self.gateway.call.say("a")
        self.gateway.call.finish()
        self.assertEqual(first.answer.text, "a")

    def test_full(self):
        """
        The error says that the limit of runs is reached.
        """
        self.gateway = self.start(
            config=configOf(defaults={"maxConcurrent": 1, "maxQueued": 0})
        )
        body = {"messages": [user("A")]}
        self.gateway.post(body)
        for fields in ({}, {"stream": True}):
            answer = self.gateway.post({**body, **fields}).answer
            self.assertRefused(answer, 429, "gateway_busy")
            self.assertIn("retry-after", answer.headers)
