"""
Tests of L{openclaw.sessions.store.sqlite}, with the real reactor's threads.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from openclaw.errors import StoreError
from openclaw.interfaces import Claim
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.net.batched_writes import batcherFor
from openclaw.sessions.store.sqlite import SQLiteSessionStore
from tests.contracts.session_store import SessionStoreContract
from tests.contracts.store_opening import AGAIN, ANSWER, HELLO
from tests.sessions.store_case import SQLiteTestCase


class SQLiteContractTests(SessionStoreContract, TestCase):
    """
    The contract of session stores, for the SQLite store.
    """

    def makeStore(self, clock: Clock) -> SQLiteSessionStore:
        path = Path(self.mktemp()) / "sessions.sqlite"
        return SQLiteSessionStore(
            reactor=reactor,
            now=clock.seconds,
            uptime=clock.seconds,
            path=path,
            log=Logger(),
        )


class FileTests(SQLiteTestCase):
    """
    The file with the transcripts.
    """

    async def test_private(self) -> None:
        """
        New files are private, regardless of the umask.
        """
        self.addCleanup(os.umask, os.umask(0))
        store = await self.openStore()
        await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        modes = {
            entry.name: S_IMODE(entry.stat().st_mode)
            for entry in self.path.parent.iterdir()
        }
        name = self.path.name
        self.assertEqual(
            modes, {name: 0o600, f"{name}-wal": 0o600, f"{name}-shm": 0o600}
        )
        self.assertEqual(S_IMODE(self.path.parent.stat().st_mode), 0o700)

    async def test_modeIsKept(self) -> None:
        """
        An existing file keeps its mode.
        """
        store = await self.openStore()
        await store.close()
        self.path.chmod(0o640)
        await store.open()
        self.assertEqual(S_IMODE(self.path.stat().st_mode), 0o640)

    async def test_sentTogether(self) -> None:
        """
        Writes that result from a transaction are sent when it is over, like those that
        result from a read, even if it failed.
        """
        store = await self.openStore()
        claim = Claim("a", "1")
        begun = store.beginTurn(claim, "main", [HELLO], [])
        begun.addCallback(lambda _: batcherFor(reactor).busy)
        self.assertTrue(await begun)
        await store.endTurn(claim, [ANSWER])
        failed = store.endTurn(claim, [ANSWER])
        failed.addErrback(lambda _: batcherFor(reactor).busy)
        self.assertTrue(await failed)

    async def test_nextDaemon(self) -> None:
        """
        The next daemon finds the conversation.
        """
        store = await self.openStore()
        await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        await store.endTurn(Claim("a", "1"), [ANSWER])
        await store.close()
        store = await self.openStore()
        self.assertEqual(list(await store.transcript("a")), [HELLO, ANSWER])

    async def test_oneFileWhenClosed(self) -> None:
        """
        A closed database is a single file, which can be copied.
        """
        store = await self.openStore()
        await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        await store.close()
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])


class TwoStoresTests(SQLiteTestCase):
    """
    Two stores have the same file open, such as a daemon and a command.
    """

    async def test_claimIsRespected(self) -> None:
        """
        A session that is claimed through one store is unavailable to the other until
        the turn ends; then the other gets the new messages.
        """
        one, other = await self.openStore(), await self.openStore()
        await one.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        self.assertIsNone(await other.beginTurn(Claim("a", "2"), "main", [], [AGAIN]))
        await one.endTurn(Claim("a", "1"), [ANSWER])
        begun = await other.beginTurn(Claim("a", "2"), "main", [], [AGAIN])
        self.assertEqual(list(begun.messages), [HELLO, ANSWER, AGAIN])

    async def test_claimIsItsOwners(self) -> None:
        """
        A claim can be ended and renewed only through the store that took it, even by a
        run with the same id.
        """
        one, other = await self.openStore(), await self.openStore()
        claim = Claim("a", "1")
        await one.beginTurn(claim, "main", [HELLO], [])
        with self.assertRaises(StoreError):
            await other.endTurn(claim, [ANSWER])
        self.clock.advance(one.leaseSeconds)
        await other.renew([claim])
        self.clock.advance(1)
        self.assertIsNotNone(await other.beginTurn(claim, "main", [], [AGAIN]))
        with self.assertRaises(StoreError):
            await one.endTurn(claim, [ANSWER])
        self.assertEqual(list(await one.transcript("a")), [HELLO, AGAIN])

    async def test_closeGivesBackItsOwn(self) -> None:
        """
        Closing a store releases its own claims, and no others.
        """
        one, other = await self.openStore(), await self.openStore()
        await one.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        await other.beginTurn(Claim("b", "1"), "main", [HELLO], [])
        await one.close()
        self.assertIsNotNone(await other.beginTurn(Claim("a", "2"), "main", [], []))
        self.assertIsNone(await other.beginTurn(Claim("b", "2"), "main", [], []))

    async def test_waitsForWriter(self) -> None:
        """
        While another process writes, a turn waits instead of failing.
        """
        store = await self.openStore()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            begun = store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
            self.assertNoResult(begun)
            reactor.callLater(0, writer.execute, "COMMIT")
            self.assertEqual(list((await begun).messages), [HELLO])


class BrokenLaterTests(SQLiteTestCase):
    """
    A database that fails while the daemon runs fails the affected runs.
    """

    async def test_failure(self) -> None:
        """
        The caller's error is general, and the log has the reason; neither has a path,
        and no part of a turn is written.
        """
        store = await self.openStore()
        self.change("ALTER TABLE messages RENAME TO lost")
        with self.assertRaises(StoreError) as caught:
            await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        self.assertIsInstance(caught.exception.__cause__, sqlite3.OperationalError)
        self.assertNotIn(str(self.path), caught.exception.message)
        self.assertNotIn("messages", caught.exception.message)
        self.assertIn("no such table", self.logged[-1])
        self.change("ALTER TABLE lost RENAME TO messages")
        self.assertEqual(list(await store.sessions()), [])
        begun = await store.beginTurn(Claim("a", "2"), "main", [HELLO], [])
        self.assertEqual(list(begun.messages), [HELLO])

    async def test_notUnicode(self) -> None:
        """
        A lone surrogate in a key or message fails its own run, and no other.
        """
        store = await self.openStore()
        half = UserMessage(content="\ud83e")
        for key, message in [("\ud83e", HELLO), ("a", half)]:
            with self.assertRaises(StoreError):
                await store.beginTurn(Claim(key, "1"), "main", [message], [])
        begun = await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        self.assertEqual(list(begun.messages), [HELLO])

    async def test_damagedTranscript(self) -> None:
        """
        A damaged transcript fails the runs of its session with an error that names it.
        Nothing is added to it, and other sessions are not affected.
        """
        store = await self.openStore()
        for key in ("hurt", "well"):
            await store.beginTurn(Claim(key, "1"), "main", [HELLO], [])
            await store.endTurn(Claim(key, "1"), [ANSWER])
        await store.close()
        await store.open()  # What it has just written it need not read.
        before = await store.sessions()
        damaged = "UPDATE messages SET body = {} WHERE session = 1 AND position = 1"
        for body in ["'{'", '\'{"role":"?"}\'', "X'FF'", "1", "'1,2'", "''"]:
            self.change(damaged.format(body))
            with self.assertRaises(StoreError) as caught:
                await store.transcript("hurt")
            self.assertIn("hurt", caught.exception.message)
            with self.assertRaises(StoreError):
                await store.beginTurn(Claim("hurt", "2"), "main", [], [AGAIN])
            self.assertEqual(await store.sessions(), before)
        self.assertEqual(list(await store.transcript("well")), [HELLO, ANSWER])
        self.change(damaged.format("""'{"role":"assistant","content":"Back."}'"""))
        begun = await store.beginTurn(Claim("hurt", "2"), "main", [], [AGAIN])
        self.assertEqual(
            list(begun.messages), [HELLO, AssistantMessage("Back."), AGAIN]
        )

    async def test_othersAdd(self) -> None:
        """
        Messages that another process adds are seen in spite of the cache, and those
        that are rolled back are not.
        """
        ours, theirs = await self.openStore(), await self.openStore()
        said: list[Message] = []
        for number in range(6):
            store = (ours, ours, theirs)[number % 3]
            asked, answer = UserMessage(f"q{number}"), AssistantMessage(f"a{number}")
            claim = Claim("a", str(number))
            begun = await store.beginTurn(claim, "main", [asked], [asked])
            self.assertEqual(list(begun.messages), [*said, asked])
            with self.assertRaises(StoreError):
                await store.endTurn(claim, [answer, UserMessage("\ud83e")])
            await store.endTurn(claim, [answer])
            said += [asked, answer]

    async def test_toolsAmongTexts(self) -> None:
        """
        A session of texts, then tools, then texts is complete.
        """
        store = await self.openStore()
        call = ToolCall("c", "look", "{}")
        turns: list[list[Message]] = [
            [AssistantMessage("", (call,)), ToolMessage("c", "seen"), ANSWER],
            [ANSWER],
            [AssistantMessage("", (call,))],
        ]
        said: list[Message] = []
        for turn in turns:
            claim = Claim("a", str(len(said)))
            begun = await store.beginTurn(claim, "main", [HELLO], [HELLO])
            self.assertEqual(list(begun.messages), [*said, HELLO])
            await store.endTurn(claim, turn)
            said += [HELLO, *turn]
        result = ToolMessage("c", "seen")
        begun = await store.beginTurn(Claim("a", "z"), "main", [result], [result])
        self.assertEqual(list(begun.messages), [*said, result])

    async def test_missingMessage(self) -> None:
        """
        A transcript with a gap is reported as damaged.
        """
        store = await self.openStore()
        await store.beginTurn(Claim("a", "1"), "main", [HELLO, ANSWER], [])
        self.change("DELETE FROM messages WHERE position = 0")
        with self.assertRaises(StoreError):
            await store.transcript("a")
