"""
A bound on a resource that no caller can use up alone.

Every resource that callers compete for (runs, tool calls, threads, embeddings, the
embedded model) has a L{FairSemaphore}.  Nothing that was granted is taken back, so the
reserve for others has to be kept from the beginning: a caller who has something already
gets more only while, afterwards, they hold at most L{SHARE_RATIO} times what is still
free.  A single caller ends at three quarters; several greedy ones end with equal parts,
and always leave something for the next.
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
The most that a caller may hold, as a multiple of what is left free.
"""

T = TypeVar("T")


def fits(held: int, wanted: int, free: int) -> bool:
    """
    Decide whether a caller may hold more of a resource.

    @param held: What they hold already.
    @param wanted: How much more they want.
    @param free: What nobody holds.
    """
    left = free - wanted
    return left >= 0 and (held == 0 or held + wanted <= SHARE_RATIO * left)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """
    The bounds of a semaphore.

    @ivar capacity: How many may hold it at once.
    @ivar waiting: How many may wait; C{None} for any number.
    @ivar waitSeconds: How long each may wait; C{None} for ever.
    @ivar reserve: Keep some for those who hold nothing yet.  Without it a single
        caller may hold all, and the next has to wait until one is given back.
    """

    capacity: int
    waiting: int | None = None
    waitSeconds: float | None = None
    reserve: bool = True


class FairSemaphore:
    """
    A semaphore that divides what it has fairly among callers.

    The next in turn is the caller who holds least; among equals, turns go round.  A
    caller's own requests are served in their order.  When the queue is full, the one
    who demands most loses their newest request to one who demands less.

    @ivar held: How many hold it.
    @ivar waiting: How many wait.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        bounds: Bounds,
        refusal: Callable[[], Exception] = RuntimeError,
    ) -> None:
        """
        @param refusal: Makes the error for those who can't wait, or waited too long.
        """
        self.held = 0
        self.waiting = 0
        self._reactor = reactor
        self._bounds = bounds
        self._refusal = refusal
        self._holds: dict[str, int] = {}
        self._lines: dict[str, OrderedDict[Deferred[None], None]] = {}
        # The callers in C{_lines} by what they hold, in the order of their turns.
        self._levels: dict[int, OrderedDict[str, None]] = {}
        self._granting = False

    def heldBy(self, caller: str) -> int:
        """
        Count what a caller holds.
        """
        return self._holds.get(caller, 0)

    def resize(self, bounds: Bounds) -> None:
        """
        Change the bounds.  Nothing is taken from those who hold or wait.
        """
        self._bounds = bounds
        self._grant()

    def acquire(self, caller: str) -> "Deferred[None]":
        """
        Wait in turn.

        @return: Fires when the caller holds one more, to be given back with
            L{release}.  Fails with the refusal if too many wait, or it takes too long.
            Cancelling it ends the waiting.
        """
        if self.tryAcquire(caller):
            return succeed(None)
        bounds = self._bounds
        displaced: Deferred[None] | None = None
        if bounds.waiting is not None and self.waiting >= bounds.waiting:
            displaced = self._displaceFor(caller)
            if displaced is None:
                return fail(self._refusal())
        waiter: Deferred[None] = Deferred(partial(self._leave, caller))
        if bounds.waitSeconds is not None:
            waiter.addTimeout(
                bounds.waitSeconds,
                self._reactor,
                lambda result, seconds: Failure(self._refusal()),
            )
        self._join(caller, waiter)
        if displaced is not None:
            displaced.errback(Failure(self._refusal()))
        # In case it was asked for in the middle of a grant.
        self._grant()
        return waiter

    def tryAcquire(self, caller: str) -> bool:
        """
        Hold one more without waiting.

        @return: False if that is not possible now.
        """
        if caller in self._lines or (self._granting and self._lines):
            return False
        held = self._holds.get(caller, 0)
        if not self._fits(held):
            return False
        self._holds[caller] = held + 1
        self.held += 1
        return True

    def release(self, caller: str) -> None:
        """
        Give one back.  The next in turn gets it before this returns.
        """
        self._change(caller, -1)
        self._grant()

    async def run(self, caller: str, work: Callable[[], Awaitable[T]]) -> T:
        """
        Do something that holds one meanwhile.
        """
        await self.acquire(caller)
        try:
            return await work()
        finally:
            self.release(caller)

    def _grant(self) -> None:
        """
        Serve those who wait.  One of them may be done before its callback returns, and
        a queue can be longer than the stack is deep: so this does not nest.
        """
        if self._granting or not self._lines:
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
        # As many levels as there are different numbers of held ones: 22 of 256.
        level = min(self._levels)
        if not self._fits(level):
            return None
        caller = next(iter(self._levels[level]))
        waiter = next(iter(self._lines[caller]))
        self._leave(caller, waiter)
        self._change(caller, 1)
        return waiter

    def _fits(self, held: int) -> bool:
        free = self._bounds.capacity - self.held
        return fits(held if self._bounds.reserve else 0, 1, free)

    def _displaceFor(self, caller: str) -> "Deferred[None] | None":
        """
        Make room in a full queue.

        @return: The request that lost its place, or C{None} if nobody demands more
            than the caller does.
        """
        if not self._lines:
            return None
        greediest = max(self._lines, key=self._demandOf)
        if self._demandOf(greediest) <= self._demandOf(caller) + 1:
            return None
        waiter = next(reversed(self._lines[greediest]))
        self._leave(greediest, waiter)
        return waiter

    def _demandOf(self, caller: str) -> int:
        return self._holds.get(caller, 0) + len(self._lines.get(caller, ()))

    def _change(self, caller: str, difference: int) -> None:
        """
        Let a caller hold more or less.  Those who wait go to the end of their level.
        """
        held = self._holds.get(caller, 0)
        waits = caller in self._lines
        if waits:
            self._leaveLevel(caller, held)
        held += difference
        self.held += difference
        if held:
            self._holds[caller] = held
        else:
            del self._holds[caller]
        if waits:
            self._levels.setdefault(held, OrderedDict())[caller] = None

    def _join(self, caller: str, waiter: "Deferred[None]") -> None:
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = OrderedDict()
            level = self._holds.get(caller, 0)
            self._levels.setdefault(level, OrderedDict())[caller] = None
        line[waiter] = None
        self.waiting += 1

    def _leave(self, caller: str, waiter: "Deferred[None]") -> None:
        line = self._lines[caller]
        del line[waiter]
        self.waiting -= 1
        if not line:
            self._leaveLevel(caller, self._holds.get(caller, 0))
            del self._lines[caller]

    def _leaveLevel(self, caller: str, held: int) -> None:
        level = self._levels[held]
        del level[caller]
        if not level:
            del self._levels[held]
