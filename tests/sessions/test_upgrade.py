"""
Tests of databases that earlier versions have created.
"""

import sqlite3
from contextlib import closing

from openclaw.interfaces import Claim, Summary
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage
from openclaw.sessions.store.schema import schemaSteps, schemaVersion, upgrade
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO
from tests.sessions.store_case import SQLiteTestCase

CALL = AssistantMessage(content="", tool_calls=(ToolCall("a", "look", "{}"),))
RESULT = ToolMessage(tool_call_id="a", content="nothing")

TALK = """
INSERT INTO sessions VALUES (7, 'talk', 'main', 10.0, 20.0, 2);
INSERT INTO messages VALUES
    (7, 0, 'run_1', 10.0, '{"role":"user","content":"Hello."}'),
    (7, 1, 'run_1', 20.0, '{"role":"assistant","content":"What can I do for you?"}');
"""

HELD = """
INSERT INTO sessions VALUES (8, 'held', 'other', 30.0, 40.0, 2);
INSERT INTO messages VALUES
    (8, 0, 'run_2', 30.0, '{"role":"user","content":"Hello."}'),
    (8, 1, 'run_2', 40.0, '{"role":"assistant","content":"","tool_calls":'
        || '[{"id":"a","name":"look","arguments":"{}"}]}');
INSERT INTO sessions VALUES (9, 'failed', 'main', 30.0, 40.0, 3);
INSERT INTO messages VALUES
    (9, 0, 'run_4', 30.0, '{"role":"user","content":"Hello."}'),
    (9, 1, 'run_4', 40.0, '{"role":"assistant","content":"","tool_calls":'
        || '[{"id":"a","name":"look","arguments":"{}"}]}'),
    (9, 2, 'run_4', 40.0,
        '{"role":"tool","tool_call_id":"a","content":"Error: no such file"}');
INSERT INTO claims VALUES ('held', 'run_3', 'elsewhere:1:1:1', 50.0);
"""


class FromVersion1Tests(SQLiteTestCase):
    """
    Sessions from before summaries can be continued.
    """

    def setUp(self) -> None:
        """
        Create such a database, as left by a killed daemon.
        """
        super().setUp()
        self.path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            upgrade(connection, self.path, schemaSteps()[:1])
            connection.executescript(TALK + HELD)

    async def test_goesOn(self) -> None:
        """
        A session accepts its next turn, and can be summarised.
        """
        store = await self.openStore()
        begun = await store.beginTurn(Claim("talk", "next"), "main", [], [AGAIN])
        self.assertEqual(list(begun.messages), [HELLO, ANSWER, AGAIN])
        self.assertIsNone(begun.summary)
        summary = Summary("They said hello.", 2)
        await store.endTurn(Claim("talk", "next"), [ANSWER], summary)
        begun = await store.beginTurn(Claim("talk", "then"), "main", [], [])
        self.assertEqual(begun.summary, summary)
        self.assertEqual(list(begun.messages), [AGAIN, ANSWER])
        self.assertEqual(
            list(await store.transcript("talk")), [HELLO, ANSWER, AGAIN, ANSWER]
        )

    async def test_claimsHold(self) -> None:
        """
        An old claim lasts as long as before; then the open calls can be answered.
        """
        store = await self.openStore()
        claim = Claim("held", "next")
        self.clock.advance(50)
        self.assertIsNone(await store.beginTurn(claim, "other", [], [RESULT]))
        self.clock.advance(1)
        begun = await store.beginTurn(claim, "other", [], [RESULT])
        self.assertEqual(list(begun.messages), [HELLO, CALL, RESULT])

    async def test_failedTool(self) -> None:
        """
        A tool result from before C{isError} is read with its text.
        """
        store = await self.openStore()
        told = ToolMessage("a", "Error: no such file")
        self.assertEqual(list(await store.transcript("failed")), [HELLO, CALL, told])

    async def test_listed(self) -> None:
        """
        The list of sessions is the same.
        """
        store = await self.openStore()
        found = await store.sessions()
        self.assertEqual(
            [(info.sessionKey, info.messageCount, info.updatedAt) for info in found],
            [("failed", 3, 40.0), ("held", 2, 40.0), ("talk", 2, 20.0)],
        )

    async def test_backup(self) -> None:
        """
        A backup with the old state is beside the new database, and the log has its
        path.
        """
        await self.openStore()
        backup = self.path.with_name(f"{self.path.name}.v1.1.backup")
        self.assertIn(str(backup), self.logged[-1])
        with closing(sqlite3.connect(backup)) as connection:
            self.assertEqual(schemaVersion(connection), 1)
            rows = connection.execute("SELECT count(*) FROM messages").fetchone()
            self.assertEqual(rows, (7,))
            with self.assertRaises(sqlite3.OperationalError):
                connection.execute("SELECT * FROM summaries")
