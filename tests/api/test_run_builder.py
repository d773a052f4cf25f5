"""
Tests of L{openclaw.api.run_builder}: chats, background tasks and raw calls of chat
programs.
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
    A tool of the agent.
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
        super().setUp()
        self.stand()

    def stand(self, **endpoint):
        """
        Start a gateway with this for its endpoint.
        """
        config = configOf(agents=AGENTS, endpoint=endpoint)
        self.gateway = self.start(config=config, tools=[Ponder()])

    def ask(self, *messages, headers=(), **fields):
        """
        Complete a request.

        @return: The model's messages, and the session's key.
        """
        body = {"messages": messages or [user("Hi.")], **fields}
        answer = self.answered(body, *headers)
        asked = [message.content for message in self.gateway.call.request.messages]
        return asked, answer.headers[SESSION]

    def kept(self, key):
        """
        Return the texts of a session's transcript.
        """
        transcript = self.successResultOf(self.gateway.store.transcript(key))
        return [message.content for message in transcript]

    def assertPlain(self, system=""):
        """
        Assert that the last call was a raw call, and stored nothing.
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
        Open WebUI sends the whole chat each time; only new messages are added.
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
        The session header takes precedence over the chat, and the chat over C{user}.
        """
        _, key = self.ask(headers=[CHAT, (SESSION, "notes")], user="ann")
        self.assertEqual(key, "agent:main:notes")
        _, key = self.ask(headers=[CHAT], user="ann")
        self.assertEqual(key, CHAT_KEY)
        _, key = self.ask(user="ann")
        self.assertEqual(key, "agent:main:openai-user:ann")

    def test_saysNothing(self):
        """
        An empty header, an unfilled template, a temporary chat and a channel select no
        session.
        """
        for chat in ("", "  ", "{{CHAT_ID}}", "local:Zk3", "channel:8"):
            with self.subTest(chat=chat):
                _, key = self.ask(headers=[("X-OpenWebUI-Chat-Id", chat)])
                self.assertIn(":openai:", key)
        self.assertEqual(list(self.successResultOf(self.gateway.store.sessions())), [])

    def test_sessionTemplate(self):
        """
        An unfilled template is not a session key either, so that misconfigured clients
        do not share a session.
        """
        template = (SESSION, "{{LIBRECHAT_BODY_CONVERSATIONID}}")
        _, key = self.ask(headers=[template])
        self.assertIn(":openai:", key)
        _, key = self.ask(headers=[template, CHAT])
        self.assertEqual(key, CHAT_KEY)

    def test_notAChat(self):
        """
        An id that is too long is rejected, with its header's name.
        """
        header = ("x-openwebui-chat-id", "c" * 600)
        answer = self.gateway.post({"messages": [user("Hi.")]}, header).answer
        self.assertRefused(answer, 400, None, "x-openwebui-chat-id")


class SessionHeaderTests(ClientTestCase):
    """
    C{sessionHeaders} lists the headers of chats.
    """

    def test_none(self):
        """
        With an empty list Open WebUI's chats have no session.
        """
        self.stand(sessionHeaders=[])
        _, key = self.ask(headers=[CHAT])
        self.assertIn(":openai:", key)

    def test_others(self):
        """
        Sessions of other programs have the header's name in their key; the first header
        with a chat is used.
        """
        self.stand(sessionHeaders=["X-Chat-Id", "x-openwebui-chat-id"])
        _, key = self.ask(headers=[CHAT, ("x-chat-id", "9")])
        self.assertEqual(key, "agent:main:x-chat-id:9")
        _, key = self.ask(headers=[CHAT, ("x-chat-id", "{{X}}")])
        self.assertEqual(key, CHAT_KEY)


class ChoreTests(ClientTestCase):
    """
    Open WebUI's background tasks are raw calls of the agent's model.
    """

    def test_plain(self):
        """
        A title is generated by the model alone, and does not change the chat.
        """
        asked, key = self.ask(user("A title for: …"), headers=[CHAT, TITLE])
        self.assertEqual(asked, ["A title for: …"])
        self.assertIn("agent:main:openai:", key)
        self.assertPlain()

    def test_noSession(self):
        """
        Neither C{user} nor the session header gives it a session.
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
        For a user's message, the header is empty or an unfilled template.
        """
        for task in ("", " ", "{{TASK}}"):
            with self.subTest(task=task):
                _, key = self.ask(headers=[CHAT, ("X-OpenWebUI-Task", task)])
                # Each time the chat starts over.
                self.assertTrue(key.startswith(CHAT_KEY), key)
                self.assertIn(OWN, self.gateway.call.request.system)

    def test_shortTime(self):
        """
        Its time limit is a minute, where the agent's is ten.
        """
        caller = self.gateway.post({"messages": [user("Hi.")]}, TITLE)
        self.gateway.clock.advance(RAW_SECONDS - 1)
        self.assertEqual(caller.answers, [])
        self.gateway.clock.advance(1)
        self.assertRefused(caller.answer, 504, "run_timeout")


class RawTests(ClientTestCase):
    """
    C{:raw} after an agent's name requests the same, for programs with a separate model
    for titles.
    """

    def test_plain(self):
        """
        The model replies without the agent; C{user} gives it no session.
        """
        body = {"messages": [user("Hi.")], "model": "openclaw/main:raw", "user": "ann"}
        answer = self.answered(body)
        self.assertEqual(answer.json["model"], "openclaw/main:raw")
        self.assertPlain()

    def test_found(self):
        """
        The name can be retrieved, like each that a completion accepts.
        """
        for name in ("openclaw/main:raw", "openclaw%2Fmain:raw"):
            answer = self.gateway.get(f"/v1/models/{name}")
            self.assertEqual(answer.json["id"], "openclaw/main:raw")

    def test_clientTools(self):
        """
        The program's own tools are passed on: some get the title as a tool's arguments.
        """
        self.ask(tools=[LOOK], model="openclaw/default:raw")
        self.assertEqual([t.name for t in self.gateway.call.request.tools], ["look"])
        self.assertPlain()

    def test_unknown(self):
        """
        It does not make another name an agent.
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
    L{parseRawModel}.
    """

    def test_names(self):
        """
        The suffix may have any case; a configured name is used unchanged.
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
