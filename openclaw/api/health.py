"""
C{/healthz}, C{/readyz} and C{/startupz}: does the gateway live, can it serve, has it
started?
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from openclaw import __version__
from openclaw.api.peers import Peers
from openclaw.server.api_request import ApiRequest

FAILING = "failing"
"""
The topic under which workers ask each other what fails.
"""


class Health:
    """
    The resources.
    """

    def __init__(
        self,
        failing: Callable[[], Sequence[str]],
        peers: Peers,
        reactor: IReactorTime,
    ) -> None:
        """
        @param failing: What keeps the gateway from serving, a line for each thing.

        @param peers: The other workers.
        """
        self._failing = failing
        self._peers = peers
        self._reactor = reactor
        self._startedAt = reactor.seconds()
        peers.answer(FAILING, lambda _: list(failing()))

    async def live(self, request: ApiRequest) -> dict[str, Any]:
        """
        The process lives.
        """
        return {"ok": True, "status": "live"}

    async def ready(self, request: ApiRequest) -> dict[str, Any]:
        """
        The gateway can serve, or what keeps it from that.
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
        The gateway has started, or what keeps it from that.
        """
        failing = await self._allFailing(request)
        document = {
            "ok": not failing,
            "status": "not started" if failing else "started",
            "version": __version__,
            "uptimeMs": self._uptime(),
        }
        # The contract of a start that succeeded has no such member.
        return document | ({"failing": failing} if failing else {})

    async def _allFailing(self, request: ApiRequest) -> list[str]:
        """
        Return what fails in any worker, and set the status for that.
        """
        failing = list(self._failing())
        for others in await self._peers.ask(FAILING):
            failing += [each for each in others if each not in failing]
        if failing:
            request.response.setResponseCode(503)
        return failing

    def _uptime(self) -> int:
        return int((self._reactor.seconds() - self._startedAt) * 1000)
