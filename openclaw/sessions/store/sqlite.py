"""
The session store in an SQLite file.

SQLite blocks, so it has a thread of its own.  One thread suffices, since SQLite has
only one writer at a time, and it keeps the order of calls: closing comes after
everything else.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time
from typing import Any, TypeVar

from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.errors import StoreError
from openclaw.interfaces import (
    Claim,
    Conversation,
    ISessionStore,
    Outline,
    SessionInfo,
    Summary,
    Tail,
)
from openclaw.messages import Message
from openclaw.net.batched_writes import batcherFor
from openclaw.sessions.store.owners import Owner
from openclaw.sessions.store.schema import (
    Upgrade,
    checkFile,
    createPrivateFile,
    migrationLock,
    schemaSteps,
    schemaVersion,
    switchToWAL,
    upgrade,
)
from openclaw.sessions.store.statements import SessionAccess

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""
Limit of the wait for another process's transaction, in seconds.  It is shorter than a
lease, so that claims are renewed in time.
"""

LOG_SECONDS = 10.0
"""
Least time between two log lines about a failing store, in seconds.
"""

STORAGE_ERRORS = (sqlite3.Error, OSError, UnicodeError)
"""
Errors of SQLite, of the file system, and of text that is not Unicode.
"""


@implementer(ISessionStore)
class SQLiteSessionStore:
    """
    Transcripts in an SQLite file.

    Several processes can share the file.  A closed store can be opened again.

    @ivar leaseSeconds: See L{ISessionStore.leaseSeconds}.
    """

    def __init__(
        self,
        *,
        reactor: IReactorFromThreads,
        now: Callable[[], float] = time,
        uptime: Callable[[], float] = monotonic,
        path: Path,
        log: Logger,
        leaseSeconds: float = 15.0,
    ) -> None:
        """
        @param reactor: The reactor in whose thread Deferreds fire.  It must also
            provide L{twisted.internet.interfaces.IReactorCore}; no work starts before
            it runs.
        @param now: The time of day, in seconds since the epoch.
        @param uptime: The machine's monotonic clock, in seconds, the same for all
            processes that share the file.
        @param path: The file, which is created with its directory if necessary.
        @param leaseSeconds: The life of a claim that is not renewed.
        """
        self.leaseSeconds = leaseSeconds
        self._reactor = reactor
        self._now = now
        self._uptime = uptime
        self._path = path
        self._log = log
        self._pool: ConnectionPool | None = None
        self._access: SessionAccess | None = None
        self.fault: str | None = None
        self._isDamaged = False
        self._file: object = None
        self._loggedAt = float("-inf")
        self._closing: Deferred[None] = succeed(None)
        self._awaitingOpen: list[Deferred[None]] = []

    def open(self) -> Deferred[None]:
        """
        Open the store.  New directories have mode 0700, and a new file 0600.  Calls of
        other methods wait until the store is open.

        @return: Fails with a L{StoreError} that names the file and the reason.
        """
        result: Deferred[None] = Deferred()
        Deferred.fromCoroutine(self._open()).addBoth(self._opened, result)
        return result

    def _opened(self, outcome: Failure | None, result: Deferred[None]) -> None:
        result.callback(outcome)
        waiting, self._awaitingOpen = self._awaitingOpen, []
        for each in waiting:
            each.callback(None)

    async def _open(self) -> None:
        if self._pool is not None:
            raise StoreError("The session store is open already.")
        pool = self._pool = ConnectionPool(
            "sqlite3",
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # transactions begin where the SQL says so
            check_same_thread=False,  # a stopping reactor closes it in its own thread
            cp_min=1,
            cp_max=1,
            cp_reactor=self._reactor,
            cp_openfun=self._connected,
        )
        try:
            done = await deferToThreadPool(
                self._reactor, pool.threadpool, self._prepare, pool
            )
        except Exception as error:
            if self._pool is pool:
                await self.close()
            if isinstance(error, STORAGE_ERRORS):
                raise StoreError(
                    f"The session store {self._path} can't be opened: {error}"
                ) from error
            raise
        if self._pool is not pool:
            raise StoreError("The session store was closed while it was opened.")
        if done.backup is not None:
            self._log.info(
                "The session store was upgraded from version {old} to {new}; "
                "the old one is in {backup}",
                old=done.old,
                new=done.new,
                backup=str(done.backup),
            )
        # Not in __init__: a daemon may have forked since then.
        self._access = self._accessFor(Owner.current())

    def _accessFor(self, owner: Owner) -> SessionAccess:
        return SessionAccess(
            owner=owner, leaseSeconds=self.leaseSeconds, uptime=self._uptime
        )

    def _connected(self, connection: sqlite3.Connection) -> None:
        """
        Configure a new connection.  Runs in the thread.
        """
        _configure(connection)
        self._file = _fileAt(self._path)

    def _checkFileIdentity(self) -> None:
        """
        Check that the open file still has its name: if it was moved or deleted, writes
        to it would be lost with this process.  A new file of that name can't be opened
        instead: the write-ahead log beside it may belong to the old file.

        @raise sqlite3.OperationalError: The name is gone, or belongs to another file.
        """
        if _fileAt(self._path) != self._file:
            raise sqlite3.OperationalError(
                "its file is gone, or another file has its name; put it back or restart"
            )

    def _prepare(self, pool: ConnectionPool) -> Upgrade:
        """
        Create the file, connect to it and migrate it.  Runs in the thread.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with migrationLock(self._path):
            createPrivateFile(self._path)
            connection = pool.connect()
            done = upgrade(connection, self._path, schemaSteps())
            switchToWAL(connection)
        return done

    def close(self) -> Deferred[None]:
        pool, self._pool = self._pool, None
        access, self._access = self._access, None
        if pool is not None:
            self._closing = Deferred.fromCoroutine(self._closePool(pool, access))
        closed: Deferred[None] = Deferred()
        self._closing.addBoth(closed.callback)
        return closed

    async def _closePool(
        self, pool: ConnectionPool, access: SessionAccess | None
    ) -> None:
        """
        Release claims and close the connection.

        @param access: C{None} if opening failed.
        """
        if access is not None:
            try:
                await pool.runWithConnection(access.releaseAll)
            except sqlite3.Error as error:
                self._log.error(
                    "Claims could not be released: {reason}", reason=str(error)
                )
        await deferToThreadPool(self._reactor, pool.threadpool, _disconnect, pool)
        pool.close()

    def beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> Deferred[Conversation | None]:
        return self._transact(
            lambda access, connection, now: access.beginTurn(
                connection, now, claim, agentID, opening, following
            ),
            writes=True,
        )

    def endTurn(
        self, claim: Claim, messages: Sequence[Message], summary: Summary | None = None
    ) -> Deferred[None]:
        return self._transact(
            lambda access, connection, now: access.endTurn(
                connection, now, claim, messages, summary
            ),
            writes=True,
        )

    def probe(self) -> Deferred[None]:
        if self._pool is None or self._access is None:
            return succeed(None)
        probing = Deferred.fromCoroutine(self._probe(self._pool, self._access))
        return probing.addErrback(lambda _: None)

    async def _probe(self, pool: ConnectionPool, access: SessionAccess) -> None:
        if self._isDamaged:
            # Not in the store's own thread: sessions in undamaged parts of the file
            # remain usable meanwhile.
            reactor: Any = self._reactor
            await deferToThreadPool(reactor, reactor.getThreadPool(), self._checkFile)
            if self._pool is not pool:
                return
            # The connection caches pages of the damaged file, and the access texts.
            await deferToThreadPool(reactor, pool.threadpool, _disconnect, pool)
            if self._access is access:
                self._access = self._accessFor(access.owner)
        failed = self.fault is not None

        def look(access: SessionAccess, connection: Any, now: float) -> None:
            version = schemaVersion(connection)
            if failed:
                # The value stays the same, but it is written.
                connection.execute(f"PRAGMA user_version = {version}")

        await self._transact(look, writes=failed)

    def _checkFile(self) -> None:
        self._checkFileIdentity()
        checkFile(self._path)

    def renew(self, claims: Sequence[Claim]) -> Deferred[None]:
        return self._transact(
            lambda access, connection, _: access.renew(connection, claims)
        )

    def transcript(self, sessionKey: str) -> Deferred[Sequence[Message]]:
        return self._transact(
            lambda access, connection, now: access.transcript(connection, sessionKey)
        )

    def outline(self, sessionKey: str) -> Deferred[Outline]:
        return self._transact(
            lambda access, connection, now: access.outline(connection, sessionKey)
        )

    def tail(self, sessionKey: str, limit: int) -> Deferred[Tail]:
        return self._transact(
            lambda access, connection, now: access.tail(connection, sessionKey, limit)
        )

    def sessions(
        self, agentID: str | None = None, prefix: str = "", limit: int | None = None
    ) -> Deferred[Sequence[SessionInfo]]:
        return self._transact(
            lambda access, connection, now: access.sessions(
                connection, agentID, prefix, limit
            )
        )

    def _transact(
        self,
        work: Callable[[SessionAccess, sqlite3.Connection, float], T],
        *,
        writes: bool = False,
    ) -> Deferred[T]:
        """
        Run one transaction in the thread.

        @param work: Called with the access, the connection, and the time of this call,
            in seconds since the epoch.
        @param writes: Whether its success ends a recorded fault.
        """
        pool, access = self._pool, self._access
        if pool is not None and access is None:
            opened: Deferred[None] = Deferred()
            self._awaitingOpen.append(opened)
            return opened.addCallback(lambda _: self._transact(work, writes=writes))
        if pool is None or access is None:
            return fail(StoreError("The session store is not open."))
        now = self._now()

        def transaction(connection: Any) -> T:
            committed = False
            try:
                self._checkFileIdentity()
                result = work(access, connection, now)
                connection.commit()
                committed = True
            finally:
                access.recent.settle(committed)
            return result

        # A transaction can't be stopped: cancelling this ends only the wait for it.
        result: Deferred[T] = Deferred()

        def finish(outcome: T | Failure) -> None:
            if writes and self.fault is not None and not isinstance(outcome, Failure):
                self._log.info("The session store works again.")
                self.fault, self._isDamaged = None, False
            # Writes caused by the result are sent two reactor iterations earlier.
            batcherFor(self._reactor).run(result.callback, outcome)

        pool.runWithConnection(transaction).addErrback(self._failed).addBoth(finish)
        return result

    def _failed(self, failure: Failure) -> None:
        """
        Log the reason for the operator, and fail with a general error for the caller.
        """
        failure.trap(*STORAGE_ERRORS)
        error = failure.value
        isNew = self.fault is None
        # A lack of space or memory may end by itself; damage does not.
        isDamaged = type(error) is sqlite3.DatabaseError
        if isDamaged or isinstance(error, sqlite3.OperationalError | OSError):
            # Other errors are about the data of one call.
            self.fault = f"the session store fails: {error}"
            self._isDamaged = self._isDamaged or isDamaged
        if isNew or self._uptime() - self._loggedAt >= LOG_SECONDS:
            self._loggedAt = self._uptime()
            self._log.error("The session store failed: {reason}", reason=str(error))
        raise StoreError("The session store can't be read or written.") from error


def _fileAt(path: Path) -> tuple[int, int] | None:
    """
    Return the device and inode of a file, or C{None} if it does not exist.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _configure(connection: sqlite3.Connection) -> None:
    """
    Apply the settings that a database does not store.

    C{synchronous = NORMAL}: with a WAL, the operating system has a commit when it
    returns, so the death of this process loses nothing.  A power failure can lose the
    last commits, though never a part of one.  FULL would keep them too, but sync the
    disk in each of a request's two transactions, and all sessions would wait for that.
    """
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise


def _disconnect(pool: ConnectionPool) -> None:
    """
    Close the thread's connection, if it has one.  SQLite then moves the WAL into the
    database, which would block the reactor.
    """
    pool.disconnect(pool.connections.get(pool.threadID()))
