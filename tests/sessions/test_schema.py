"""
Tests of L{openclaw.sessions.store.schema}.
"""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

from twisted.trial.unittest import SynchronousTestCase

import tests
from openclaw.errors import StoreError
from openclaw.sessions.store.schema import (
    SchemaStep,
    createPrivateFile,
    schemaSteps,
    schemaVersion,
    switchToWAL,
    upgrade,
)

FIRST = SchemaStep(version=1, sql="CREATE TABLE words (word TEXT);")
SECOND = SchemaStep(version=2, sql="ALTER TABLE words ADD COLUMN meaning TEXT;")
THIRD = SchemaStep(version=3, sql="UPDATE words SET meaning = 'of ' || word;")
BROKEN = SchemaStep(version=3, sql="DELETE FROM words; UPDATE nothing SET x = 1;")


class SchemaTestCase(SynchronousTestCase):
    """
    A test case with a database.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "words.sqlite"
        self.connection = self.connect(self.path)

    def connect(self, path: Path) -> sqlite3.Connection:
        """
        Connect to a database until the end of the test.
        """
        connection = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection

    def words(self, connection: sqlite3.Connection) -> list[tuple[str, ...]]:
        """
        Return the whole content of the database.
        """
        return connection.execute("SELECT * FROM words").fetchall()


class StepsTests(SynchronousTestCase):
    """
    The migrations of the program.
    """

    def test_numbers(self) -> None:
        """
        They are numbered from 1 on, without gaps.
        """
        versions = [step.version for step in schemaSteps()]
        self.assertEqual(versions, list(range(1, len(versions) + 1)))
        self.assertNotEqual(versions, [])

    def test_documented(self) -> None:
        """
        Their tables and columns are those in the documentation.
        """
        page = Path(tests.__file__).absolute().parent.parent / "docs" / "sessions.md"
        row = re.compile(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", re.MULTILINE)
        documented = {
            table: re.findall(r"\w+", columns)
            for table, columns in row.findall(page.read_text())
        }
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            upgrade(connection, Path(":memory:"), schemaSteps())
            tables = connection.execute("SELECT name FROM sqlite_master WHERE sql > ''")
            made = {
                table: [
                    column
                    for (column,) in connection.execute(
                        "SELECT name FROM pragma_table_info(?)", (table,)
                    )
                ]
                for (table,) in tables.fetchall()
            }
        self.assertEqual(made, documented)


class UpgradeTests(SchemaTestCase):
    """
    A database is migrated once, in order, and never partly.
    """

    def test_new(self) -> None:
        """
        A new database gets all migrations, and needs no backup.
        """
        done = upgrade(self.connection, self.path, [FIRST, SECOND, THIRD])
        self.assertEqual((done.old, done.new, done.backup), (0, 3, None))
        self.assertEqual(schemaVersion(self.connection), 3)
        self.assertEqual(list(self.directory.iterdir()), [self.path])

    def test_current(self) -> None:
        """
        A current database is not changed.
        """
        upgrade(self.connection, self.path, [FIRST])
        self.connection.execute("INSERT INTO words VALUES ('one')")
        done = upgrade(self.connection, self.path, [FIRST])
        self.assertEqual((done.old, done.new, done.backup), (1, 1, None))
        self.assertEqual(self.words(self.connection), [("one",)])

    def test_readOnly(self) -> None:
        """
        A read-only database is rejected, even if it is current.
        """
        upgrade(self.connection, self.path, [FIRST])
        connection = sqlite3.connect(
            f"file:{self.path}?mode=ro", uri=True, isolation_level=None
        )
        self.addCleanup(connection.close)
        with self.assertRaises(sqlite3.OperationalError):
            upgrade(connection, self.path, [FIRST])
        self.assertFalse(connection.in_transaction)

    def test_older(self) -> None:
        """
        An older database gets the missing migrations; a private file beside it has the
        old state.
        """
        self.addCleanup(os.umask, os.umask(0))
        upgrade(self.connection, self.path, [FIRST])
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("INSERT INTO words VALUES ('one')")
        done = upgrade(self.connection, self.path, [FIRST, SECOND, THIRD])
        self.assertEqual((done.old, done.new), (1, 3))
        self.assertEqual(self.words(self.connection), [("one", "of one")])
        self.assertEqual(done.backup.parent, self.directory)
        self.assertEqual(S_IMODE(done.backup.stat().st_mode), 0o600)
        backup = self.connect(done.backup)
        self.assertEqual(self.words(backup), [("one",)])
        self.assertEqual(schemaVersion(backup), 1)

    def test_backupsAreKept(self) -> None:
        """
        A second upgrade from the same version does not overwrite the first backup.
        """
        upgrade(self.connection, self.path, [FIRST])
        first = upgrade(self.connection, self.path, [FIRST, SECOND]).backup
        self.connection.execute("PRAGMA user_version = 1")
        self.connection.execute("ALTER TABLE words DROP COLUMN meaning")
        self.connection.execute("INSERT INTO words VALUES ('two')")
        second = upgrade(self.connection, self.path, [FIRST, SECOND]).backup
        self.assertEqual(self.words(self.connect(first)), [])
        self.assertEqual(self.words(self.connect(second)), [("two",)])

    def test_brokenStep(self) -> None:
        """
        A failing migration changes nothing; those before it remain applied.
        """
        upgrade(self.connection, self.path, [FIRST])
        self.connection.execute("INSERT INTO words VALUES ('one')")
        with self.assertRaises(sqlite3.OperationalError):
            upgrade(self.connection, self.path, [FIRST, SECOND, BROKEN])
        self.assertFalse(self.connection.in_transaction)
        self.assertEqual(schemaVersion(self.connection), 2)
        self.assertEqual(self.words(self.connection), [("one", None)])

    def test_newer(self) -> None:
        """
        A database of a newer program is rejected, and not changed.
        """
        upgrade(self.connection, self.path, [FIRST, SECOND])
        with self.assertRaises(StoreError):
            upgrade(self.connection, self.path, [FIRST])
        self.assertEqual(schemaVersion(self.connection), 2)
        self.assertEqual(list(self.directory.iterdir()), [self.path])

    def test_foreign(self) -> None:
        """
        Another program's database is rejected.
        """
        self.connection.execute("CREATE TABLE sessions (cookie TEXT)")
        with self.assertRaises(StoreError):
            upgrade(self.connection, self.path, [FIRST])
        self.assertEqual(schemaVersion(self.connection), 0)


class SwitchToWALTests(SchemaTestCase):
    """
    The database has a write-ahead log.
    """

    def test_kept(self) -> None:
        """
        The database keeps the setting.
        """
        upgrade(self.connection, self.path, [FIRST])
        switchToWAL(self.connection)
        mode = self.connect(self.path).execute("PRAGMA journal_mode").fetchone()
        self.assertEqual(mode, ("wal",))

    def test_impossible(self) -> None:
        """
        An error reports that the file system does not support it.
        """
        with self.assertRaisesRegex(sqlite3.OperationalError, "WAL"):
            switchToWAL(self.connect(Path(":memory:")))


class CreatePrivatelyTests(SchemaTestCase):
    """
    The file is private from the beginning.
    """

    def test_mode(self) -> None:
        """
        A new file has mode 0600, regardless of the umask.
        """
        self.addCleanup(os.umask, os.umask(0))
        path = self.directory / "new.sqlite"
        createPrivateFile(path)
        self.assertEqual(S_IMODE(path.stat().st_mode), 0o600)

    def test_existing(self) -> None:
        """
        An existing file is not changed.
        """
        path = self.directory / "old.sqlite"
        path.write_text("something")
        path.chmod(0o640)
        createPrivateFile(path)
        self.assertEqual(path.read_text(), "something")
        self.assertEqual(S_IMODE(path.stat().st_mode), 0o640)
