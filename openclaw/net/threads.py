"""
Blocking work in threads, which can be told to stop.
"""

from collections.abc import Callable
from threading import Event, Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet.base import ReactorBase
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from openclaw.interfaces import ToolContext
from openclaw.net.fair_semaphore import Bounds, FairSemaphore

T = TypeVar("T")

TOOL_THREADS = 4
"""
Threads for the tools of agents.  They are apart from the reactor's own, in which names
are looked up: no tool keeps those waiting.  All threads share Python's lock, and the
reactor waits for it with them: with 64 that count lines it answered after 155 ms.
"""

BODY_THREADS = 2
"""
Threads for large requests and answers.  Reading JSON holds Python's lock all the time,
so more of them would do no more.
"""


class _FairThreads:
    """
    The threads for one kind of work, in which callers take turns.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._pools: WeakKeyDictionary[object, ThreadPool] = WeakKeyDictionary()
        self._turns: WeakKeyDictionary[object, FairSemaphore] = WeakKeyDictionary()

    def run(
        self, reactor: Any, caller: str, work: Callable[[Event], T]
    ) -> "Deferred[T]":
        """
        Do something; see L{inThread}.
        """
        turns = self._turns.get(reactor)
        if turns is None:
            # What waits is bounded by itself: tool calls, and the room for bodies.
            turns = FairSemaphore(reactor, Bounds(capacity=self._size))
            self._turns[reactor] = turns
        pool = self._poolOf(reactor)
        return Deferred.fromCoroutine(
            turns.run(caller, lambda: _inThread(reactor, pool, work))
        )

    def _poolOf(self, reactor: Any) -> Any:
        """
        Return the threads of a reactor, which are made with their first use.
        """
        if not isinstance(reactor, ReactorBase):
            # A test's, which may have no threads at all.
            return reactor.getThreadPool()
        pool = self._pools.get(reactor)
        if pool is None:
            pool = self._pools[reactor] = ThreadPool(0, self._size, self._name)
            reactor.callWhenRunning(pool.start)
            reactor.addSystemEventTrigger("during", "shutdown", self._stop, reactor)
        return pool

    def _stop(self, reactor: ReactorBase) -> None:
        self._pools.pop(reactor).stop()


_tools = _FairThreads("openclaw tools", TOOL_THREADS)
_bodies = _FairThreads("openclaw bodies", BODY_THREADS)


class Stopped(Exception):
    """
    The work was told to stop, and did.
    """


def inToolThread(context: ToolContext, work: Callable[[Event], T]) -> "Deferred[T]":
    """
    Do blocking work of a tool, in turn with that of other callers; see L{inThread}.
    """
    return _tools.run(context.reactor, context.shareKey, work)


def inBodyThread(
    reactor: Any, caller: str, work: Callable[[Event], T]
) -> "Deferred[T]":
    """
    Read or write the large body of a caller, in turn with those of others; see
    L{inThread}.

    @param caller: See L{openclaw.interfaces.ICaller.shareKey}.
    """
    return _bodies.run(reactor, caller, work)


def inThread(reactor: Any, work: Callable[[Event], T]) -> "Deferred[T]":
    """
    Do blocking work in a thread of the reactor.

    @param work: Is given an L{Event} that is set when nobody wants the result any
        more.  It looks at it now and then, and before it makes a change.

    @return: What C{work} returns.  When this is cancelled, it fails only after the
        thread is done: then nothing goes on behind anybody's back.  Work that has
        not begun never does.
    """
    return Deferred.fromCoroutine(_inThread(reactor, reactor.getThreadPool(), work))


async def _inThread(reactor: Any, pool: Any, work: Callable[[Event], T]) -> T:
    stop = Event()
    began = False
    lock = Lock()
    result: Deferred[T] = Deferred()
    ended: Deferred[None] = Deferred()

    def begin() -> T:
        nonlocal began
        with lock:
            if stop.is_set():
                raise Stopped
            began = True
        return work(stop)

    def end(outcome: T | Failure) -> None:
        if not result.called:
            result.callback(outcome)
        ended.callback(None)

    deferToThreadPool(reactor, pool, begin).addBoth(end)
    try:
        return await result
    except CancelledError:
        with lock:
            stop.set()
        if began:
            await ended
        raise


def checkStop(stop: Event) -> None:
    """
    @raise Stopped: The event is set.
    """
    if stop.is_set():
        raise Stopped
