"""
The Klein tree: which path is whose.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from time import time
from typing import Any

import msgspec
from klein import Klein
from msgspec import convert
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException

from openclaw import __version__
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.run_registry import RequestFingerprint, RunRegistry
from openclaw.agents.run_request import newRunID
from openclaw.agents.runtime import Runtime
from openclaw.api.chat_chunks import ReplyForms
from openclaw.api.chat_completions import Completions
from openclaw.api.embeddings import Embeddings
from openclaw.api.peers import LIVE, NoPeers, Peers
from openclaw.api.raw_model import rawModel
from openclaw.api.runs import Runs
from openclaw.errors import InternalError, NotFound, OpenClawError
from openclaw.metrics.exposition import MetricsPage
from openclaw.metrics.snapshot import Snapshot
from openclaw.server.access import EMBEDDINGS_KEY, ENDPOINT_KEY, disabled
from openclaw.server.error_responses import (
    routingError,
    setErrorResponse,
    setJSONHeaders,
)
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.live_config import LiveConfig

METRICS = "metrics"
FAILING = "failing"
"""
Topics under which workers ask each other.
"""


class GatewayApp:
    """
    The resources of the gateway.

    @ivar connections: Those of callers, as who made their site knows them.
    """

    app = Klein()
    # A redirect helps no API client.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    def __init__(
        self,
        *,
        standing: Callable[[], LiveConfig],
        runtime: Runtime,
        equipment: AgentTools,
        failing: Callable[[], Sequence[str]],
        metrics: MetricsPage,
        reactor: Any,
        log: Logger,
        now: Callable[[], float] = time,
        peers: Peers | None = None,
        newRunID: Callable[[], str] = newRunID,
    ) -> None:
        """
        @param standing: What holds at the time of a request.

        @param failing: What keeps the gateway from serving, a line for each thing.

        @param reactor: A whole one: time, TCP, names and threads.

        @param now: The time of day, in seconds since the epoch.

        @param peers: The other workers; none by default.

        @param newRunID: Makes the ids of runs.
        """
        self._fellows = fellows = peers or NoPeers()
        self.connections: Collection[object] = ()
        self._standing = standing
        self._failing = failing
        self._metrics = metrics
        self._log = log
        ledger = RunRegistry(reactor)
        forms = ReplyForms()
        self._completions = Completions(
            runtime, ledger, equipment, reactor, now, newRunID, forms
        )
        self._embeddings = Embeddings(runtime, reactor)
        self._runs = Runs(runtime, ledger, reactor, fellows, forms)
        fellows.answer(METRICS, lambda _: metrics.snapshot(len(self.connections)))
        fellows.answer(FAILING, lambda _: list(failing()))
        fellows.answer(LIVE, lambda asked: self._carriesOut(ledger, *asked))
        self._began = int(now())
        self._reactor = reactor
        self._startedAt = reactor.seconds()

    def _carriesOut(
        self, ledger: RunRegistry, caller: str, fingerprint: str
    ) -> int | None:
        """
        Is what somebody asks for again in progress here?

        @return: Our number, if it is.
        """
        again = RequestFingerprint(
            caller=caller, fingerprint=bytes.fromhex(fingerprint), again=True
        )
        return None if ledger.find(again) is None else self._fellows.number

    @app.route("/v1/chat/completions", methods=["POST"])
    def completions(self, request: GatewayRequest) -> Awaitable[None]:
        """
        An agent's answer.
        """
        return self._completions.serve(request, self._enabled())

    @app.route("/v1/embeddings", methods=["POST"])
    async def embeddings(self, request: GatewayRequest) -> None:
        """
        Vectors of texts.
        """
        standing = self._enabled()
        if not standing.config.gateway.http.endpoints.embeddings.enabled:
            raise disabled(EMBEDDINGS_KEY)
        await self._embeddings.serve(request, standing)

    @app.route("/v1/models", methods=["GET"])
    async def models(self, request: GatewayRequest) -> bytes:
        """
        The names that a request's C{model} can have.
        """
        directory = self._enabled().directory
        names = directory.models(await request.caller())
        return _json(
            request,
            {"object": "list", "data": [self._model(name) for name in names]},
        )

    @app.route("/v1/models/<path:name>", methods=["GET"])
    async def model(self, request: GatewayRequest, name: str) -> bytes:
        """
        One of those names, or any other that a request may have.
        """
        standing = self._enabled()
        caller = await request.caller()
        aliases = standing.config.gateway.http.endpoints.chatCompletions.modelAliases
        agent, _ = rawModel(name, aliases)
        try:
            standing.directory.find(caller, model=agent)
        except OpenClawError as error:
            raise NotFound(
                f"The model '{name}' does not exist. {error.message}",
                param="model",
                code="model_not_found",
            ) from None
        return _json(request, self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._began,
            "owned_by": "openclaw",
        }

    @app.route("/v1/runs", methods=["GET"])
    async def runs(self, request: GatewayRequest) -> bytes:
        """
        List the runs in progress.
        """
        self._enabled()
        return _json(request, await self._runs.all(await request.caller()))

    @app.route("/v1/runs/<runID>", methods=["GET"])
    async def run(self, request: GatewayRequest, runID: str) -> bytes:
        """
        One run, and what came of it.
        """
        self._enabled()
        return _json(request, self._runs.one(await request.caller(), runID))

    @app.route("/v1/runs/<runID>/cancel", methods=["POST"])
    async def cancelRun(self, request: GatewayRequest, runID: str) -> bytes:
        """
        Stop a run.
        """
        self._enabled()
        return _json(request, self._runs.cancel(await request.caller(), runID))

    @app.route("/v1/runs/<runID>/events", methods=["GET"])
    async def runEvents(self, request: GatewayRequest, runID: str) -> None:
        """
        Stream the events of a run.
        """
        await self._runs.events(request, self._enabled(), runID)

    def _enabled(self) -> LiveConfig:
        standing = self._standing()
        if not standing.config.gateway.http.endpoints.chatCompletions.enabled:
            raise disabled()
        return standing

    @app.route("/metrics", methods=["GET"])
    async def metrics(self, request: GatewayRequest) -> bytes:
        """
        The gateway's numbers.
        """
        if not self._standing().config.gateway.http.endpoints.metrics.open:
            await request.caller()
        others = convert(await self._fellows.ask(METRICS), list[Snapshot])
        text, kind = self._metrics.show(
            len(self.connections), request.header("accept") or "", others
        )
        request.setHeader("content-type", kind)
        request.setHeader("content-length", b"%d" % len(text))
        request.setHeader("cache-control", "no-store")
        return text

    @app.route("/healthz", methods=["GET"])
    @app.route("/health", methods=["GET"])
    def health(self, request: GatewayRequest) -> bytes:
        """
        The process lives.
        """
        request.setHeader("cache-control", "no-store")
        return _json(request, {"ok": True, "status": "live"})

    @app.route("/readyz", methods=["GET"])
    @app.route("/ready", methods=["GET"])
    async def ready(self, request: GatewayRequest) -> bytes:
        """
        The gateway can serve, or what keeps it from that.
        """
        failing = await self._allFailing(request)
        return _json(
            request,
            {
                "ok": not failing,
                "ready": not failing,
                "status": "not ready" if failing else "ready",
                "uptimeMs": self._uptime(),
                "failing": failing,
            },
        )

    @app.route("/startupz", methods=["GET"])
    @app.route("/startup", methods=["GET"])
    async def started(self, request: GatewayRequest) -> bytes:
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
        return _json(request, document | ({"failing": failing} if failing else {}))

    async def _allFailing(self, request: GatewayRequest) -> list[str]:
        """
        Return what fails in any worker, and set the status for that.
        """
        request.setHeader("cache-control", "no-store")
        failing = list(self._failing())
        for others in await self._fellows.ask(FAILING):
            failing += [each for each in others if each not in failing]
        if failing:
            request.setResponseCode(503)
        return failing

    def _uptime(self) -> int:
        return int((self._reactor.seconds() - self._startedAt) * 1000)

    @app.handle_errors(HTTPException)  # type: ignore[arg-type]
    def routingFailed(self, request: GatewayRequest, failure: Failure) -> bytes:
        """
        No route, or not with this method.
        """
        error = failure.value
        assert isinstance(error, HTTPException)
        return _answer(request, routingError(error, request.path, request.method))

    @app.handle_errors(OpenClawError)  # type: ignore[arg-type]
    def failed(self, request: GatewayRequest, failure: Failure) -> bytes:
        """
        An error that was foreseen.
        """
        error = failure.value
        assert isinstance(error, OpenClawError)
        return _answer(request, error)

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def broke(self, request: GatewayRequest, failure: Failure) -> bytes:
        """
        An error of ours.
        """
        self._log.failure(
            "Request {request} failed unexpectedly",
            failure=failure,
            request=request.requestID,
        )
        return _answer(request, InternalError("The gateway failed."))


def _answer(request: GatewayRequest, error: OpenClawError) -> bytes:
    error.__traceback__ = None  # Its frames hold the request, and what was asked.
    if request.startedWriting:
        # There is no way left to say it, but the end must not look like a success.
        request.abort()
        return b""
    return setErrorResponse(request, error)


def _json(request: GatewayRequest, document: object) -> bytes:
    return setJSONHeaders(request, msgspec.json.encode(document))


__all__ = ["ENDPOINT_KEY", "GatewayApp"]
