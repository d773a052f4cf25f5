"""
Tests of L{openclaw.sessions.store.fault_watch} with failing stores.
"""

import os
import sqlite3
from contextlib import closing

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater

from openclaw.errors import StoreError
from openclaw.interfaces import Claim, Conversation
from openclaw.messages import UserMessage
from openclaw.sessions.store import sqlite
from openclaw.sessions.store.fault_watch import PROBE_SECONDS, FaultWatch
from openclaw.sessions.store.memory import MemorySessionStore
from openclaw.sessions.store.sqlite import SQLiteSessionStore
from tests.contracts.store_opening import ANSWER
from tests.sessions.store_case import SQLiteTestCase

PAGE_BYTES = 4096


class ProbedStore(MemorySessionStore):
    """
    A store whose probes end when the test says so.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.probes: list[Deferred[None]] = []

    def probe(self) -> "Deferred[None]":
        self.probes.append(Deferred())
        return self.probes[-1]


class PaceTests(SQLiteTestCase):
    """
    The pauses between probes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.store = ProbedStore(self.clock)
        self.watch = FaultWatch(self.store, self.clock)
        self.watch.start()

    def test_pace(self) -> None:
        """
        There is one probe at a time, and a long probe is followed by a long pause.
        """
        self.clock.advance(PROBE_SECONDS)
        self.clock.advance(PROBE_SECONDS * 5)
        (probe,) = self.store.probes
        probe.callback(None)
        self.clock.advance(PROBE_SECONDS * 5 - 1)
        self.assertEqual(len(self.store.probes), 1)
        self.clock.advance(1)
        self.store.probes[1].callback(None)
        self.clock.advance(PROBE_SECONDS)
        self.assertEqual(len(self.store.probes), 3)

    def test_stop(self) -> None:
        """
        Nothing is left after a stop, even during a probe.
        """
        self.clock.advance(PROBE_SECONDS)
        self.watch.stop()
        self.store.probes[0].callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.watch.start()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RecoveryTests(SQLiteTestCase):
    """
    Failures and recoveries are detected without a run.
    """

    async def watched(self) -> SQLiteSessionStore:
        """
        Return an open store with a watch, which does not wait for locks.
        """
        self.patch(sqlite, "BUSY_SECONDS", 0.0)
        store = await self.openStore()
        watch = FaultWatch(store, self.clock)
        watch.start()
        self.addCleanup(watch.stop)
        return store

    async def turn(self, store: SQLiteSessionStore, key: str) -> Conversation | None:
        """
        Complete a turn that writes some pages.
        """
        said = [UserMessage("word " * 3000)]
        claim = Claim(key, "1")
        begun = await store.beginTurn(claim, "main", said, said)
        await store.endTurn(claim, [ANSWER])
        return begun

    async def probed(self) -> None:
        """
        Advance the clock to the next probe, and wait for its end.
        """
        self.clock.advance(PROBE_SECONDS)
        while not self.clock.getDelayedCalls():
            await deferLater(reactor, 0)

    async def test_locked(self) -> None:
        """
        Another process locks the file, and later unlocks it.
        """
        store = await self.watched()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with self.assertRaises(StoreError):
                await self.turn(store, "a")
            await self.probed()
            self.assertIn("locked", store.fault or "")
        await self.probed()
        self.assertIsNone(store.fault)
        await self.turn(store, "a")

    async def test_damaged(self) -> None:
        """
        A damaged file remains a fault, regardless of time, until it is replaced by an
        intact one.
        """
        store = await self.watched()
        for number in range(12):
            await self.turn(store, f"talk {number}")
        await store.close()
        sound = self.path.read_bytes()
        self.assertGreater(len(sound), 10 * PAGE_BYTES)
        await store.open()
        broken = sound[:PAGE_BYTES] + os.urandom(len(sound) - PAGE_BYTES)
        self.path.write_bytes(broken)
        with self.assertRaises(StoreError):
            await self.turn(store, "talk 1")
        for _ in range(3):
            await self.probed()
            self.assertIn("malformed", store.fault or "")
        self.path.write_bytes(sound)
        await self.probed()
        self.assertIsNone(store.fault)
        begun = await self.turn(store, "talk 1")
        assert begun is not None
        self.assertEqual(len(begun.messages), 3)

    async def test_emptied(self) -> None:
        """
        An intact file without our schema is a fault.
        """
        store = await self.watched()
        await self.turn(store, "a")
        await store.close()
        await store.open()
        size = self.path.stat().st_size
        self.path.write_bytes(self.path.read_bytes()[:PAGE_BYTES] + os.urandom(size))
        with self.assertRaises(StoreError):
            await self.turn(store, "a")
        for content in (b"", None):
            if content is None:
                self.path.unlink()
            else:
                self.path.write_bytes(content)
            await self.probed()
            self.assertIsNotNone(store.fault)
        self.assertFalse(self.path.exists())

    async def test_works(self) -> None:
        """
        Nothing is written or logged while the store works.
        """
        store = await self.watched()
        await self.turn(store, "a")
        before = self.path.with_name(f"{self.path.name}-wal").read_bytes()
        for _ in range(3):
            await self.probed()
        self.assertIsNone(store.fault)
        after = self.path.with_name(f"{self.path.name}-wal").read_bytes()
        self.assertEqual(before, after)
        self.assertEqual(self.logged, [])

    async def test_gone(self) -> None:
        """
        When the file is moved away, turns fail, since they would be lost with this
        process, until it is back.
        """
        store = await self.watched()
        await self.turn(store, "a")
        aside = self.path.with_name("aside")
        self.path.rename(aside)
        await self.probed()
        self.assertIn("is gone", store.fault or "")
        with self.assertRaises(StoreError):
            await self.turn(store, "a")
        await self.probed()
        self.assertIsNotNone(store.fault)
        aside.rename(self.path)
        await self.probed()
        self.assertIsNone(store.fault)
        begun = await self.turn(store, "a")
        assert begun is not None
        self.assertEqual(len(begun.messages), 3)

    async def test_another(self) -> None:
        """
        A different file of the same name is a fault, too, since the write-ahead log
        beside it is the old one's.
        """
        store = await self.watched()
        await self.turn(store, "a")
        aside, copy = self.path.with_name("aside"), self.path.with_name("copy")
        copy.write_bytes(self.path.read_bytes())
        self.path.rename(aside)
        copy.replace(self.path)
        for _ in range(2):
            with self.assertRaises(StoreError):
                await self.turn(store, "a")
            await self.probed()
            self.assertIn("another file", store.fault or "")
        aside.replace(self.path)
        await self.probed()
        self.assertIsNone(store.fault)
        self.assertEqual(len(self.logged), 2, self.logged)

    async def test_closedMeanwhile(self) -> None:
        """
        A store that is closed during a probe stays closed.
        """
        store = await self.watched()
        store.fault = "the disk is full"
        self.clock.advance(PROBE_SECONDS)
        await store.close()
        await succeed(None)
        with self.assertRaises(StoreError):
            await store.sessions()
