"""
The session store in memory, for tests and for gateways that keep nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ParamSpec, TypeVar

import msgspec
from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.interfaces import IReactorTime
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
from openclaw.messages import Message, ToolMessage, UserMessage
from openclaw.sessions.store.outlines import FIRST_CHARACTERS, buildOutline
from openclaw.sessions.store.tails import takeNewest
from openclaw.sessions.store.validation import (
    MAX_LOADED_BYTES,
    MAX_LOADED_MESSAGES,
    checkResults,
    checkSummary,
)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(kw_only=True)
class _Session:
    """
    @ivar sizes: The bytes of each message as JSON.
    @ivar summary: The newest summary.
    """

    agentID: str
    createdAt: float
    updatedAt: float
    messages: list[Message] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    summary: Summary | None = None

    @property
    def summarised(self) -> int:
        """
        Return the number of messages that the summary replaces.
        """
        return 0 if self.summary is None else self.summary.messageCount

    def firstLoaded(self) -> int:
        """
        Return the index of the oldest message that is loaded for a turn.
        """
        first, left = len(self.messages), MAX_LOADED_BYTES
        oldest = max(self.summarised, first - MAX_LOADED_MESSAGES)
        while first > oldest and self.sizes[first - 1] <= left:
            first -= 1
            left -= self.sizes[first]
        return first


@implementer(ISessionStore)
class MemorySessionStore:
    """
    Transcripts in memory.  Every Deferred that it returns has already fired.

    Closing and reopening the store does not lose messages.

    @ivar leaseSeconds: See L{ISessionStore.leaseSeconds}.
    """

    def __init__(self, *, clock: IReactorTime, leaseSeconds: float = 15.0) -> None:
        """
        @param leaseSeconds: The life of a claim that is not renewed.
        """
        self.leaseSeconds = leaseSeconds
        self._clock = clock
        self._isOpen = False
        self._sessions: dict[str, _Session] = {}
        self._claims: dict[str, tuple[str, float]] = {}  # key: (run, expiry)

    def open(self) -> Deferred[None]:
        return execute(self._open)

    def _open(self) -> None:
        if self._isOpen:
            raise StoreError("The session store is open already.")
        self._isOpen = True

    def close(self) -> Deferred[None]:
        self._isOpen = False
        self._claims.clear()
        return succeed(None)

    def beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> Deferred[Conversation | None]:
        return self._transact(self._beginTurn, claim, agentID, opening, following)

    def _beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> Conversation | None:
        now = self._clock.seconds()
        key = claim.sessionKey
        if key in self._claims and self._claims[key][1] >= now:
            return None
        session = self._sessions.get(key)
        if session is None:
            session = _Session(agentID=agentID, createdAt=now, updatedAt=now)
        messages = following if session.messages else opening
        first = session.firstLoaded()
        visible = (*session.messages[first:], *messages)
        checkResults(visible, len(visible) - len(messages))
        self._claims[key] = (claim.runID, now + self.leaseSeconds)
        self._sessions[key] = session
        self._append(session, messages)
        return Conversation(visible, session.summary, first - session.summarised)

    def endTurn(
        self, claim: Claim, messages: Sequence[Message], summary: Summary | None = None
    ) -> Deferred[None]:
        return self._transact(self._endTurn, claim, messages, summary)

    def _endTurn(
        self, claim: Claim, messages: Sequence[Message], summary: Summary | None
    ) -> None:
        if not self._holds(claim):
            raise StoreError("The run no longer holds its session.")
        session = self._sessions[claim.sessionKey]
        if summary is not None:
            length = len(session.messages) + len(messages)
            checkSummary(summary, session.summarised, length)
            session.summary = summary
        del self._claims[claim.sessionKey]
        self._append(session, messages)

    def renew(self, claims: Sequence[Claim]) -> Deferred[None]:
        return self._transact(self._renew, claims)

    def _renew(self, claims: Sequence[Claim]) -> None:
        expiresAt = self._clock.seconds() + self.leaseSeconds
        for claim in claims:
            if self._holds(claim):
                self._claims[claim.sessionKey] = (claim.runID, expiresAt)

    def transcript(self, sessionKey: str) -> Deferred[Sequence[Message]]:
        return self._transact(self._transcript, sessionKey)

    def _transcript(self, sessionKey: str) -> Sequence[Message]:
        session = self._sessions.get(sessionKey)
        return () if session is None else tuple(session.messages)

    fault: str | None = None

    def probe(self) -> "Deferred[None]":
        return succeed(None)

    def outline(self, sessionKey: str) -> Deferred[Outline]:
        return self._transact(self._outline, sessionKey)

    def _outline(self, sessionKey: str) -> Outline:
        session = self._sessions.get(sessionKey)
        if session is None or not session.messages:
            return Outline()
        rows = (
            (size, None if isinstance(message, UserMessage) else message)
            for message, size in zip(
                reversed(session.messages), reversed(session.sizes), strict=True
            )
            if not isinstance(message, ToolMessage)
        )
        first = session.messages[0]
        short = session.sizes[0] <= FIRST_CHARACTERS
        known = short and isinstance(first, UserMessage)
        return buildOutline(rows, first if known else None)

    def tail(self, sessionKey: str, limit: int) -> Deferred[Tail]:
        return self._transact(self._tail, sessionKey, limit)

    def _tail(self, sessionKey: str, limit: int) -> Tail:
        session = self._sessions.get(sessionKey)
        if session is None:
            return Tail()
        rows = zip(reversed(session.sizes), reversed(session.messages), strict=True)
        messages = takeNewest(islice(rows, limit))
        return Tail(session.agentID, len(session.messages), messages)

    def sessions(
        self, agentID: str | None = None, prefix: str = "", limit: int | None = None
    ) -> Deferred[Sequence[SessionInfo]]:
        return self._transact(self._infos, agentID, prefix, limit)

    def _infos(
        self, agentID: str | None, prefix: str, limit: int | None
    ) -> Sequence[SessionInfo]:
        infos = sorted(
            (
                SessionInfo(
                    sessionKey=key,
                    agentID=session.agentID,
                    messageCount=len(session.messages),
                    createdAt=session.createdAt,
                    updatedAt=session.updatedAt,
                )
                for key, session in self._sessions.items()
                if (agentID is None or session.agentID == agentID)
                and key.startswith(prefix)
            ),
            key=lambda info: (-info.updatedAt, info.sessionKey),
        )
        return infos[:limit]

    def _transact(
        self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        if not self._isOpen:
            return fail(StoreError("The session store is not open."))
        return execute(work, *args, **kwargs)

    def _holds(self, claim: Claim) -> bool:
        """
        Return whether the claim has neither expired and been taken over, nor been
        released.
        """
        return self._claims.get(claim.sessionKey, ("", 0.0))[0] == claim.runID

    def _append(self, session: _Session, messages: Sequence[Message]) -> None:
        """
        Add messages to a session.  Adding none does not count as use of the session.
        """
        if messages:
            session.messages.extend(messages)
            session.sizes += [len(msgspec.json.encode(each)) for each in messages]
            session.updatedAt = self._clock.seconds()
