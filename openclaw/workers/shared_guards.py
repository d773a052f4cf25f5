"""
Throttle and quotas that apply to all workers together.
"""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.api.peers import Peers, selectOwner
from openclaw.auth.client_address import ClientAddress
from openclaw.auth.quotas import Quotas, quotaKey
from openclaw.auth.throttle import Throttle
from openclaw.config import RateLimit
from openclaw.interfaces import ICaller

FAILED = "credential failed"
"""
The topic of failed authentications.
"""


class SharedThrottle(Throttle):
    """
    Also counts the failures in other workers.
    """

    def __init__(
        self, peers: Peers, limits: RateLimit, clock: IReactorTime, log: Logger
    ) -> None:
        super().__init__(limits, clock, log)
        self._peers = peers
        peers.onQuery(FAILED, self._countPeerFailure)

    def recordFailure(self, origin: ClientAddress, kind: str) -> "Deferred[None]":
        """
        Count an invalid credential here and in the other workers.

        @return: Fires when all have counted it.
        """
        super().recordFailure(origin, kind)
        if self._isExempt(origin):
            return succeed(None)
        failure = {"name": origin.name, "local": origin.local, "kind": kind}
        return self._peers.query(FAILED, failure).addCallback(lambda _: None)

    def _countPeerFailure(self, failure: Mapping[str, Any]) -> None:
        origin = ClientAddress(
            name=failure["name"], local=failure["local"], trusted=False
        )
        if not self._isExempt(origin):
            # Only the worker that received the request logs a lockout.
            self._countFailure(origin, failure["kind"])


class SharedQuotas(Quotas):
    """
    Counts the requests of callers that are assigned to this worker.  Requests of other
    callers with quotas are forwarded to theirs, and counted there; see
    L{openclaw.workers.worker_router.WorkerRouter}.
    """

    def __init__(self, peers: Peers, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._peers = peers

    def countRequest(self, caller: ICaller) -> None:
        owner = findCallerWorker(caller, self._peers.count)
        if owner is None or owner == self._peers.number:
            super().countRequest(caller)


def findCallerWorker(caller: ICaller, count: int) -> int | None:
    """
    Return the worker that handles all requests of a caller with quotas.

    @return: C{None} for a caller without quotas, which any worker may handle.
    """
    quota = caller.quota
    if quota.concurrentRuns is None and quota.requestsPerMinute is None:
        return None
    return selectOwner(count, quotaKey(caller))
