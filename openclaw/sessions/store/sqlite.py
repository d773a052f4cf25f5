"""
The session store in an SQLite file.

SQLite blocks, so it works in a thread of its own.  It is one thread because SQLite
has one writer at a time anyway, and because one thread keeps the order: what is
asked for first is done first, and what is asked for last, closing, comes when all
else is done.
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
    createPrivately,
    openingAlone,
    schemaSteps,
    switchToWAL,
    upgrade,
    versionOf,
)
from openclaw.sessions.store.statements import SessionAccess

T = TypeVar("T")

BUSY_SECONDS = 5.0
"""
Seconds that a transaction waits for one of another process. Less than a lease, so that
claims are renewed in time.
"""

TELL_SECONDS = 10.0
"""
Least time between two log lines about a store that goes on failing, in seconds.
"""

FAULTS = (sqlite3.Error, OSError, UnicodeError)
"""
Errors of SQLite, of the file system and of text that is not Unicode.
"""


@implementer(ISessionStore)
class SQLiteSessionStore:
    """
    Transcripts in a SQLite file.

    Several processes can share the file.  A store that was closed can be opened
    again.

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
        @param reactor: Where Deferreds fire.  It must also be an
            L{twisted.internet.interfaces.IReactorCore}; nothing is done before it
            runs.
        @param now: The time of day, in seconds since the epoch.
        @param uptime: The machine's monotonic clock, in seconds.  All processes that
            share the file must read the same one.
        @param path: The file.  It is made if there is none, and so is its directory.
        @param leaseSeconds: How long a claim lasts without being renewed.
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
        self._toldAt = float("-inf")
        self._closing: Deferred[None] = succeed(None)
        self._awaitingOpen: list[Deferred[None]] = []

    def open(self) -> Deferred[None]:
        """
        See L{ISessionStore.open}.  A directory that is made is private (0700), and
        so is the file (0600).  What is asked for meanwhile waits.

        @return: Fails with a L{StoreError} that names the file and the reason.
        """
        result: Deferred[None] = Deferred()
        Deferred.fromCoroutine(self._open()).addBoth(self._opened, result)
        return result

    def _opened(self, outcome: Failure | None, result: Deferred[None]) -> None:
        """
        Opening has come to its end, a good or a bad one.
        """
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
            check_same_thread=False,  # a reactor that stops closes from its own
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
            if isinstance(error, FAULTS):
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
        # The owner is made here and not in __init__: a daemon may have forked since
        self._access = self._accessFor(Owner.here())

    def _accessFor(self, owner: Owner) -> SessionAccess:
        return SessionAccess(
            owner=owner, leaseSeconds=self.leaseSeconds, uptime=self._uptime
        )

    def _connected(self, connection: sqlite3.Connection) -> None:
        """
        In the thread: a connection was made.
        """
        _configure(connection)
        self._file = _fileAt(self._path)

    def _checkPlace(self) -> None:
        """
        See that the open file still has its name: what is written into another would be
        lost with this process.  One that has the name now can't be taken up: the
        write-ahead log beside it may be that of the open one.

        @raise sqlite3.OperationalError: It has not.
        """
        if _fileAt(self._path) != self._file:
            raise sqlite3.OperationalError(
                "its file is gone, or another file has its name; put it back or restart"
            )

    def _prepare(self, pool: ConnectionPool) -> Upgrade:
        """
        In the thread: make the file, connect to it and upgrade it.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with openingAlone(self._path):
            createPrivately(self._path)
            connection = pool.connect()
            done = upgrade(connection, self._path, schemaSteps())
            switchToWAL(connection)
        return done

    def close(self) -> Deferred[None]:
        pool, self._pool = self._pool, None
        access, self._access = self._access, None
        if pool is not None:
            self._closing = Deferred.fromCoroutine(self._shut(pool, access))
        closed: Deferred[None] = Deferred()
        self._closing.addBoth(closed.callback)
        return closed

    async def _shut(self, pool: ConnectionPool, access: SessionAccess | None) -> None:
        """
        Let go of all that C{open} made.

        @param access: C{None} if opening did not succeed.
        """
        if access is not None:
            try:
                await pool.runWithConnection(access.giveAllBack)
            except sqlite3.Error as error:
                self._log.error(
                    "Claims could not be given back: {reason}", reason=str(error)
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
            # Not in the store's own thread: sessions whose part of the file is whole
            # go on meanwhile.
            reactor: Any = self._reactor
            await deferToThreadPool(reactor, reactor.getThreadPool(), self._checkFile)
            if self._pool is not pool:
                return
            # The connection knows pages of the damaged file, and the access texts.
            await deferToThreadPool(reactor, pool.threadpool, _disconnect, pool)
            if self._access is access:
                self._access = self._accessFor(access.owner)
        failed = self.fault is not None

        def look(access: SessionAccess, connection: Any, now: float) -> None:
            version = versionOf(connection)
            if failed:
                # It is what it was, and is written all the same.
                connection.execute(f"PRAGMA user_version = {version}")

        await self._transact(look, writes=failed)

    def _checkFile(self) -> None:
        self._checkPlace()
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

    def tail(self, sessionKey: str, most: int) -> Deferred[Tail]:
        return self._transact(
            lambda access, connection, now: access.tail(connection, sessionKey, most)
        )

    def sessions(
        self, agentID: str | None = None, prefix: str = "", most: int | None = None
    ) -> Deferred[Sequence[SessionInfo]]:
        return self._transact(
            lambda access, connection, now: access.sessions(
                connection, agentID, prefix, most
            )
        )

    def _transact(
        self,
        work: Callable[[SessionAccess, sqlite3.Connection, float], T],
        *,
        writes: bool = False,
    ) -> Deferred[T]:
        """
        Do one transaction in the thread.

        @param work: Called with the access, the connection and the time at which
            the work was asked for, which is before any time spent in waiting.
        @param writes: That it succeeds shows that turns can be kept.
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
                self._checkPlace()
                result = work(access, connection, now)
                connection.commit()
                committed = True
            finally:
                access.recent.settle(committed)
            return result

        # It can't be stopped: to cancel this stops the waiting, and nothing else.
        result: Deferred[T] = Deferred()

        def tell(outcome: T | Failure) -> None:
            if writes and self.fault is not None and not isinstance(outcome, Failure):
                self._log.info("The session store works again.")
                self.fault, self._isDamaged = None, False
            # What comes of it is sent at once: two turns of the reactor less.
            batcherFor(self._reactor).run(result.callback, outcome)

        pool.runWithConnection(transaction).addErrback(self._failed).addBoth(tell)
        return result

    def _failed(self, failure: Failure) -> None:
        """
        Tell the operator what is wrong, and the caller that something is.
        """
        failure.trap(*FAULTS)
        error = failure.value
        isNew = self.fault is None
        # What the system is out of may come back; what is damaged stays so.
        isDamaged = type(error) is sqlite3.DatabaseError
        if isDamaged or isinstance(error, sqlite3.OperationalError | OSError):
            # All else is about what one caller said.
            self.fault = f"the session store fails: {error}"
            self._isDamaged = self._isDamaged or isDamaged
        if isNew or self._uptime() - self._toldAt >= TELL_SECONDS:
            self._toldAt = self._uptime()
            self._log.error("The session store failed: {reason}", reason=str(error))
        raise StoreError("The session store can't be read or written.") from error


def _fileAt(path: Path) -> tuple[int, int] | None:
    """
    Return the identity of the file that has a name now, if any has it.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _configure(connection: sqlite3.Connection) -> None:
    """
    Set what a database does not keep.

    NORMAL: with a WAL, a commit is with the operating system when it returns, so
    the death of this process loses nothing.  A power cut can take the last commits,
    though never a part of one.  FULL would keep them too, for a sync of the disk in
    each of a request's two transactions; and all sessions would wait for these, one
    after the other.
    """
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise


def _disconnect(pool: ConnectionPool) -> None:
    """
    In the thread: close its connection, if it has one.  SQLite then moves the WAL
    into the database, which is no work for the reactor's thread.
    """
    pool.disconnect(pool.connections.get(pool.threadID()))
