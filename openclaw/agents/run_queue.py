"""
The queue of runs: one at a time for each session, a limited number overall, shared
fairly among callers.
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
Retry-After of a refusal, in seconds.
"""


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """
    The limits of running and waiting.

    @ivar running: The number of concurrent runs.
    @ivar queued: The number of runs that wait for a slot.
    @ivar perSession: The number of runs that wait for one session.
    @ivar waitSeconds: The longest wait of each.
    """

    running: int
    queued: int
    perSession: int
    waitSeconds: float

    @property
    def semaphoreLimits(self) -> SemaphoreLimits:
        return SemaphoreLimits(
            capacity=self.running, waiting=self.queued, waitSeconds=self.waitSeconds
        )


class RunQueue:
    """
    Limits concurrent runs, per session and overall; see L{FairSemaphore} for the order.
    """

    def __init__(self, reactor: IReactorTime, limits: RunLimits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._running = FairSemaphore(reactor, limits.semaphoreLimits, _busy)
        self._sessions: defaultdict[str, DeferredLock] = defaultdict(DeferredLock)
        self._releases: deque[Callable[[], None]] = deque()
        self._releasing = False

    def reconfigure(self, limits: RunLimits) -> None:
        """
        Change the limits.  Running and waiting runs stay.
        """
        self._limits = limits
        self._running.resize(limits.semaphoreLimits)

    def acquire(self, caller: str) -> "Deferred[None]":
        """
        Wait for a slot.

        @param caller: See L{openclaw.interfaces.ICaller.shareKey}.
        @return: Fails with L{Busy} if too many runs wait, or the wait takes too long.
        """
        return self._running.acquire(caller)

    def release(self, caller: str) -> None:
        """
        Release a slot of a caller, which the next run in turn acquires.
        """
        self._running.release(caller)

    def acquireSession(self, sessionKey: str) -> "Deferred[DeferredLock]":
        """
        Wait until no other run uses a session, first come, first served.

        @return: Fails with L{SessionBusy} if too many runs wait, or the wait takes too
            long.
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
        # The next run may release the session from within its callback, and a queue can
        # be longer than the stack is deep: so this does not recurse.
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
        "The gateway has reached its limit of concurrent runs. Try again soon.",
        retryAfter=RETRY_SECONDS,
    )


def _sessionBusy() -> Busy:
    return SessionBusy(
        "This session has other runs in progress. Try again soon.",
        retryAfter=RETRY_SECONDS,
    )
