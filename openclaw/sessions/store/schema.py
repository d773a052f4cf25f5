"""
Create the database file, and migrate its schema.

The schema is in C{schema/*.sql}, numbered from C{0001}; the number of the last one
that was run is in SQLite's C{user_version}.  All here blocks, and belongs in a
thread.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from openclaw.errors import StoreError


@dataclass(frozen=True, kw_only=True)
class SchemaStep:
    """
    A step of the schema, from version C{version - 1} to C{version}.

    @ivar sql: Statements, without any that begins or ends a transaction.
    """

    version: int
    sql: str


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """
    The outcome of L{upgrade}.

    @ivar old: The version found; 0 is an empty database.
    @ivar new: The version now.
    @ivar backup: The copy of the database as it was, if it was not empty.
    """

    old: int
    new: int
    backup: Path | None


def schemaSteps() -> Sequence[SchemaStep]:
    """
    The steps of the installed package, first to last.
    """
    folder = Path(__file__).parent / "schema"
    return sorted(
        (
            SchemaStep(
                version=int(path.name.partition("_")[0]),
                sql=path.read_text(encoding="utf-8"),
            )
            for path in folder.glob("*.sql")
        ),
        key=lambda step: step.version,
    )


@contextmanager
def openingAlone(path: Path) -> Iterator[None]:
    """
    Let no other process make or upgrade a database here meanwhile.  SQLite's own
    locks can't be waited for while a new database is turned to WAL: it just fails.

    The lock is on the directory: it leaves no file behind, and a process that is
    killed lets go of it.
    """
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def createPrivately(path: Path) -> None:
    """
    Make an empty file that only its owner can read, if there is none; SQLite gives
    the files that it puts beside it the same mode.  A file that exists keeps its
    mode.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        # Not opened to look at it: closing it again would drop the locks that
        # another store of this process has on it.
        pass


def upgrade(
    connection: sqlite3.Connection, path: Path, steps: Sequence[SchemaStep]
) -> Upgrade:
    """
    Run the steps that a database has not seen yet, each in one transaction.

    @param connection: A connection with C{isolation_level=None}.
    @param path: Where the database is; the backup goes beside it.
    @param steps: All there are, first to last.

    @raise StoreError: If the database is newer than the steps, or not ours.
    @raise sqlite3.Error: If it can't be read or written.
    """
    old = versionOf(connection)
    new = steps[-1].version
    if old > new:
        raise StoreError(
            f"The session store {path} has schema version {old}, and this program "
            f"knows only versions up to {new}."
        )
    if old == 0 and not _isEmpty(connection):
        raise StoreError(f"{path} is a database of some other program.")
    backup = None
    if 0 < old < new:
        backup = _backUp(connection, path, old)
    for step in steps[old:]:
        _run(connection, step)
    _tryToWrite(connection)
    return Upgrade(old=old, new=new, backup=backup)


def switchToWAL(connection: sqlite3.Connection) -> None:
    """
    Let readers and the writer work at the same time.  The database keeps this.

    @raise sqlite3.Error: If it can't be, as on most file systems over a network.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("this file system can't have a WAL")


def versionOf(connection: sqlite3.Connection) -> int:
    """
    The version of a database's schema; 0 for an empty one.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def checkFile(path: Path) -> None:
    """
    Read all of a database, through a connection of its own.

    @raise sqlite3.Error: It is damaged, is not there, or has another schema.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        version = versionOf(connection)
    if found != "ok" or version != schemaSteps()[-1].version:
        raise sqlite3.DatabaseError(found)


def _isEmpty(connection: sqlite3.Connection) -> bool:
    """
    Is nothing in the database?
    """
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _run(connection: sqlite3.Connection, step: SchemaStep) -> None:
    """
    Run one step, wholly or not at all.
    """
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{step.sql}\n"
            f"PRAGMA user_version = {step.version};\nCOMMIT;"
        )
    except sqlite3.Error:
        connection.rollback()
        raise


def _tryToWrite(connection: sqlite3.Connection) -> None:
    """
    Learn now, and not in the first turn, that the database can't be written.
    BEGIN IMMEDIATE alone does not tell: of a read-only file it begins to read.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA user_version = {versionOf(connection)}")
    finally:
        connection.rollback()


def _backUp(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """
    Copy the database to a new file beside it; no older copy is overwritten.
    """
    for number in count(1):
        copy = path.with_name(f"{path.name}.v{version}.{number}.backup")
        try:
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            continue
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
        return copy
    raise AssertionError("count() does not end")
