"""
Tests of opening and closing L{openclaw.sessions.store.sqlite}.
"""

import os
import threading

from twisted.internet.defer import CancelledError

from openclaw.errors import StoreError
from openclaw.interfaces import Claim
from openclaw.sessions.store.schema import schemaSteps
from tests.contracts.store_opening import ANSWER, HELLO
from tests.sessions.store_case import SQLiteTestCase, openFiles


class UnusableFileTests(SQLiteTestCase):
    """
    An unusable file causes an error of one line, and leaves nothing behind.
    """

    async def assertCantOpen(self, *words: str) -> None:
        """
        Assert that opening fails with one line that has the path and these words.
        """
        threads = set(threading.enumerate())
        with self.assertRaises(StoreError) as caught:
            await self.openStore()
        message = caught.exception.message
        for word in (str(self.path), *words):
            self.assertIn(word, message)
        self.assertNotIn("\n", message)
        self.assertEqual(set(threading.enumerate()), threads)
        self.assertEqual(openFiles(self.path), [])

    async def test_noDirectory(self) -> None:
        """
        The directory can't be created.
        """
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("")
        await self.assertCantOpen("exists")

    async def test_directory(self) -> None:
        """
        The file is a directory.
        """
        self.path.mkdir(parents=True)
        await self.assertCantOpen("unable to open database file")

    async def test_notADatabase(self) -> None:
        """
        The file is not a database, and is not changed.
        """
        self.path.parent.mkdir(parents=True)
        self.path.write_text("These are my notes. " * 300)
        await self.assertCantOpen("not a database")
        self.assertEqual(self.path.read_text(), "These are my notes. " * 300)

    async def test_readOnly(self) -> None:
        """
        The file is read-only.
        """
        await (await self.openStore()).close()
        self.path.chmod(0o400)
        if os.access(self.path, os.W_OK):
            self.skipTest("root may write everything")
        await self.assertCantOpen("readonly")

    async def test_newer(self) -> None:
        """
        The database was migrated by a newer version.
        """
        await (await self.openStore()).close()
        self.change("PRAGMA user_version = 4711")
        await self.assertCantOpen("4711", str(schemaSteps()[-1].version))

    async def test_foreign(self) -> None:
        """
        The database belongs to another program, and is not changed.
        """
        self.path.parent.mkdir(parents=True)
        self.change("CREATE TABLE cookies (name TEXT)")
        before = self.path.read_bytes()
        await self.assertCantOpen("other program")
        self.assertEqual(self.path.read_bytes(), before)

    async def test_triedAgain(self) -> None:
        """
        The same store can be opened when the cause is gone.
        """
        store = self.makeStore()
        self.path.mkdir(parents=True)
        with self.assertRaises(StoreError):
            await store.open()
        self.path.rmdir()
        await store.open()
        self.assertEqual(list(await store.sessions()), [])


class OpeningTests(SQLiteTestCase):
    """
    Calls while the store is being opened.
    """

    async def test_theyWait(self) -> None:
        """
        A turn waits until the store is open.
        """
        store = self.makeStore()
        opening = store.open()
        turn = store.beginTurn(Claim("agent:main:a", "run_1"), "main", [HELLO], [])
        self.assertFalse(turn.called)
        await opening
        self.assertEqual(list((await turn).messages), [HELLO])
        await store.close()

    async def test_inVain(self) -> None:
        """
        After a failed opening, turns fail.
        """
        self.path.mkdir(parents=True)
        store = self.makeStore()
        opening = store.open()
        turn = store.beginTurn(Claim("agent:main:a", "run_1"), "main", [HELLO], [])
        with self.assertRaises(StoreError):
            await turn
        with self.assertRaises(StoreError):
            await opening


class ClosingTests(SQLiteTestCase):
    """
    Closing a store leaves nothing behind, and drops nothing.
    """

    async def test_nothingIsLeft(self) -> None:
        """
        There is no thread and no open file.
        """
        threads = set(threading.enumerate())
        store = await self.openStore()
        await store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        self.assertNotEqual(set(threading.enumerate()), threads)
        await store.close()
        self.assertEqual(set(threading.enumerate()), threads)
        self.assertEqual(openFiles(self.path), [])

    async def test_closeWaits(self) -> None:
        """
        Closing waits for pending turns, which succeed.
        """
        store = await self.openStore()
        order = []
        for number in range(20):
            claim = Claim(f"{number}", "1")
            begun = store.beginTurn(claim, "main", [HELLO], [])
            begun.addCallback(lambda _, number=number: order.append(number))
        await store.close().addCallback(lambda _: order.append("closed"))
        self.assertEqual(order, [*range(20), "closed"])
        await store.open()
        self.assertEqual(len(await store.sessions()), 20)

    async def test_closeWhileOpening(self) -> None:
        """
        A store can be closed while it is being opened.
        """
        threads = set(threading.enumerate())
        store = self.makeStore()
        opening = store.open()
        await store.close()
        with self.assertRaises(StoreError):
            await opening
        self.assertEqual(set(threading.enumerate()), threads)

    async def test_cancelOpening(self) -> None:
        """
        Cancelling the opening closes the store.
        """
        threads = set(threading.enumerate())
        store = self.makeStore()
        opening = store.open()
        opening.cancel()
        with self.assertRaises(CancelledError):
            await opening
        self.assertEqual(set(threading.enumerate()), threads)

    async def test_cancelTurn(self) -> None:
        """
        Cancelling a turn ends the wait for it; its writes are finished before the store
        is closed.
        """
        store = await self.openStore()
        begun = store.beginTurn(Claim("a", "1"), "main", [HELLO], [])
        begun.cancel()
        with self.assertRaises(CancelledError):
            await begun
        self.assertEqual(list(await store.transcript("a")), [HELLO])
        await store.endTurn(Claim("a", "1"), [ANSWER])
        self.assertEqual(list(await store.transcript("a")), [HELLO, ANSWER])

    async def test_cancelClosing(self) -> None:
        """
        Closing can't be cancelled; another call waits for the same end.
        """
        threads = set(threading.enumerate())
        store = await self.openStore()
        ending = store.close()
        ending.cancel()
        with self.assertRaises(CancelledError):
            await ending
        await store.close()
        self.assertEqual(set(threading.enumerate()), threads)
