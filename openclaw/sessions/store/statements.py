"""
All SQL statements about sessions, and the transactions that use them.

This module works on a L{sqlite3.Connection} and blocks; it uses no thread and no
reactor.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from openclaw.errors import StoreError
from openclaw.interfaces import Claim, Conversation, Outline, SessionInfo, Summary, Tail
from openclaw.messages import Message, UserMessage
from openclaw.sessions.store.outlines import FIRST_CHARACTERS, buildOutline
from openclaw.sessions.store.owners import Owner
from openclaw.sessions.store.tails import LONG_CHARACTERS, decodeTruncated, takeNewest
from openclaw.sessions.store.transcript_cache import TranscriptCache
from openclaw.sessions.store.validation import (
    MAX_LOADED_BYTES,
    MAX_LOADED_MESSAGES,
    checkResults,
    checkSummary,
)
from openclaw.transcript import PlainTranscript, isPlain

BEGIN = "BEGIN IMMEDIATE"
"""
SQLite waits for other writers at this statement; at the first write after a read it
would fail instead.
"""

FIND = """
SELECT sessions.id, sessions.message_count, claims.owner, claims.expires_at,
       summaries.message_count, summaries.text
FROM (SELECT ? AS session_key) AS requested
LEFT JOIN sessions ON sessions.session_key = requested.session_key
LEFT JOIN claims ON claims.session_key = requested.session_key
LEFT JOIN summaries ON summaries.session = sessions.id AND summaries.number = (
    SELECT max(number) FROM summaries WHERE session = sessions.id
)
"""
"""
One row, with NULL for a missing session, claim or summary.
"""

AGENT = "SELECT agent_id FROM sessions WHERE id = ?"

TAKE = """
INSERT OR REPLACE INTO claims (session_key, run_id, owner, expires_at)
VALUES (?, ?, ?, ?)
"""

RENEW = """
UPDATE claims SET expires_at = ?
WHERE session_key = ? AND run_id = ? AND owner = ?
"""

GIVE_BACK = "DELETE FROM claims WHERE session_key = ? AND run_id = ? AND owner = ?"

GIVE_ALL_BACK = "DELETE FROM claims WHERE owner = ?"

CREATE = """
INSERT INTO sessions (session_key, agent_id, created_at, updated_at, message_count)
VALUES (?, ?, ?, ?, ?)
"""

ADVANCE = "UPDATE sessions SET updated_at = ?, message_count = ? WHERE id = ?"

APPEND = """
INSERT INTO messages (session, position, run_id, created_at, body)
VALUES (?, ?, ?, ?, ?)
"""

SUMMARISE = """
INSERT INTO summaries (session, number, message_count, run_id, created_at, text)
SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5
FROM summaries WHERE session = ?1
"""

TRANSCRIPT = """
SELECT CAST(group_concat(body, ',') AS BLOB)
FROM (
    SELECT body FROM messages WHERE session = ? AND position >= ? ORDER BY position
)
"""
"""
One row for all messages, because the GIL is released and acquired again for each row
that is fetched.  The scan follows the order of the primary key.  The result is a BLOB,
so that text which is not UTF-8 reaches the decoder.
"""

FIRST_LOADED = """
WITH RECURSIVE loaded (position, bytes) AS (
    SELECT ?3, 0
    UNION ALL
    SELECT loaded.position - 1,
           bytes + coalesce(length(CAST(messages.body AS BLOB)), 0)
    FROM loaded LEFT JOIN messages
    ON messages.session = ?1 AND messages.position = loaded.position - 1
    WHERE bytes <= ?4 AND loaded.position > max(?2, ?3 - ?5)
)
SELECT min(position) FROM loaded WHERE bytes <= ?4
"""
"""
The position of the oldest message that fits, counted from the newest.  Older messages
are not read.  A missing message counts as empty: reading the messages detects it.
"""

NEWEST = """
SELECT length(body), CASE WHEN body LIKE '{"role":"user"%' THEN NULL ELSE body END
FROM messages
WHERE session = ? AND body NOT LIKE '{"role":"tool"%'
ORDER BY position DESC
"""
"""
Relies on the encoding of messages, in which the role comes first.
"""

FIRST = """
SELECT CASE WHEN length(body) <= ? THEN body END
FROM messages WHERE session = ? AND position = 0
"""

TAIL = """
SELECT length(body),
       CASE WHEN length(body) <= ?2 OR body LIKE '{"role":"user","content":[%'
       THEN body ELSE substr(body, 1, ?2) END
FROM messages
WHERE session = ?1
ORDER BY position DESC
LIMIT ?3
"""

SESSIONS = """
SELECT session_key, agent_id, message_count, created_at, updated_at
FROM sessions
WHERE (agent_id = ?1 OR ?1 IS NULL) AND substr(session_key, 1, length(?2)) = ?2
ORDER BY updated_at DESC, session_key
LIMIT ?3
"""

ENCODER = msgspec.json.Encoder()
MESSAGE_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
DECODER = msgspec.json.Decoder(tuple[Message, ...])


@dataclass(frozen=True, kw_only=True)
class SessionAccess:
    """
    The transactions of one owner, each a method.  The caller commits, or rolls back if
    the method raises, and then calls C{recent.settle}.

    @ivar leaseSeconds: The life of a claim, the same for all owners.
    @ivar uptime: The machine's monotonic clock, in seconds, for the expiry of claims.
    @ivar recent: Transcripts that need not be read again.
    """

    owner: Owner
    leaseSeconds: float
    uptime: Callable[[], float]
    recent: TranscriptCache = field(default_factory=TranscriptCache)

    def beginTurn(
        self,
        connection: sqlite3.Connection,
        now: float,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> Conversation | None:
        """
        See L{openclaw.interfaces.ISessionStore.beginTurn}.

        @param now: Seconds since the epoch.
        """
        connection.execute(BEGIN)
        key = claim.sessionKey
        session, length, owner, expiresAt, summarised, text = connection.execute(
            FIND, (key,)
        ).fetchone()
        if owner is not None and not self._isFree(owner, expiresAt):
            return None
        expiresAt = self.uptime() + self.leaseSeconds
        connection.execute(TAKE, (key, claim.runID, str(self.owner), expiresAt))
        messages = following if length else opening
        if session is None:
            row = (key, agentID, now, now, len(messages))
            session = connection.execute(CREATE, row).lastrowid
            length = 0
        elif messages:
            connection.execute(ADVANCE, (now, length + len(messages), session))
        bodies = _append(connection, now, session, length, claim.runID, messages)
        start = first = summarised or 0
        known = self.recent.find(session, start, length) if length else ()
        end = length + len(messages)
        visible: Sequence[Message]
        many = length - start > MAX_LOADED_MESSAGES
        if known is not None and isPlain(messages) and not many:
            encoded = b",".join([*known, *bodies])
            visible = PlainTranscript(encoded, end - start)
        else:
            found = None if many else _readBodies(connection, session, start)
            if found is None:
                first = _firstLoaded(connection, session, start, length)
                found = _readBodies(connection, session, first, None)
            visible = _decodeBodies(found or b"", key, end - first)
            checkResults(visible, len(visible) - len(messages))
        if first == start and isinstance(visible, PlainTranscript):
            pieces = [visible.encoded] if visible else []
            self.recent.stage(session, start, end, pieces)
        summary = None if summarised is None else Summary(text, summarised)
        return Conversation(visible, summary, first - start)

    def endTurn(
        self,
        connection: sqlite3.Connection,
        now: float,
        claim: Claim,
        messages: Sequence[Message],
        summary: Summary | None,
    ) -> None:
        """
        See L{openclaw.interfaces.ISessionStore.endTurn}.

        @param now: Seconds since the epoch.
        """
        connection.execute(BEGIN)
        claimed = (claim.sessionKey, claim.runID, str(self.owner))
        if connection.execute(GIVE_BACK, claimed).rowcount != 1:
            raise StoreError("The run no longer holds its session.")
        if not messages and summary is None:
            return
        session, length, _, _, summarised, _ = connection.execute(
            FIND, (claim.sessionKey,)
        ).fetchone()
        if messages:
            end = length + len(messages)
            connection.execute(ADVANCE, (now, end, session))
            bodies = _append(connection, now, session, length, claim.runID, messages)
            start = summarised or 0
            known = self.recent.find(session, start, length)
            if known is not None and isPlain(messages):
                # The next turn joins them: a long transcript is copied once a turn.
                self.recent.stage(session, start, end, [*known, *bodies])
        if summary is not None:
            checkSummary(summary, summarised or 0, length + len(messages))
            row = (session, summary.messageCount, claim.runID, now, summary.text)
            connection.execute(SUMMARISE, row)

    def renew(self, connection: sqlite3.Connection, claims: Sequence[Claim]) -> None:
        connection.execute(BEGIN)
        owner = str(self.owner)
        expiresAt = self.uptime() + self.leaseSeconds
        connection.executemany(
            RENEW,
            [(expiresAt, claim.sessionKey, claim.runID, owner) for claim in claims],
        )

    def releaseAll(self, connection: sqlite3.Connection) -> None:
        connection.execute(BEGIN)
        connection.execute(GIVE_ALL_BACK, (str(self.owner),))

    def transcript(
        self, connection: sqlite3.Connection, sessionKey: str
    ) -> Sequence[Message]:
        connection.execute("BEGIN")  # both reads must see the same state
        session, length, *_ = connection.execute(FIND, (sessionKey,)).fetchone()
        if session is None:
            return ()
        bodies = _readBodies(connection, session, 0, None)
        return _decodeBodies(bodies or b"", sessionKey, length)

    def outline(self, connection: sqlite3.Connection, sessionKey: str) -> Outline:
        connection.execute("BEGIN")
        session, *_ = connection.execute(FIND, (sessionKey,)).fetchone()
        if session is None:
            return Outline()
        found = connection.execute(FIRST, (FIRST_CHARACTERS, session)).fetchone()
        first = _decodeMessage(found[0], sessionKey) if found and found[0] else None
        rows = connection.execute(NEWEST, (session,))
        return buildOutline(
            ((size, body and _decodeMessage(body, sessionKey)) for size, body in rows),
            first if isinstance(first, UserMessage) else None,
        )

    def tail(self, connection: sqlite3.Connection, sessionKey: str, limit: int) -> Tail:
        connection.execute("BEGIN")
        session, length, *_ = connection.execute(FIND, (sessionKey,)).fetchone()
        if session is None:
            return Tail()
        (agentID,) = connection.execute(AGENT, (session,)).fetchone()
        rows = connection.execute(TAIL, (session, LONG_CHARACTERS, limit))
        messages = takeNewest(
            (size, _decodeMessage(body, sessionKey, isLong=size > LONG_CHARACTERS))
            for size, body in rows
        )
        return Tail(agentID, length, messages)

    def sessions(
        self,
        connection: sqlite3.Connection,
        agentID: str | None,
        prefix: str,
        limit: int | None,
    ) -> Sequence[SessionInfo]:
        bounds = (agentID, prefix, -1 if limit is None else limit)
        rows = connection.execute(SESSIONS, bounds)
        return tuple(SessionInfo(*row) for row in rows)

    def _isFree(self, owner: str, expiresAt: float) -> bool:
        """
        Return whether another run's claim can be taken over.
        """
        now = self.uptime()
        # An expiry beyond a full lease dates from before the machine's last boot.
        isValid = now <= expiresAt <= now + self.leaseSeconds
        return not isValid or self.owner.isProcessGone(owner)


def _firstLoaded(
    connection: sqlite3.Connection, session: int, start: int, length: int
) -> int:
    """
    Find the position of the oldest message that is loaded for a turn.

    @param start: The position of the oldest candidate.

    @param length: The number of messages before the turn adds its own.
    """
    if length <= start:
        return start
    bounds = (session, start, length, MAX_LOADED_BYTES, MAX_LOADED_MESSAGES)
    (first,) = connection.execute(FIRST_LOADED, bounds).fetchone()
    return int(first)


def _append(
    connection: sqlite3.Connection,
    now: float,
    session: int,
    position: int,
    runID: str,
    messages: Sequence[Message],
) -> list[bytes]:
    """
    Add messages to a session.

    @param position: The position of the first one.

    @return: Each as stored JSON.
    """
    bodies = [ENCODER.encode(message) for message in messages]
    connection.executemany(
        APPEND,
        [
            (session, place, runID, now, body.decode())
            for place, body in enumerate(bodies, position)
        ],
    )
    return bodies


def _readBodies(
    connection: sqlite3.Connection,
    session: int,
    start: int,
    limit: int | None = MAX_LOADED_BYTES,
) -> bytes | None:
    """
    Read the messages of a session as stored JSON, joined by commas.

    @param start: The position of the first one.

    @param limit: Bytes.  SQLite enforces it, so that nothing has to be measured first.

    @return: C{None} if there are more bytes.
    """
    if limit is None:
        (bodies,) = connection.execute(TRANSCRIPT, (session, start)).fetchone()
        return bodies or b""
    usual = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit)
    try:
        return _readBodies(connection, session, start, None)
    except sqlite3.DataError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_TOOBIG:
            raise
        return None
    finally:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, usual)


def _decodeMessage(body: str, sessionKey: str, *, isLong: bool = False) -> Message:
    """
    @param isLong: Whether C{body} may be only the beginning of the message.

    @raise StoreError: It is not a message.
    """
    try:
        return decodeTruncated(body) if isLong else MESSAGE_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise StoreError(f"The transcript of {sessionKey} is damaged.") from error


def _decodeBodies(bodies: bytes, sessionKey: str, count: int) -> Sequence[Message]:
    """
    Decode messages, and check their number.

    @return: A L{PlainTranscript} if they are plain texts.

    @raise StoreError: Messages are missing or can't be decoded.
    """
    try:
        messages = DECODER.decode(b"[%b]" % bodies)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise StoreError(f"The transcript of {sessionKey} is damaged.") from error
    if len(messages) != count:
        raise StoreError(f"The transcript of {sessionKey} is damaged.")
    if isPlain(messages):
        return PlainTranscript(bodies, len(messages), messages)
    return messages
