"""
Quotas: the requests and runs of callers who have a limit.
"""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from openclaw.errors import QuotaExceeded
from openclaw.interfaces import ICaller

MINUTE = 60.0
RETRY_SECONDS = 2.0
"""
Retry-After of a caller whose runs are too many, in seconds. Nobody knows when one ends.
"""


class Quotas:
    """
    Counts the requests and the runs of those callers who have a bound.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[str, int] = {}
        self._requests: dict[str, deque[float]] = {}

    def request(self, caller: ICaller) -> None:
        """
        The caller has come with a request.

        @raise QuotaExceeded: There were too many in the last minute.  One that is
            refused does not count.
        """
        most = caller.quota.requestsPerMinute
        if most is None:
            return
        now = self._clock.seconds()
        times = self._requests.setdefault(nameOf(caller), deque())
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) >= most:
            # If the bound was lowered, more than one has to be forgotten.
            free = times[len(times) - most] + MINUTE
            raise QuotaExceeded(
                f"You may send {most} requests a minute.", retryAfter=free - now
            )
        times.append(now)

    def run(self, caller: ICaller) -> Callable[[], None]:
        """
        The caller is about to start a run.

        @return: What is to be called when the run has ended; more than once does
            nothing.

        @raise QuotaExceeded: As many of theirs are running as may.
        """
        most, name = caller.quota.concurrentRuns, nameOf(caller)
        if most is None:
            return _nothing
        if self._running.get(name, 0) >= most:
            raise QuotaExceeded(
                f"You may have {most} runs at once.",
                code="token_concurrency",
                retryAfter=RETRY_SECONDS,
            )
        self._running[name] = self._running.get(name, 0) + 1
        held = [name]

        def release() -> None:
            if held:
                self._leave(held.pop())

        return release

    def _leave(self, name: str) -> None:
        self._running[name] -= 1
        if not self._running[name]:
            del self._running[name]


def nameOf(caller: ICaller) -> str:
    """
    Return the name that a caller's quota is counted by.  A new token with the label of
    a revoked one does not inherit what that one used.
    """
    return caller.namespace or caller.label


def _nothing() -> None:
    """
    There is no bound.
    """
