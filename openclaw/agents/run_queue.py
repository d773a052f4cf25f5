"""
The queue of runs: one at a time for a session, a limited number in all, shared fairly
among callers.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred, DeferredLock, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from openclaw.errors import Busy, SessionBusy
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

RETRY_SECONDS = 2.0
"""
The C{Retry-After} of a refusal.
"""


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

    @property
    def bounds(self) -> SemaphoreLimits:
        """
        The bounds of the semaphore that all runs hold.
        """
        return SemaphoreLimits(
            capacity=self.running, waiting=self.queued, waitSeconds=self.waitSeconds
        )


class RunQueue:
    """
    Lets runs begin; see L{FairSemaphore} for the order.
    """

    def __init__(self, reactor: IReactorTime, limits: Limits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._running = FairSemaphore(reactor, limits.bounds, _busy)
        self._sessions: defaultdict[str, DeferredLock] = defaultdict(DeferredLock)
        self._releases: deque[Callable[[], None]] = deque()
        self._releasing = False

    def reconfigure(self, limits: Limits) -> None:
        """
        Change the bounds.  Runs that go on or wait keep what they have.
        """
        self._limits = limits
        self._running.resize(limits.bounds)

    def acquire(self, caller: str) -> "Deferred[None]":
        """
        Wait until one more run of a caller may begin.

        @param caller: See L{openclaw.interfaces.ICaller.shareKey}.

        @return: Fails with L{Busy} when too many wait, or it takes too long.
        """
        return self._running.acquire(caller)

    def release(self, caller: str) -> None:
        """
        End a run of this caller, and let the next in turn begin.
        """
        self._running.release(caller)

    def acquireSession(self, sessionKey: str) -> "Deferred[DeferredLock]":
        """
        Wait until no other run uses a session, in the order of asking.

        @return: Fails with L{SessionBusy} when too many wait, or it takes too long.
        """
        lock = self._sessions[sessionKey]
        if lock.locked and len(lock.waiting) >= self._limits.perSession:
            return fail(_sessionBusy())
        waiting = lock.acquire()
        if not waiting.called:
            waiting.addTimeout(
                self._limits.waitSeconds,
                self._reactor,
                lambda result, seconds: Failure(_sessionBusy()),
            )
        return waiting

    def releaseSession(self, sessionKey: str) -> None:
        """
        Let the next run use a session.
        """
        # That one may be done with it before its callback returns, and a queue can be
        # longer than the stack is deep: so this does not nest.
        self._releases.append(partial(self._unlock, sessionKey))
        if self._releasing:
            return
        self._releasing = True
        try:
            while self._releases:
                self._releases.popleft()()
        finally:
            self._releasing = False

    def _unlock(self, sessionKey: str) -> None:
        lock = self._sessions[sessionKey]
        lock.release()
        if not lock.locked:
            del self._sessions[sessionKey]


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
