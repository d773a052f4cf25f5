"""
C{GET /metrics}: the gateway's numbers, of all workers together.
"""

from collections.abc import Callable

from msgspec import convert

from openclaw.api.peers import Peers
from openclaw.metrics.exposition import MetricsPage
from openclaw.metrics.snapshot import Snapshot
from openclaw.server.api_request import ApiRequest

METRICS = "metrics"
"""
The topic under which workers ask each other for their numbers.
"""


class MetricsResource:
    """
    The resource.
    """

    def __init__(
        self, page: MetricsPage, connections: Callable[[], int], peers: Peers
    ) -> None:
        """
        @param connections: Counts the open connections of callers.

        @param peers: The other workers.
        """
        self._page = page
        self._connections = connections
        self._peers = peers
        peers.answer(METRICS, lambda _: page.snapshot(connections()))

    async def show(self, request: ApiRequest) -> None:
        """
        All numbers, in the format that the caller takes.
        """
        others = convert(await self._peers.ask(METRICS), list[Snapshot])
        text, kind = self._page.render(
            self._connections(), request.header("accept") or "", others
        )
        request.respond(text, kind)
