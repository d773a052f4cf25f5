"""
Tests for L{openclaw.tools.session_tools}.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from openclaw.interfaces import Claim
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.sessions.store.memory import MemorySessionStore
from openclaw.tools import session_tools
from openclaw.tools.session_tools import (
    MAX_CHARACTERS,
    MAX_MESSAGE_CHARACTERS,
    MAX_MESSAGES,
    SessionsHistoryTool,
    SessionsListTool,
)
from tests.tools.tool_case import ToolTestCase

TALK = [
    UserMessage(content="What is there?"),
    AssistantMessage(content="", tool_calls=(ToolCall("1", "ls", '{"secret": 1}'),)),
    ToolMessage(tool_call_id="1", content="a.txt"),
    AssistantMessage(content="A file."),
]


class SessionsTestCase(ToolTestCase):
    """
    A store with sessions of two agents.
    """

    async def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = MemorySessionStore(clock=self.clock)
        await self.store.open()
        self.addCleanup(self.store.close)
        await self.say("main", "agent:main:a", TALK)
        self.clock.advance(60)
        await self.say("main", "agent:main:b", [UserMessage(content="Later.")])
        await self.say("other", "agent:other:a", [UserMessage(content="Hidden.")])

    async def say(self, agentID, key, messages):
        """
        Store a turn.
        """
        claim = Claim(key, "run")
        await self.store.beginTurn(claim, agentID, messages, messages)
        await self.store.endTurn(claim, [])

    def call(self, tool, store=None, namespace="", **arguments):
        """
        Call a tool.
        """
        return tool.run(
            arguments,
            self.context(sessions=store or self.store, namespace=namespace),
        )

    def history(self, key, **more):
        """
        Call C{sessions_history}.
        """
        return self.call(SessionsHistoryTool(), sessionKey=key, **more)


class ListTests(SessionsTestCase):
    """
    An agent can list its sessions.
    """

    async def test_own(self):
        """
        Only its own sessions are listed, the latest first.
        """
        self.assertEqual(
            await self.call(SessionsListTool()),
            "agent:main:b  1 messages  2027-01-15 08:01 UTC\n"
            "agent:main:a  4 messages  2027-01-15 08:00 UTC  (this one)",
        )

    async def test_limit(self):
        """
        The number of sessions that are left out is shown.
        """
        told = await self.call(SessionsListTool(), limit=1)
        self.assertEqual(told.split("\n")[1:], ["[1 more are not shown]"])

    async def test_none(self):
        """
        No sessions give a note.
        """
        store = MemorySessionStore(clock=self.clock)
        await store.open()
        self.addCleanup(store.close)
        told = await self.call(SessionsListTool(), store)
        self.assertEqual(told, "[there are no sessions]")

    async def test_cancel(self):
        """
        A cancelled call ends at once.
        """
        await self.cancelling(self.call(SessionsListTool(), _Silent()))


class _Silent:
    """
    A store that never responds.
    """

    def sessions(self, agentID=None, prefix="", limit=None):
        return Deferred()


class HistoryTests(SessionsTestCase):
    """
    An agent can read its sessions.
    """

    async def test_all(self):
        """
        Each message is shown with its role; a call's arguments are not.
        """
        self.assertEqual(
            await self.history("agent:main:a"),
            "user: What is there?\n\n"
            "assistant: \n[called: ls]\n\n"
            "tool: a.txt\n\n"
            "assistant: A file.",
        )

    async def test_failedTool(self) -> None:
        """
        A failed call is marked, also if another result mentions an error.
        """
        talk = [
            TALK[0],
            TALK[1],
            ToolMessage(tool_call_id="1", content="no such folder", isError=True),
        ]
        await self.say("main", "agent:main:failed", talk)
        shown = await self.history("agent:main:failed")
        self.assertTrue(shown.endswith("tool (failed): no such folder"), shown)

    async def test_last(self):
        """
        The last messages are shown, and the number of earlier ones.
        """
        self.assertEqual(
            await self.history("agent:main:a", limit=1),
            "[3 older are not shown]\n\nassistant: A file.",
        )

    async def test_others(self):
        """
        Sessions of others are reported as missing.
        """
        for key in ["agent:other:a", "agent:main:none", "AGENT:OTHER:A", "x"]:
            told = await self.failing(self.history(key))
            self.assertEqual(told, "You have no such session.")

    async def test_long(self):
        """
        Long messages are truncated, and the total is limited.
        """
        long = [UserMessage(content="x" * (MAX_MESSAGE_CHARACTERS + 1))] * 100
        await self.say("main", "agent:main:long", long)
        told = await self.history("agent:main:long", limit=MAX_MESSAGES)
        self.assertLess(len(told), MAX_CHARACTERS + 100)
        self.assertRegex(told, r"^\[\d+ older are not shown\]\n\nuser: x+ \[...\]\n")

    async def test_images(self):
        """
        Images are counted.
        """
        content = (TextPart(text="See."), ImagePart(mediaType="image/png", data="AA=="))
        await self.say("main", "agent:main:i", [UserMessage(content=content)])
        told = await self.history("agent:main:i")
        self.assertEqual(told, "user: See.\n[images: 1]")


class BoundTests(SessionsTestCase):
    """
    These tools read a limited part of the store.
    """

    async def test_history(self):
        """
        Neither a whole transcript nor the list of sessions is read for the end of one.
        """
        store = _Bounded(self.store)
        long = [UserMessage("x" * 1_000_000)] * 30
        await self.say("main", "agent:main:long", long)
        told = await self.call(
            SessionsHistoryTool(), store, sessionKey="agent:main:long", limit=200
        )
        self.assertTrue(told.startswith("[13 older are not shown]"), told[:50])
        self.assertEqual(store.asked, [("tail", "agent:main:long", 200)])

    async def test_list(self):
        """
        Not all of very many sessions are counted.
        """
        self.patch(session_tools, "MAX_COUNTED", 4)
        for number in range(10):
            await self.say("main", f"agent:main:{number}", [UserMessage("Hi.")])
        store = _Bounded(self.store)
        told = await self.call(SessionsListTool(), store, limit=3)
        self.assertEqual(told.split("\n")[3:], ["[at least 1 more are not shown]"])
        told = await self.call(SessionsListTool(), store, namespace="token:ci")
        self.assertEqual(told, "[there are no sessions]")
        self.assertEqual(
            store.asked,
            [
                ("sessions", "main", "", 4),
                ("sessions", "main", "agent:main:token:ci:", 4),
            ],
        )


class _Bounded:
    """
    A store without the methods that are not limited.
    """

    def __init__(self, store):
        self.store, self.asked = store, []

    def tail(self, sessionKey, limit):
        self.asked.append(("tail", sessionKey, limit))
        return self.store.tail(sessionKey, limit)

    def sessions(self, agentID, prefix, limit):
        self.asked.append(("sessions", agentID, prefix, limit))
        return self.store.sessions(agentID, prefix, limit)


class NamespaceTests(SessionsTestCase):
    """
    An agent used by several callers sees only the current caller's sessions.
    """

    async def setUp(self):
        await super().setUp()
        for key in ("token:ci:a", "token:ci-2:a", "user:ann:a"):
            await self.say("main", f"agent:main:{key}", [UserMessage(content="Mine.")])

    async def test_list(self):
        """
        Only those are listed and counted.
        """
        for namespace in ("token:ci", "token:ci-2", "user:ann"):
            told = await self.call(SessionsListTool(), namespace=namespace)
            (line,) = told.split("\n")
            self.assertTrue(line.startswith(f"agent:main:{namespace}:a "))
        told = await self.call(SessionsListTool(), namespace="token:none")
        self.assertEqual(told, "[there are no sessions]")

    async def test_history(self):
        """
        Only those can be read.
        """
        key = "agent:main:token:ci:a"
        told = await self.history(key, namespace="token:ci")
        self.assertEqual(told, "user: Mine.")
        for namespace in ("token:ci-2", "user:ann", "token:c"):
            told = await self.failing(self.history(key, namespace=namespace))
            self.assertEqual(told, "You have no such session.")
        told = await self.failing(self.history("agent:main:a", namespace="token:ci"))
        self.assertEqual(told, "You have no such session.")

    async def test_operator(self):
        """
        The operator sees all sessions.
        """
        told = await self.call(SessionsListTool())
        self.assertEqual(len(told.split("\n")), 5)
