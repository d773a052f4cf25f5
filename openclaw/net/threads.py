"""
Blocking work in threads, which can be stopped.
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
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits

T = TypeVar("T")

TOOL_THREADS = 4
"""
Threads for the tools of agents.  They are separate from the reactor's own, in which
names are resolved, so that tools do not delay those.  All threads share Python's global
lock with the reactor: with 64 threads that counted lines, it responded after 155 ms.
"""

BODY_THREADS = 2
"""
Threads for large request and response bodies.  Parsing JSON holds Python's global lock,
so that more threads would not be faster.
"""


class _FairThreadPool:
    """
    The threads for one kind of work, shared fairly by callers.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._pools: WeakKeyDictionary[object, ThreadPool] = WeakKeyDictionary()
        self._turns: WeakKeyDictionary[object, FairSemaphore] = WeakKeyDictionary()

    def run(
        self, reactor: Any, caller: str, work: Callable[[Event], T]
    ) -> "Deferred[T]":
        turns = self._turns.get(reactor)
        if turns is None:
            # No limit of waiters: tool calls and the memory for bodies have their own.
            turns = FairSemaphore(reactor, SemaphoreLimits(capacity=self._size))
            self._turns[reactor] = turns
        pool = self._getPool(reactor)
        return Deferred.fromCoroutine(
            turns.run(caller, lambda: _runInThread(reactor, pool, work))
        )

    def _getPool(self, reactor: Any) -> Any:
        """
        Return the threads of a reactor, which are created at the first use.
        """
        if not isinstance(reactor, ReactorBase):
            # A test's reactor may have no threads.
            return reactor.getThreadPool()
        pool = self._pools.get(reactor)
        if pool is None:
            pool = self._pools[reactor] = ThreadPool(0, self._size, self._name)
            reactor.callWhenRunning(self._start, reactor)
            reactor.addSystemEventTrigger("during", "shutdown", self._stop, reactor)
        return pool

    def _start(self, reactor: ReactorBase) -> None:
        pool = self._pools.get(reactor)
        # It can have been stopped before the reactor ran.
        if pool is not None:
            pool.start()

    def _stop(self, reactor: ReactorBase) -> None:
        self._pools.pop(reactor).stop()


_tools = _FairThreadPool("openclaw tools", TOOL_THREADS)
_bodies = _FairThreadPool("openclaw bodies", BODY_THREADS)


class Stopped(Exception):
    """
    The work was stopped.
    """


def runInToolThread(context: ToolContext, work: Callable[[Event], T]) -> "Deferred[T]":
    """
    Run blocking work of a tool, in turn with that of other callers; see L{runInThread}.
    """
    return _tools.run(context.reactor, context.shareKey, work)


def runInBodyThread(
    reactor: Any, caller: str, work: Callable[[Event], T]
) -> "Deferred[T]":
    """
    Parse or encode a large body of a caller, in turn with those of others; see
    L{runInThread}.

    @param caller: See L{openclaw.interfaces.ICaller.shareKey}.
    """
    return _bodies.run(reactor, caller, work)


def runInThread(reactor: Any, work: Callable[[Event], T]) -> "Deferred[T]":
    """
    Run blocking work in a thread of the reactor.

    @param work: Receives an L{Event} that is set when the result is no longer needed.
        It checks the event now and then, and before it makes a change.
    @return: The result of C{work}.  When this is cancelled, it fails only after the
        thread is done, so that nothing continues unnoticed.  Work that was not started
        is never started.
    """
    return Deferred.fromCoroutine(_runInThread(reactor, reactor.getThreadPool(), work))


async def _runInThread(reactor: Any, pool: Any, work: Callable[[Event], T]) -> T:
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
