"""
Tests of L{openclaw.api.run_builder}: chats, chores and plain calls of chat programs.
"""

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.api.raw_model import RAW_SECONDS, parseRawModel
from openclaw.interfaces import ITool
from tests.api.chat_bodies import assistant, user
from tests.server.memory_gateway import GatewayTestCase, configOf

SESSION = "x-openclaw-session-key"
CHAT = ("X-OpenWebUI-Chat-Id", "7c0f-42")
TITLE = ("X-OpenWebUI-Task", "title_generation")
CHAT_KEY = "agent:main:openwebui:7c0f-42"
OWN = "You are the keeper."
AGENTS = {
    "main": {"default": True, "systemPrompt": OWN, "tools": {"profile": "full"}},
    "raw": {},
}
LOOK = {"type": "function", "function": {"name": "look"}}


@implementer(ITool)
class Ponder:
    """
    A tool that the agent has.
    """

    name = "ponder"
    description = "Think it over."
    parameters = {"type": "object"}
    readOnly = True

    def run(self, arguments, context):
        return succeed("Done.")


class ClientTestCase(GatewayTestCase):
    """
    A gateway whose agent has instructions and a tool.
    """

    def setUp(self):
        """
        Start it.
        """
        super().setUp()
        self.stand()

    def stand(self, **endpoint):
        """
        Start it with this for its endpoint.
        """
        config = configOf(agents=AGENTS, endpoint=endpoint)
        self.gateway = self.start(config=config, tools=[Ponder()])

    def ask(self, *messages, headers=(), **fields):
        """
        Have an answer.

        @return: The texts that the model was asked, and the session's key.
        """
        body = {"messages": messages or [user("Hi.")], **fields}
        answer = self.answered(body, *headers)
        asked = [message.content for message in self.gateway.call.request.messages]
        return asked, answer.headers[SESSION]

    def kept(self, key):
        """
        The texts of a session's transcript.
        """
        transcript = self.successResultOf(self.gateway.store.transcript(key))
        return [message.content for message in transcript]

    def assertPlain(self, system=""):
        """
        Assert that the last call had nothing of the agent, and left nothing.
        """
        self.assertEqual(self.gateway.call.request.system, system)
        self.assertNotIn("ponder", [t.name for t in self.gateway.call.request.tools])
        sessions = self.successResultOf(self.gateway.store.sessions())
        self.assertEqual(list(sessions), [])


class ChatTests(ClientTestCase):
    """
    A chat of Open WebUI is a session.
    """

    def test_goesOn(self):
        """
        Open WebUI sends the whole chat again each time; only what is new is added.
        """
        _, key = self.ask(user("One"), headers=[CHAT])
        self.assertEqual(key, CHAT_KEY)
        self.assertIn(OWN, self.gateway.call.request.system)
        self.assertEqual([t.name for t in self.gateway.call.request.tools], ["ponder"])
        again = [user("One"), assistant("Yes?"), user("Two")]
        asked, key = self.ask(*again, headers=[CHAT])
        self.assertEqual(key, CHAT_KEY)
        self.assertEqual(asked, ["One", "Yes?", "Two"])
        self.assertEqual(self.kept(key), ["One", "Yes?", "Two", "Yes?"])

    def test_chatsAreApart(self):
        """
        Another chat, and the same one with another agent, are other sessions.
        """
        self.ask(user("One"), headers=[CHAT])
        other = ("x-openwebui-chat-id", "7c0f-43")
        asked, key = self.ask(user("Two"), headers=[other])
        self.assertEqual((asked, key), (["Two"], "agent:main:openwebui:7c0f-43"))
        asked, key = self.ask(user("Two"), headers=[CHAT], model="openclaw/raw")
        self.assertEqual((asked, key), (["Two"], "agent:raw:openwebui:7c0f-42"))

    def test_order(self):
        """
        The session's own header wins over the chat, and the chat over C{user}.
        """
        _, key = self.ask(headers=[CHAT, (SESSION, "notes")], user="ann")
        self.assertEqual(key, "agent:main:notes")
        _, key = self.ask(headers=[CHAT], user="ann")
        self.assertEqual(key, CHAT_KEY)
        _, key = self.ask(user="ann")
        self.assertEqual(key, "agent:main:openai-user:ann")

    def test_saysNothing(self):
        """
        An empty header, a template that was not filled in, a temporary chat and a
        channel name no session.
        """
        for chat in ("", "  ", "{{CHAT_ID}}", "local:Zk3", "channel:8"):
            with self.subTest(chat=chat):
                _, key = self.ask(headers=[("X-OpenWebUI-Chat-Id", chat)])
                self.assertIn(":openai:", key)
        self.assertEqual(list(self.successResultOf(self.gateway.store.sessions())), [])

    def test_sessionTemplate(self):
        """
        A template that was not filled in is no session key either, so that all who
        have that fault don't share a session.
        """
        template = (SESSION, "{{LIBRECHAT_BODY_CONVERSATIONID}}")
        _, key = self.ask(headers=[template])
        self.assertIn(":openai:", key)
        _, key = self.ask(headers=[template, CHAT])
        self.assertEqual(key, CHAT_KEY)

    def test_notAChat(self):
        """
        An id that is too long is refused, with the name of its header.
        """
        header = ("x-openwebui-chat-id", "c" * 600)
        answer = self.gateway.post({"messages": [user("Hi.")]}, header).answer
        self.assertRefused(answer, 400, None, "x-openwebui-chat-id")


class SessionHeaderTests(ClientTestCase):
    """
    C{sessionHeaders} says which headers name sessions.
    """

    def test_none(self):
        """
        With an empty list Open WebUI's chats are stateless.
        """
        self.stand(sessionHeaders=[])
        _, key = self.ask(headers=[CHAT])
        self.assertIn(":openai:", key)

    def test_others(self):
        """
        The sessions of other programs have the header's name; the first header that
        names a chat wins.
        """
        self.stand(sessionHeaders=["X-Chat-Id", "x-openwebui-chat-id"])
        _, key = self.ask(headers=[CHAT, ("x-chat-id", "9")])
        self.assertEqual(key, "agent:main:x-chat-id:9")
        _, key = self.ask(headers=[CHAT, ("x-chat-id", "{{X}}")])
        self.assertEqual(key, CHAT_KEY)


class ChoreTests(ClientTestCase):
    """
    Open WebUI's own requests are plain calls of the agent's model.
    """

    def test_plain(self):
        """
        A title comes from the model alone, and leaves the chat as it is.
        """
        asked, key = self.ask(user("A title for: …"), headers=[CHAT, TITLE])
        self.assertEqual(asked, ["A title for: …"])
        self.assertIn("agent:main:openai:", key)
        self.assertPlain()

    def test_noSession(self):
        """
        Neither C{user} nor the session's own header makes a session of it.
        """
        self.ask(headers=[TITLE, (SESSION, "notes")], user="ann")
        self.assertPlain()

    def test_instructions(self):
        """
        The program's own instructions are kept.
        """
        self.ask(
            {"role": "system", "content": "Be brief."}, user("Hi."), headers=[TITLE]
        )
        self.assertPlain("Be brief.")

    def test_notAChore(self):
        """
        For what a person asks, the header is empty or still a template.
        """
        for task in ("", " ", "{{TASK}}"):
            with self.subTest(task=task):
                _, key = self.ask(headers=[CHAT, ("X-OpenWebUI-Task", task)])
                # Each time the chat begins anew.
                self.assertTrue(key.startswith(CHAT_KEY), key)
                self.assertIn(OWN, self.gateway.call.request.system)

    def test_shortTime(self):
        """
        It may take a minute, where the agent has ten.
        """
        caller = self.gateway.post({"messages": [user("Hi.")]}, TITLE)
        self.gateway.clock.advance(RAW_SECONDS - 1)
        self.assertEqual(caller.answers, [])
        self.gateway.clock.advance(1)
        self.assertRefused(caller.answer, 504, "run_timeout")


class RawTests(ClientTestCase):
    """
    C{:raw} behind the name of an agent asks for the same, for programs that have a
    model for titles.
    """

    def test_plain(self):
        """
        The model answers, without the agent; C{user} makes no session of it.
        """
        body = {"messages": [user("Hi.")], "model": "openclaw/main:raw", "user": "ann"}
        answer = self.answered(body)
        self.assertEqual(answer.json["model"], "openclaw/main:raw")
        self.assertPlain()

    def test_found(self):
        """
        The name can be looked up, as each that a completion accepts.
        """
        for name in ("openclaw/main:raw", "openclaw%2Fmain:raw"):
            answer = self.gateway.get(f"/v1/models/{name}")
            self.assertEqual(answer.json["id"], "openclaw/main:raw")

    def test_clientTools(self):
        """
        The program's own tools go along: some have the title as a tool's arguments.
        """
        self.ask(tools=[LOOK], model="openclaw/default:raw")
        self.assertEqual([t.name for t in self.gateway.call.request.tools], ["look"])
        self.assertPlain()

    def test_unknown(self):
        """
        It does not make an agent of what is none.
        """
        for model, code in [
            ("openclaw/nobody:raw", "unknown_agent"),
            ("gpt-4o:raw", "model_not_found"),
            (":raw", "model_not_found"),
        ]:
            with self.subTest(model=model):
                body = {"messages": [user("Hi.")], "model": model}
                answer = self.gateway.post(body).answer
                self.assertRefused(answer, 400, code, "model")

    def test_agentOfThatName(self):
        """
        C{openclaw:raw} is still the agent with that id, with a session.
        """
        for model in ("openclaw:raw", "agent:raw"):
            _, key = self.ask(model=model, user="ann")
            self.assertEqual(key, "agent:raw:openai-user:ann")


class RawModelTests(SynchronousTestCase):
    """
    L{parseRawModel} reads the name.
    """

    def test_names(self):
        """
        The suffix may be in any case; a configured name is taken as it is.
        """
        aliases = {"gpt-4o", "odd:raw"}
        for model, expected in [
            ("openclaw/main:raw", ("openclaw/main", True)),
            (" OpenClaw:Main:RAW ", ("OpenClaw:Main", True)),
            ("agent:main:raw", ("agent:main", True)),
            ("openclaw/default:raw", ("openclaw/default", True)),
            ("gpt-4o:raw", ("gpt-4o", True)),
            ("odd:raw", ("odd:raw", False)),
            ("openclaw:raw", ("openclaw:raw", False)),
            ("llama3:raw", ("llama3:raw", False)),
            ("openclaw/main", ("openclaw/main", False)),
            (None, (None, False)),
        ]:
            with self.subTest(model=model):
                self.assertEqual(parseRawModel(model, aliases), expected)
