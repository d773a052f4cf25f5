"""
The composition of the HTTP API.
"""

from collections.abc import Callable, Collection, Sequence
from time import time
from typing import Any

from twisted.logger import Logger

from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.run_registry import RequestFingerprint, RunRegistry
from openclaw.agents.run_request import makeRunID
from openclaw.agents.runtime import Runtime
from openclaw.api.chat_chunks import CompletionFormats
from openclaw.api.chat_completions import ChatCompletions
from openclaw.api.embeddings import Embeddings
from openclaw.api.health import Health
from openclaw.api.metrics_resource import MetricsResource
from openclaw.api.model_list import Models
from openclaw.api.peers import RUN_IN_PROGRESS, NoPeers, Peers
from openclaw.api.routes import ROUTES, Resources
from openclaw.api.runs import Runs
from openclaw.metrics.exposition import MetricsPage
from openclaw.server.dispatch import RoutedResource
from openclaw.server.routing import RouteTable


class GatewayApp:
    """
    The resources of the gateway.

    @ivar connections: The open client connections, set by the creator of the site.
    @ivar routes: The route table.
    @ivar resource: The root resource for a site.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        tools: AgentTools,
        failing: Callable[[], Sequence[str]],
        metrics: MetricsPage,
        reactor: Any,
        log: Logger,
        now: Callable[[], float] = time,
        peers: Peers | None = None,
        makeRunID: Callable[[], str] = makeRunID,
    ) -> None:
        """
        @param failing: Return the reasons for which the gateway is not ready, one line
            each.

        @param reactor: A reactor with time, TCP, name resolution and threads.

        @param now: Return the time, in seconds since the epoch.

        @param peers: The other workers; none by default.

        @param makeRunID: Generate the ID of a run.
        """
        self._peers = peers = peers or NoPeers()
        self.connections: Collection[object] = ()
        registry, formats = RunRegistry(reactor), CompletionFormats()
        peers.onQuery(
            RUN_IN_PROGRESS, lambda query: self._findRunHere(registry, *query)
        )
        resources = Resources(
            completions=ChatCompletions(
                runtime, registry, tools, reactor, now, makeRunID, formats
            ),
            embeddings=Embeddings(runtime, reactor),
            models=Models(int(now())),
            runs=Runs(runtime, registry, reactor, peers, formats),
            metrics=MetricsResource(metrics, lambda: len(self.connections), peers),
            health=Health(failing, peers, reactor),
        )
        self.routes = RouteTable(ROUTES, resources)
        self.resource = RoutedResource(self.routes, log)

    def _findRunHere(
        self, registry: RunRegistry, caller: str, fingerprint: str
    ) -> int | None:
        """
        Return this worker's number if the run of a repeated request is in progress
        here.
        """
        repeated = RequestFingerprint(
            caller=caller, fingerprint=bytes.fromhex(fingerprint), again=True
        )
        return None if registry.find(repeated) is None else self._peers.number
