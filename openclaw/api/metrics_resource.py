"""
C{GET /metrics}: the metrics of all workers together.
"""

from collections.abc import Callable

from msgspec import convert

from openclaw.api.peers import Peers
from openclaw.metrics.exposition import MetricsPage
from openclaw.metrics.snapshot import Snapshot
from openclaw.server.api_request import ApiRequest

METRICS_TOPIC = "metrics"
"""
The topic on which workers exchange their metrics.
"""


class MetricsResource:
    def __init__(
        self, page: MetricsPage, connections: Callable[[], int], peers: Peers
    ) -> None:
        """
        @param connections: Return the number of open client connections.

        @param peers: The other workers.
        """
        self._page = page
        self._connections = connections
        self._peers = peers
        peers.onQuery(METRICS_TOPIC, lambda _: page.snapshot(connections()))

    async def show(self, request: ApiRequest) -> None:
        """
        Respond with all metrics, in the format that the C{Accept} header names.
        """
        others = convert(await self._peers.query(METRICS_TOPIC), list[Snapshot])
        text, kind = self._page.render(
            self._connections(), request.headers.get("accept", ""), others
        )
        request.respond(text, kind)
