"""
The route table: path, method, scope, body and handler of each endpoint.
"""

from dataclasses import dataclass

from openclaw.api.chat_completions import ChatCompletions
from openclaw.api.embeddings import Embeddings
from openclaw.api.health import Health
from openclaw.api.index import showIndex
from openclaw.api.metrics_resource import MetricsResource
from openclaw.api.model_list import Models
from openclaw.api.runs import Runs
from openclaw.server.routing import Route, Switch

CHAT_COMPLETIONS = Switch(
    key="gateway.http.endpoints.chatCompletions.enabled",
    isEnabled=lambda http: http.endpoints.chatCompletions.enabled,
)
EMBEDDINGS = Switch(
    key="gateway.http.endpoints.embeddings.enabled",
    isEnabled=lambda http: http.endpoints.embeddings.enabled,
)
METRICS = Switch(
    key="gateway.http.endpoints.metrics.enabled",
    isEnabled=lambda http: http.endpoints.metrics.enabled,
)

_CHAT = (CHAT_COMPLETIONS,)
READ = "operator.read"
WRITE = "operator.write"


@dataclass(frozen=True, kw_only=True)
class Resources:
    completions: ChatCompletions
    embeddings: Embeddings
    models: Models
    runs: Runs
    metrics: MetricsResource
    health: Health


ROUTES: tuple[Route[Resources], ...] = (
    Route(
        "POST",
        "/v1/chat/completions",
        lambda api: api.completions.serve,
        WRITE,
        _CHAT,
        takesBody=True,
    ),
    Route(
        "POST",
        "/v1/embeddings",
        lambda api: api.embeddings.serve,
        WRITE,
        (CHAT_COMPLETIONS, EMBEDDINGS),
        takesBody=True,
    ),
    Route("GET", "/v1/models", lambda api: api.models.listModels, READ, _CHAT),
    Route(
        "GET", "/v1/models/<path:name>", lambda api: api.models.getModel, READ, _CHAT
    ),
    Route("GET", "/v1/runs", lambda api: api.runs.listRuns, READ, _CHAT),
    Route("GET", "/v1/runs/<runID>", lambda api: api.runs.getRun, READ, _CHAT),
    Route("POST", "/v1/runs/<runID>/cancel", lambda api: api.runs.cancel, WRITE, _CHAT),
    Route(
        "GET", "/v1/runs/<runID>/events", lambda api: api.runs.streamEvents, READ, _CHAT
    ),
    Route(
        "GET",
        "/metrics",
        lambda api: api.metrics.show,
        "operator.metrics",
        (METRICS,),
        isPublic=lambda http: http.endpoints.metrics.open,
    ),
    Route("GET", "/", lambda api: showIndex),
    Route("GET", "/healthz", lambda api: api.health.live),
    Route("GET", "/health", lambda api: api.health.live),
    Route("GET", "/readyz", lambda api: api.health.ready),
    Route("GET", "/ready", lambda api: api.health.ready),
    Route("GET", "/startupz", lambda api: api.health.started),
    Route("GET", "/startup", lambda api: api.health.started),
)
