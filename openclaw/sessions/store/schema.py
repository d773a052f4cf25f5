"""
Create the database file, and migrate its schema.

The schema is in C{schema/*.sql}, numbered from C{0001}; SQLite's C{user_version} is the
number of the last file that was applied.  All functions block: call them in a thread.
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
    A migration from version C{version - 1} to C{version}.

    @ivar sql: Statements, without any that begins or ends a transaction.
    """

    version: int
    sql: str


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """
    The result of L{upgrade}.

    @ivar old: The version before; 0 for an empty database.
    @ivar new: The version after.
    @ivar backup: The copy of the old database, if it was not empty.
    """

    old: int
    new: int
    backup: Path | None


def schemaSteps() -> Sequence[SchemaStep]:
    """
    Return the migrations of the installed package, in order.
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
def migrationLock(path: Path) -> Iterator[None]:
    """
    Exclude other processes from creating or migrating the database.  SQLite's own locks
    do not suffice: switching a new database to WAL fails instead of waiting.

    The lock is on the directory: it leaves no file behind, and the kernel releases it
    when the process is killed.
    """
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def createPrivateFile(path: Path) -> None:
    """
    Create an empty file with mode 0600, unless it exists.  SQLite creates the files
    beside it with the same mode.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        # It must not be opened here: closing it would drop the locks that another
        # store of this process has on it.
        pass


def upgrade(
    connection: sqlite3.Connection, path: Path, steps: Sequence[SchemaStep]
) -> Upgrade:
    """
    Apply the migrations that a database lacks, each in a transaction.

    @param connection: A connection with C{isolation_level=None}.
    @param path: The database's file; the backup is created beside it.
    @param steps: All migrations, in order.

    @raise StoreError: The database is newer than the migrations, or another program's.
    @raise sqlite3.Error: It can't be read or written.
    """
    old = schemaVersion(connection)
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
    _checkWritable(connection)
    return Upgrade(old=old, new=new, backup=backup)


def switchToWAL(connection: sqlite3.Connection) -> None:
    """
    Switch to a write-ahead log, so that readers and the writer work at the same time.
    The database keeps this setting.

    @raise sqlite3.Error: The file system does not support it, as most network file
        systems.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("this file system can't have a WAL")


def schemaVersion(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def checkFile(path: Path) -> None:
    """
    Read a whole database, with a separate connection.

    @raise sqlite3.Error: It is damaged, missing, or has another schema.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        version = schemaVersion(connection)
    if found != "ok" or version != schemaSteps()[-1].version:
        raise sqlite3.DatabaseError(found)


def _isEmpty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _run(connection: sqlite3.Connection, step: SchemaStep) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{step.sql}\n"
            f"PRAGMA user_version = {step.version};\nCOMMIT;"
        )
    except sqlite3.Error:
        connection.rollback()
        raise


def _checkWritable(connection: sqlite3.Connection) -> None:
    """
    Fail now, and not in the first turn, if the database can't be written.
    BEGIN IMMEDIATE alone does not fail on a read-only file.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA user_version = {schemaVersion(connection)}")
    finally:
        connection.rollback()


def _backUp(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """
    Copy the database to a new file beside it, without overwriting older copies.
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
