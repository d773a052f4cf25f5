"""
C{/healthz}, C{/readyz} and C{/startupz}: the probes for liveness, readiness and
startup.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from openclaw import __version__
from openclaw.api.peers import Peers
from openclaw.server.api_request import ApiRequest

FAILING_TOPIC = "failing"
"""
The topic on which workers exchange the reasons for not being ready.
"""


class Health:
    def __init__(
        self,
        failing: Callable[[], Sequence[str]],
        peers: Peers,
        reactor: IReactorTime,
    ) -> None:
        """
        @param failing: Return the reasons for which the gateway is not ready, one line
            each.

        @param peers: The other workers.
        """
        self._failing = failing
        self._peers = peers
        self._reactor = reactor
        self._startedAt = reactor.seconds()
        peers.onQuery(FAILING_TOPIC, lambda _: list(failing()))

    async def live(self, request: ApiRequest) -> dict[str, Any]:
        """
        Report that the process is alive.
        """
        return {"ok": True, "status": "live"}

    async def ready(self, request: ApiRequest) -> dict[str, Any]:
        """
        Report whether the gateway is ready to serve, with the reasons if it is not.
        """
        failing = await self._allFailing(request)
        return {
            "ok": not failing,
            "ready": not failing,
            "status": "not ready" if failing else "ready",
            "uptimeMs": self._uptime(),
            "failing": failing,
        }

    async def started(self, request: ApiRequest) -> dict[str, Any]:
        """
        Report whether the gateway has started, with the reasons if it has not.
        """
        failing = await self._allFailing(request)
        document = {
            "ok": not failing,
            "status": "not started" if failing else "started",
            "version": __version__,
            "uptimeMs": self._uptime(),
        }
        # The response of a successful start must not have this member.
        return document | ({"failing": failing} if failing else {})

    async def _allFailing(self, request: ApiRequest) -> list[str]:
        """
        Collect the reasons from all workers, and set the status.
        """
        failing = list(self._failing())
        for others in await self._peers.query(FAILING_TOPIC):
            failing += [each for each in others if each not in failing]
        if failing:
            request.response.setResponseCode(503)
        return failing

    def _uptime(self) -> int:
        return int((self._reactor.seconds() - self._startedAt) * 1000)
