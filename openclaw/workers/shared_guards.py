"""
Bounds of callers that hold for all workers together.
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
The topic under which workers tell each other of wrong credentials.
"""


class SharedThrottle(Throttle):
    """
    Counts also what others saw fail.
    """

    def __init__(
        self, peers: Peers, limits: RateLimit, clock: IReactorTime, log: Logger
    ) -> None:
        super().__init__(limits, clock, log)
        self._peers = peers
        peers.answer(FAILED, self._heard)

    def recordFailure(self, origin: ClientAddress, kind: str) -> "Deferred[None]":
        """
        Count an invalid credential here and in the other workers.

        @return: Fires when all have counted it.
        """
        super().recordFailure(origin, kind)
        if self._isExempt(origin):
            return succeed(None)
        said = {"name": origin.name, "local": origin.local, "kind": kind}
        return self._peers.ask(FAILED, said).addCallback(lambda _: None)

    def _heard(self, said: Mapping[str, Any]) -> None:
        origin = ClientAddress(name=said["name"], local=said["local"], trusted=False)
        if not self._isExempt(origin):
            # Who has seen it fail says if it was one too many.
            self._countFailure(origin, said["kind"])


class SharedQuotas(Quotas):
    """
    Counts those callers who belong to this worker.  Requests of others that have a
    bound are passed on to theirs, and counted there; see
    L{openclaw.workers.worker_router.WorkerRouter}.
    """

    def __init__(self, peers: Peers, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._peers = peers

    def countRequest(self, caller: ICaller) -> None:
        """
        See L{Quotas.countRequest}.
        """
        owner = ownerOfCaller(caller, self._peers.count)
        if owner is None or owner == self._peers.number:
            super().countRequest(caller)


def ownerOfCaller(caller: ICaller, count: int) -> int | None:
    """
    The worker that answers all requests of a caller.

    @return: C{None} for a caller without a bound, whom each may answer.
    """
    quota = caller.quota
    if quota.concurrentRuns is None and quota.requestsPerMinute is None:
        return None
    return selectOwner(count, quotaKey(caller))
