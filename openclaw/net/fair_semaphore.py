"""
Semaphores that no caller can use up alone.

Each resource that callers compete for (runs, tool calls, threads, embeddings, the local
model) has a L{FairSemaphore}.  Nothing that was granted is revoked, so the reserve for
other callers must be kept from the beginning: a caller who holds something already gets
more only if they then hold at most L{SHARE_RATIO} times what is still free.  A single
caller ends at three quarters; several greedy ones end with equal shares, and always
leave something for the next.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

SHARE_RATIO = 3
"""
Limit of what a caller holds, as a multiple of what is free.
"""

T = TypeVar("T")


def mayHold(held: int, wanted: int, free: int) -> bool:
    """
    Return whether a caller may hold more of a resource.

    @param held: What they hold already.
    @param wanted: How much more they request.
    @param free: What is free.
    """
    left = free - wanted
    return left >= 0 and (held == 0 or held + wanted <= SHARE_RATIO * left)


@dataclass(frozen=True, kw_only=True)
class SemaphoreLimits:
    """
    The limits of a semaphore.

    @ivar capacity: The number of holders at once.
    @ivar waiting: The number of waiters; C{None} for no limit.
    @ivar waitSeconds: The longest wait of each; C{None} for no limit.
    @ivar reserve: Keep a share free for callers that hold nothing.  Without it, a
        single caller may hold all, and the next has to wait for a release.
    """

    capacity: int
    waiting: int | None = None
    waitSeconds: float | None = None
    reserve: bool = True


class FairSemaphore:
    """
    A semaphore that divides its capacity fairly among callers.

    The next in turn is the caller who holds least; among equals, round robin.  A
    caller's own requests are served in order.  When the queue is full, the caller with
    the highest demand loses their newest request to a caller with a lower one.

    @ivar held: The number of holders.
    @ivar waiting: The number of waiters.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        limits: SemaphoreLimits,
        refusal: Callable[[], Exception] = RuntimeError,
    ) -> None:
        """
        @param refusal: Makes the error for requests that cannot wait, or waited too
            long.
        """
        self.held = 0
        self.waiting = 0
        self._reactor = reactor
        self._limits = limits
        self._refusal = refusal
        self._held: dict[str, int] = {}
        self._queues: dict[str, OrderedDict[Deferred[None], None]] = {}
        # The callers in C{_queues} by what they hold, in the order of service.
        self._levels: dict[int, OrderedDict[str, None]] = {}
        self._granting = False

    def countHeld(self, caller: str) -> int:
        return self._held.get(caller, 0)

    def resize(self, limits: SemaphoreLimits) -> None:
        """
        Change the limits.  Holders and waiters stay.
        """
        self._limits = limits
        self._grant()

    def acquire(self, caller: str) -> "Deferred[None]":
        """
        Acquire the semaphore, in turn.

        @return: Fires once it is acquired; L{release} must follow.  Fails with the
            refusal if too many wait, or the wait takes too long.  May be cancelled.
        """
        if self.tryAcquire(caller):
            return succeed(None)
        limits = self._limits
        displaced: Deferred[None] | None = None
        if limits.waiting is not None and self.waiting >= limits.waiting:
            displaced = self._displace(caller)
            if displaced is None:
                return fail(self._refusal())
        waiter: Deferred[None] = Deferred(partial(self._dequeue, caller))
        if limits.waitSeconds is not None:
            waiter.addTimeout(
                limits.waitSeconds,
                self._reactor,
                lambda result, seconds: Failure(self._refusal()),
            )
        self._enqueue(caller, waiter)
        if displaced is not None:
            displaced.errback(Failure(self._refusal()))
        # This may have been called from within a grant.
        self._grant()
        return waiter

    def tryAcquire(self, caller: str) -> bool:
        """
        Acquire the semaphore without waiting.

        @return: Whether it was acquired.
        """
        if caller in self._queues or (self._granting and self._queues):
            return False
        held = self._held.get(caller, 0)
        if not self._mayHold(held):
            return False
        self._held[caller] = held + 1
        self.held += 1
        return True

    def release(self, caller: str) -> None:
        """
        Release the semaphore.  The next in turn acquires it before this returns.
        """
        self._adjust(caller, -1)
        self._grant()

    async def run(self, caller: str, work: Callable[[], Awaitable[T]]) -> T:
        """
        Run C{work} while holding the semaphore.
        """
        await self.acquire(caller)
        try:
            return await work()
        finally:
            self.release(caller)

    def _grant(self) -> None:
        """
        Serve the waiters.  A waiter's callback may release the semaphore at once, and a
        queue can be longer than the stack is deep: so this does not recurse.
        """
        if self._granting or not self._queues:
            return
        self._granting = True
        try:
            while (waiter := self._takeNext()) is not None:
                waiter.callback(None)
        finally:
            self._granting = False

    def _takeNext(self) -> "Deferred[None] | None":
        if not self._levels:
            return None
        # There are few levels: 22 for a capacity of 256.
        level = min(self._levels)
        if not self._mayHold(level):
            return None
        caller = next(iter(self._levels[level]))
        waiter = next(iter(self._queues[caller]))
        self._dequeue(caller, waiter)
        self._adjust(caller, 1)
        return waiter

    def _mayHold(self, held: int) -> bool:
        free = self._limits.capacity - self.held
        return mayHold(held if self._limits.reserve else 0, 1, free)

    def _displace(self, caller: str) -> "Deferred[None] | None":
        """
        Free a slot in a full queue.

        @return: The displaced request, or C{None} if no caller demands more than this
            one.
        """
        if not self._queues:
            return None
        greediest = max(self._queues, key=self._countDemand)
        if self._countDemand(greediest) <= self._countDemand(caller) + 1:
            return None
        waiter = next(reversed(self._queues[greediest]))
        self._dequeue(greediest, waiter)
        return waiter

    def _countDemand(self, caller: str) -> int:
        return self._held.get(caller, 0) + len(self._queues.get(caller, ()))

    def _adjust(self, caller: str, difference: int) -> None:
        """
        Change what a caller holds.  A waiting caller moves to the end of the new level.
        """
        held = self._held.get(caller, 0)
        waits = caller in self._queues
        if waits:
            self._removeFromLevel(caller, held)
        held += difference
        self.held += difference
        if held:
            self._held[caller] = held
        else:
            del self._held[caller]
        if waits:
            self._levels.setdefault(held, OrderedDict())[caller] = None

    def _enqueue(self, caller: str, waiter: "Deferred[None]") -> None:
        queue = self._queues.get(caller)
        if queue is None:
            queue = self._queues[caller] = OrderedDict()
            level = self._held.get(caller, 0)
            self._levels.setdefault(level, OrderedDict())[caller] = None
        queue[waiter] = None
        self.waiting += 1

    def _dequeue(self, caller: str, waiter: "Deferred[None]") -> None:
        queue = self._queues[caller]
        del queue[waiter]
        self.waiting -= 1
        if not queue:
            self._removeFromLevel(caller, self._held.get(caller, 0))
            del self._queues[caller]

    def _removeFromLevel(self, caller: str, held: int) -> None:
        level = self._levels[held]
        del level[caller]
        if not level:
            del self._levels[held]
