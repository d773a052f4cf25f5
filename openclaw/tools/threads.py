"""
Blocking work in the reactor's threads, which can be told to stop.
"""

from collections.abc import Callable
from threading import Event, Lock
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

T = TypeVar("T")


class Stopped(Exception):
    """
    The work was told to stop, and did.
    """


def inThread(reactor: Any, work: Callable[[Event], T]) -> "Deferred[T]":
    """
    Do blocking work in a thread.

    @param work: Is given an L{Event} that is set when nobody wants the result any
        more.  It looks at it now and then, and before it makes a change.

    @return: What C{work} returns.  When this is cancelled, it fails only after the
        thread is done: then nothing goes on behind anybody's back.  Work that has
        not begun never does.
    """
    return Deferred.fromCoroutine(_inThread(reactor, work))


async def _inThread(reactor: Any, work: Callable[[Event], T]) -> T:
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

    deferToThreadPool(reactor, reactor.getThreadPool(), begin).addBoth(end)
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


__all__ = ["Stopped", "checkStop", "inThread"]
