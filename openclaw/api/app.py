"""
The gateway's HTTP API: its resources, put together.
"""

from collections.abc import Callable, Collection, Sequence
from time import time
from typing import Any

from twisted.logger import Logger

from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.run_registry import RequestFingerprint, RunRegistry
from openclaw.agents.run_request import newRunID
from openclaw.agents.runtime import Runtime
from openclaw.api.chat_chunks import ReplyForms
from openclaw.api.chat_completions import Completions
from openclaw.api.embeddings import Embeddings
from openclaw.api.health import Health
from openclaw.api.metrics_resource import MetricsResource
from openclaw.api.model_list import ModelList
from openclaw.api.peers import LIVE, NoPeers, Peers
from openclaw.api.routes import ROUTES, Resources
from openclaw.api.runs import Runs
from openclaw.metrics.exposition import MetricsPage
from openclaw.server.dispatch import RoutedResource
from openclaw.server.routing import RouteTable


class GatewayApp:
    """
    The resources of the gateway.

    @ivar connections: Those of callers, as who made their site knows them.
    @ivar routes: The way to each resource.
    @ivar resource: All of them, for a site.
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
        newRunID: Callable[[], str] = newRunID,
    ) -> None:
        """
        @param failing: What keeps the gateway from serving, a line for each thing.

        @param reactor: A whole one: time, TCP, names and threads.

        @param now: The time of day, in seconds since the epoch.

        @param peers: The other workers; none by default.

        @param newRunID: Makes the ids of runs.
        """
        self._peers = peers = peers or NoPeers()
        self.connections: Collection[object] = ()
        registry, forms = RunRegistry(reactor), ReplyForms()
        peers.answer(LIVE, lambda asked: self._carriesOut(registry, *asked))
        resources = Resources(
            completions=Completions(
                runtime, registry, tools, reactor, now, newRunID, forms
            ),
            embeddings=Embeddings(runtime, reactor),
            models=ModelList(int(now())),
            runs=Runs(runtime, registry, reactor, peers, forms),
            metrics=MetricsResource(metrics, lambda: len(self.connections), peers),
            health=Health(failing, peers, reactor),
        )
        self.routes = RouteTable(ROUTES, resources)
        self.resource = RoutedResource(self.routes, log)

    def _carriesOut(
        self, registry: RunRegistry, caller: str, fingerprint: str
    ) -> int | None:
        """
        Is what somebody asks for again in progress here?

        @return: Our number, if it is.
        """
        again = RequestFingerprint(
            caller=caller, fingerprint=bytes.fromhex(fingerprint), again=True
        )
        return None if registry.find(again) is None else self._peers.number
