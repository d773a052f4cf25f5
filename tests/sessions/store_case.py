"""
The test case of the SQLite store.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import TestCase

from openclaw.sessions.store.sqlite import SQLiteSessionStore


class SQLiteTestCase(TestCase):
    """
    A test case with a database file.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp()).absolute() / "state" / "sessions.sqlite"
        self.logged: list[str] = []

    def makeStore(self, **options: Any) -> SQLiteSessionStore:
        """
        Return a store of the file that is not open yet.

        @param options: Arguments in place of the test's clock.
        """
        log = Logger(observer=lambda event: self.logged.append(formatEvent(event)))
        clocks = {"now": self.clock.seconds, "uptime": self.clock.seconds}
        given = {"reactor": reactor, "path": self.path, "log": log, **clocks}
        store = SQLiteSessionStore(**given | options)
        self.addCleanup(store.close)
        return store

    async def openStore(self, **options: Any) -> SQLiteSessionStore:
        """
        Return an open store of the file; see L{makeStore}.
        """
        store = self.makeStore(**options)
        await store.open()
        return store

    def change(self, *statements: str) -> None:
        """
        Change the database without the store.
        """
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)


def openFiles(path: Path) -> list[str]:
    """
    Return the files of the database that this process has open.
    """
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the one of the listing itself
        if target.startswith(str(path)):
            found.append(target)
    return found


__all__ = ["SQLiteTestCase", "openFiles"]
