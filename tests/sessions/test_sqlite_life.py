"""
Tests of how L{openclaw.sessions.store.sqlite} begins and ends.
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
    A file that can't be used is told about in one line, and nothing is left.
    """

    async def assertCantOpen(self, *words: str) -> None:
        """
        Assert that the store can't be opened, and that the error is one line with
        the path and these words.
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
        A directory that can't be made.
        """
        self.path.parent.parent.mkdir()
        self.path.parent.write_text("")
        await self.assertCantOpen("exists")

    async def test_directory(self) -> None:
        """
        A directory instead of a file.
        """
        self.path.mkdir(parents=True)
        await self.assertCantOpen("unable to open database file")

    async def test_notADatabase(self) -> None:
        """
        A file in which something else is, which stays as it is.
        """
        self.path.parent.mkdir(parents=True)
        self.path.write_text("These are my notes. " * 300)
        await self.assertCantOpen("not a database")
        self.assertEqual(self.path.read_text(), "These are my notes. " * 300)

    async def test_readOnly(self) -> None:
        """
        A file that may not be written.
        """
        await (await self.openStore()).close()
        self.path.chmod(0o400)
        if os.access(self.path, os.W_OK):
            self.skipTest("root may write everything")
        await self.assertCantOpen("readonly")

    async def test_newer(self) -> None:
        """
        A database that a later version of the program has upgraded.
        """
        await (await self.openStore()).close()
        self.change("PRAGMA user_version = 4711")
        await self.assertCantOpen("4711", str(schemaSteps()[-1].version))

    async def test_foreign(self) -> None:
        """
        The database of some other program, which stays as it is.
        """
        self.path.parent.mkdir(parents=True)
        self.change("CREATE TABLE cookies (name TEXT)")
        before = self.path.read_bytes()
        await self.assertCantOpen("other program")
        self.assertEqual(self.path.read_bytes(), before)

    async def test_triedAgain(self) -> None:
        """
        When the operator has put it right the same store can be opened.
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
    Those who come while the store is opened.
    """

    async def test_theyWait(self) -> None:
        """
        A turn that is begun meanwhile begins when the store is open.
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
        After a failed opening, no turn can be opened.
        """
        self.path.mkdir(parents=True)
        store = self.makeStore()
        opening = store.open()
        turn = store.beginTurn(Claim("agent:main:a", "run_1"), "main", [HELLO], [])
        with self.assertRaises(StoreError):
            await turn
        with self.assertRaises(StoreError):
            await opening


class LettingGoTests(SQLiteTestCase):
    """
    A store that is closed leaves nothing behind, and drops nothing.
    """

    async def test_nothingIsLeft(self) -> None:
        """
        After closing there is neither a thread nor an open file.
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
        Closing waits for the turns that were asked for before, and they succeed.
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
        A daemon that is told to stop while it starts does so.
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
        A store whose opening was cancelled is closed.
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
        A cancelled turn is not waited for any longer; its writes are finished all the
        same, before the store is closed.
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
        Closing can't be called off; who asks again waits for the same end.
        """
        threads = set(threading.enumerate())
        store = await self.openStore()
        ending = store.close()
        ending.cancel()
        with self.assertRaises(CancelledError):
            await ending
        await store.close()
        self.assertEqual(set(threading.enumerate()), threads)
