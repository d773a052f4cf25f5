"""
Quotas: limits of requests and runs per caller.
"""

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from openclaw.errors import QuotaExceeded
from openclaw.interfaces import ICaller

WINDOW_SECONDS = 60.0
RETRY_SECONDS = 2.0
"""
Retry-After of a caller with too many runs, in seconds; the end of a run can't be
foreseen.
"""


class Quotas:
    """
    Counts the requests and runs of callers that have a limit.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[str, int] = {}
        self._requests: dict[str, deque[float]] = {}

    def countRequest(self, caller: ICaller) -> None:
        """
        Count a request.

        @raise QuotaExceeded: The limit of the last minute is reached; the request is
            not counted then.
        """
        limit = caller.quota.requestsPerMinute
        if limit is None:
            return
        now = self._clock.seconds()
        times = self._requests.setdefault(quotaKey(caller), deque())
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= limit:
            # If the limit was lowered, several requests have to leave the window.
            free = times[len(times) - limit] + WINDOW_SECONDS
            raise QuotaExceeded(
                f"The limit is {limit} requests per minute.", retryAfter=free - now
            )
        times.append(now)

    def acquireRun(self, caller: ICaller) -> Callable[[], None]:
        """
        Count a run that is about to start.

        @return: To be called when the run has ended; further calls do nothing.

        @raise QuotaExceeded: The limit of concurrent runs is reached.
        """
        limit, name = caller.quota.concurrentRuns, quotaKey(caller)
        if limit is None:
            return _noLimit
        if self._running.get(name, 0) >= limit:
            raise QuotaExceeded(
                f"The limit is {limit} concurrent runs.",
                code="token_concurrency",
                retryAfter=RETRY_SECONDS,
            )
        self._running[name] = self._running.get(name, 0) + 1
        held = [name]

        def release() -> None:
            if held:
                self._release(held.pop())

        return release

    def _release(self, name: str) -> None:
        self._running[name] -= 1
        if not self._running[name]:
            del self._running[name]


def quotaKey(caller: ICaller) -> str:
    """
    Return the key that a caller's quota is counted by. A new token with the label of a
    revoked one starts at zero.
    """
    return caller.namespace or caller.label


def _noLimit() -> None:
    """
    Do nothing.
    """
