"""
Tests of L{openclaw.sessions.store.statements}, on a separate connection.
"""

import sqlite3
from pathlib import Path

from hypothesis import given
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import Claim, Summary
from openclaw.messages import AssistantMessage, Message, UserMessage
from openclaw.sessions.store.owners import Owner
from openclaw.sessions.store.schema import schemaSteps, upgrade
from openclaw.sessions.store.statements import TRANSCRIPT, SessionAccess
from tests.sessions.strategies import conversations, transcripts


class AccessTestCase(SynchronousTestCase):
    """
    A test case with a connection to the database.
    """

    def setUp(self) -> None:
        """
        Create an empty database in memory.
        """
        self.access = SessionAccess(
            owner=Owner.current(), leaseSeconds=15.0, uptime=Clock().seconds
        )
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.connection.close)
        upgrade(self.connection, Path(":memory:"), schemaSteps())

    def begin(self, run: str, messages: list[Message]) -> list[Message]:
        """
        Begin a turn.
        """
        with self.connection:
            begun = self.access.beginTurn(
                self.connection, 1.0, Claim("a", run), "main", messages, messages
            )
            return list(begun.messages)

    def end(
        self, run: str, messages: list[Message], summary: Summary | None = None
    ) -> None:
        """
        End a turn.
        """
        with self.connection:
            self.access.endTurn(
                self.connection, 1.0, Claim("a", run), messages, summary
            )


class RoundTripTests(AccessTestCase):
    """
    Messages come back unchanged.
    """

    @given(conversations(), transcripts)
    def test_anyConversation(self, asked: list[Message], said: list[Message]) -> None:
        """
        Any messages come back in order, with their tool calls.
        """
        with self.connection:
            self.connection.execute("DELETE FROM messages")
            self.connection.execute("DELETE FROM sessions")
        self.assertEqual(self.begin("1", asked), asked)
        self.end("1", said)
        self.assertEqual(self.begin("2", []), asked + said)
        self.end("2", [])


class GrowthTests(AccessTestCase):
    """
    The cost of a turn does not depend on the length of the conversation.
    """

    QUESTION = UserMessage(content="What is the time?")
    ANSWER = AssistantMessage(content="Half past three.")

    def turn(self, number: int) -> dict[str, int]:
        """
        Complete a turn.

        @return: The number of statements, rows written, and steps of SQLite's virtual
            machine, for the beginning and for the end.
        """
        statements: list[str] = []
        steps = [0]

        def countStep() -> None:
            steps[0] += 1

        rows = self.connection.total_changes
        self.connection.set_trace_callback(statements.append)
        self.connection.set_progress_handler(countStep, 1)
        self.begin(str(number), [self.QUESTION])
        beginning, steps[0] = steps[0], 0
        self.end(str(number), [self.ANSWER])
        self.connection.set_trace_callback(None)
        self.connection.set_progress_handler(None, 1)
        return {
            "statements": len(statements),
            "rows": self.connection.total_changes - rows,
            "beginning": beginning,
            "end": steps[0],
        }

    def test_thousandTurns(self) -> None:
        """
        The thousandth turn takes as many statements and rows, and ends with as many
        steps, as the tenth.  Only reading the transcript takes a few more steps per
        message.
        """
        for number in range(10):
            self.turn(number)
        early = self.turn(10)
        for number in range(11, 1000):
            self.begin(str(number), [self.QUESTION])
            self.end(str(number), [self.ANSWER])
        late = self.turn(1000)
        moreMessages = 2 * (1000 - 10)
        growth = (late.pop("beginning") - early.pop("beginning")) / moreMessages
        self.assertEqual(late, early)
        self.assertLess(growth, 12)

    def test_summarised(self) -> None:
        """
        In a conversation with many summaries, a turn takes as many steps as the part
        since the last summary requires, regardless of the total length.
        """
        turns = []
        for number in range(100):
            turns.append(self.turn(2 * number))
            self.begin("summary", [self.QUESTION])
            summary = Summary("They spoke of the time.", 3 * (number + 1))
            self.end("summary", [], summary)
        self.assertEqual(turns[99], turns[1])

    def test_transcriptIsOneScan(self) -> None:
        """
        A transcript is read along the primary key, without sorting.
        """
        plan = self.connection.execute(f"EXPLAIN QUERY PLAN {TRANSCRIPT}", (1, 0))
        details = " ".join(row[3] for row in plan)
        self.assertIn("SEARCH messages USING PRIMARY KEY (session=?", details)
        self.assertNotIn("TEMP B-TREE", details)
