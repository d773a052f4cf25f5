"""
Who may run now, and who waits: one run at a time for a session, and so many in all.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from openclaw.errors import Busy, SessionBusy

RETRY_SECONDS = 2.0
"""
What callers are told to wait before they ask again.
"""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    The bounds of running and waiting.

    @ivar running: How many may run at once.
    @ivar queued: How many may wait for that.
    @ivar perSession: How many may wait for one session.
    @ivar waitSeconds: How long each may wait.
    """

    running: int
    queued: int
    perSession: int
    waitSeconds: float


class Places:
    """
    Hands out places to run.
    """

    def __init__(self, reactor: IReactorTime, limits: Limits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._all = DeferredSemaphore(limits.running)
        self._sessions: defaultdict[str, DeferredLock] = defaultdict(DeferredLock)
        self._releases: deque[Callable[[], None]] = deque()
        self._releasing = False

    def limit(self, limits: Limits) -> None:
        """
        Let other bounds hold for those who come from now on.
        """
        if limits.running != self._limits.running:
            # Those who run or wait give their places back to the old one.
            self._all = DeferredSemaphore(limits.running)
        self._limits = limits

    def enter(self) -> "Deferred[DeferredSemaphore]":
        """
        Wait for a place among those who run.

        @return: What L{leave} wants when the run has ended.  Fails with L{Busy} when
            too many wait, or it takes too long.
        """
        if not self._all.tokens and len(self._all.waiting) >= self._limits.queued:
            return fail(_busy())
        return self._bounded(self._all.acquire(), _busy)

    def leave(self, place: DeferredSemaphore) -> None:
        """
        Let the next one run.

        @param place: What L{enter} gave.
        """
        self._release(place.release)

    def enterSession(self, sessionKey: str) -> "Deferred[DeferredLock]":
        """
        Wait until the session is ours, in the order of asking.

        @return: Fails with L{SessionBusy} when too many wait, or it takes too long.
        """
        lock = self._sessions[sessionKey]
        if lock.locked and len(lock.waiting) >= self._limits.perSession:
            return fail(_sessionBusy())
        return self._bounded(lock.acquire(), _sessionBusy)

    def leaveSession(self, sessionKey: str) -> None:
        """
        Let the next one have the session.
        """
        self._release(partial(self._unlock, sessionKey))

    def _unlock(self, sessionKey: str) -> None:
        lock = self._sessions[sessionKey]
        lock.release()
        if not lock.locked:
            del self._sessions[sessionKey]

    def _release(self, release: Callable[[], None]) -> None:
        """
        Give a place to the next one, who may be done with it before C{release}
        returns.  Then the one after that has to wait for its turn here: a queue can
        be longer than the stack is deep.
        """
        self._releases.append(release)
        if self._releasing:
            return
        self._releasing = True
        try:
            while self._releases:
                self._releases.popleft()()
        finally:
            self._releasing = False

    def _bounded(
        self, waiting: "Deferred[T]", error: Callable[[], Busy]
    ) -> "Deferred[T]":
        if not waiting.called:
            waiting.addTimeout(
                self._limits.waitSeconds,
                self._reactor,
                lambda result, seconds: Failure(error()),
            )
        return waiting


def _busy() -> Busy:
    return Busy(
        "The gateway is running as many agents as it may. Try again soon.",
        retryAfter=RETRY_SECONDS,
    )


def _sessionBusy() -> Busy:
    return SessionBusy(
        "This session has other runs in progress. Try again soon.",
        retryAfter=RETRY_SECONDS,
    )


__all__ = ["RETRY_SECONDS", "Limits", "Places"]
