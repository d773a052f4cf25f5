"""
Generate the OpenAPI description of the gateway's HTTP API.

C{python -m docs.openapi.document >docs/openapi.yaml} writes the one that is shipped.
"""

import sys
from typing import Any

import yaml

from docs.openapi.schemas import PLACE, Schema, schemas
from openclaw import __version__
from openclaw.agents.agent_directory import AGENT_HEADER, MODEL_HEADER
from openclaw.api.body_parsing import IGNORED_HEADER
from openclaw.api.client_headers import (
    CHANNEL_HEADER,
    DISCONNECT_HEADER,
    EVENTS_HEADER,
    KEY_HEADER,
    MAX_CHANNEL_CHARACTERS,
    MAX_KEY_CHARACTERS,
)
from openclaw.sessions.session_keys import SESSION_HEADER

Node = dict[str, Any]

# What OpenAPI 3.1 has no words for: the schema is that of each event.
_EVENTS: Node = {
    "text/event-stream": {"schema": {"$ref": f"{PLACE}ChatCompletionEvent"}}
}

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "string", "pattern": "^[0-9]+$"}
_NO: Schema = {"enum": ["true", "false"]}

# Headers of requests.

_REQUEST_HEADERS: dict[str, tuple[str, Schema]] = {
    AGENT_HEADER: (
        "The agent; wins over `model`, which may then be anything.",
        _TEXT,
    ),
    MODEL_HEADER: (
        "Another model than the agent's own: `provider/model`, or a known bare id.",
        _TEXT,
    ),
    SESSION_HEADER: (
        "The conversation to go on with.",
        {"type": "string", "minLength": 1},
    ),
    CHANNEL_HEADER: (
        "The channel of the conversation; the agent is told.",
        {"type": "string", "maxLength": MAX_CHANNEL_CHARACTERS},
    ),
    EVENTS_HEADER: (
        "Also send what the model thinks (`reasoning`), and when the agent's own"
        " tools begin and end (`tools`): one of these or both, with a comma.",
        _TEXT,
    ),
    KEY_HEADER: (
        "All requests with the same key are one run.",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
    ),
    DISCONNECT_HEADER: (
        "Cancel or continue the run when the client disconnects.",
        {"enum": ["cancel", "continue"], "default": "cancel"},
    ),
}
_LAST_EVENT: Node = {
    "name": "last-event-id",
    "in": "header",
    "description": "The stream begins behind the event with this number.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,15}$"},
}

# Bodies of requests.

_HI: Node = {"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]}
_WEATHER: Node = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
_QUESTIONS: dict[str, Node] = {
    "whole": _HI,
    "stream": {**_HI, "stream": True, "stream_options": {"include_usage": True}},
    "tools": {**_HI, "tools": [_WEATHER], "tool_choice": "auto"},
}
_INPUTS: dict[str, Node] = {
    "text": {"model": "openclaw", "input": "The cat sleeps."},
    "texts": {"model": "openclaw", "input": ["The cat sleeps.", "A kitten naps."]},
    "tokens": {
        "model": "openclaw",
        "input": [464, 3797],
        "encoding_format": "base64",
    },
}

# Headers of answers.

_ANSWER_HEADERS: dict[str, tuple[str, Schema]] = {
    "x-request-id": ("The request's id in the log.", _TEXT),
    "openai-processing-ms": (
        "The time until the answer began, in milliseconds.",
        _NUMBER,
    ),
    "x-openclaw-run-id": ("The run, as in `/v1/runs/{id}`.", _TEXT),
    SESSION_HEADER: ("The whole key of the run's session.", _TEXT),
    IGNORED_HEADER: ("The fields of the request that had no effect.", _TEXT),
    "idempotent-replayed": (
        "The answer is that of a run that another request began.",
        {"const": "true"},
    ),
    "retry-after": ("Seconds after which to try again.", _NUMBER),
    "retry-after-ms": ("The same in milliseconds.", _NUMBER),
    "x-should-retry": ("Whether to send the request again.", _NO),
    "www-authenticate": ("The ways to authenticate.", _TEXT),
    "allow": ("The methods that the path has.", _TEXT),
}
_ALWAYS = ("x-request-id", "www-authenticate", "allow")
"""
Those that are there wherever they can be.
"""
_RUNS = ("x-openclaw-run-id", SESSION_HEADER, IGNORED_HEADER, "idempotent-replayed")
_RETRIES = ("retry-after", "retry-after-ms", "x-should-retry")

# What can go wrong.

_ERRORS: dict[int, tuple[str, tuple[str, ...]]] = {
    400: ("The request is wrong; `param` names the field.", ()),
    401: ("No credential, or not a valid one.", ("www-authenticate",)),
    402: ("The account with the model provider has no money left.", ()),
    403: ("A valid credential that may not do this.", ()),
    404: ("Not found, or disabled.", ()),
    405: ("The path has other methods.", ("allow",)),
    408: ("The request did not arrive in time.", ()),
    409: ("The `Idempotency-Key` was used for another request.", ("x-should-retry",)),
    413: ("The body is larger than the limit.", ()),
    414: ("The path is too long.", ()),
    417: ("The request's `Expect` is not supported.", ()),
    429: ("A limit is exceeded; `code` says which.", _RETRIES),
    431: ("The headers are too large, or too many.", ()),
    499: ("The run was cancelled.", _RETRIES),
    500: ("The gateway failed.", _RETRIES),
    502: ("The model provider failed; `code` says how.", _RETRIES),
    503: ("The gateway is shutting down or overloaded.", _RETRIES),
    504: ("The model did not answer in time.", _RETRIES),
}
_ANYWHERE = (400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500, 503)
_CALLERS = tuple(sorted({401, *_ANYWHERE}))
_MODELS = tuple(sorted({402, 409, 499, 502, 504, *_CALLERS}))


def document() -> Node:
    """
    Return the whole description.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OpenClaw",
            "version": __version__,
            "description": (
                "An agent gateway that speaks OpenAI's API. Every error, on every"
                " path, is JSON of one shape."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:18789"}],
        "security": [{"bearer": []}],
        "paths": {**_modelPaths(), **_runPaths(), **_ownPaths()},
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The gateway's token or password, or a named token.",
                }
            },
            "headers": {
                name: {
                    "description": text,
                    "required": name in _ALWAYS,
                    "schema": schema,
                }
                for name, (text, schema) in _ANSWER_HEADERS.items()
            },
            "responses": {
                f"Error{status}": _answer(text, _json("Error"), headers)
                for status, (text, headers) in _ERRORS.items()
            },
            "schemas": schemas(),
        },
    }


def _modelPaths() -> Node:
    completion = _answer(
        "The completion; with `stream`, events of the schema given here.",
        {**_json("ChatCompletion"), **_EVENTS},
        _RUNS,
    )
    completion["links"] = {
        name: {
            "operationId": name,
            "parameters": {"id": "$response.header.x-openclaw-run-id"},
        }
        for name in ("retrieveRun", "followRun", "cancelRun")
    }
    return {
        "/v1/chat/completions": {
            "post": {
                "operationId": "createChatCompletion",
                "summary": "Create a chat completion: run an agent.",
                "parameters": [_headerParameter(name) for name in _REQUEST_HEADERS],
                "requestBody": _body("ChatCompletionRequest", _QUESTIONS),
                "responses": _responses(completion, _MODELS),
            }
        },
        "/v1/embeddings": {
            "post": {
                "operationId": "createEmbeddings",
                "summary": "Create embeddings.",
                "parameters": [
                    _headerParameter(name) for name in (AGENT_HEADER, MODEL_HEADER)
                ],
                "requestBody": _body("EmbeddingsRequest", _INPUTS),
                "responses": _responses(
                    _answer(
                        "The embeddings.", _json("EmbeddingList"), (IGNORED_HEADER,)
                    ),
                    _MODELS,
                ),
            }
        },
        "/v1/models": {"get": _get("listModels", "List the models.", "ModelList")},
        "/v1/models/{id}": {
            "parameters": [
                _pathParameter("The model's id; its slashes need no escaping.")
            ],
            "get": _get("retrieveModel", "Retrieve a model.", "Model"),
        },
    }


def _runPaths() -> Node:
    identity = [_pathParameter("The run, as in `x-openclaw-run-id`.")]
    events = _answer(
        "Events of the schema given here; those with text are numbered.",
        _EVENTS,
        (),
    )
    cancel = _get("cancelRun", "Cancel a run. A finished one stays as it is.", "Run")
    return {
        "/v1/runs": {"get": _get("listRuns", "List the runs in progress.", "RunList")},
        "/v1/runs/{id}": {
            "parameters": identity,
            "get": _get("retrieveRun", "Retrieve a run and its result.", "Run"),
        },
        "/v1/runs/{id}/events": {
            "parameters": identity,
            "get": {
                "operationId": "followRun",
                "summary": "Follow a recorded run from its beginning.",
                "parameters": [_LAST_EVENT],
                "responses": _responses(events, _CALLERS),
            },
        },
        "/v1/runs/{id}/cancel": {"parameters": identity, "post": cancel},
    }


def _ownPaths() -> Node:
    """
    Describe the paths for monitoring.
    """
    paths: Node = {
        "/": {"get": _get("getIndex", "Describe the gateway.", "Index", _ANYWHERE)}
    }
    for path in ("/healthz", "/health"):
        name = f"get{path.removeprefix('/').capitalize()}"
        paths[path] = {
            "get": _get(name, "Check that the process lives.", "Health", _ANYWHERE)
        }
    for path, summary, schema in (
        ("/readyz", "Check that the gateway can serve.", "Ready"),
        ("/ready", "Check that the gateway can serve.", "Ready"),
        ("/startupz", "Check that the gateway has started.", "Started"),
        ("/startup", "Check that the gateway has started.", "Started"),
    ):
        name = f"get{path.removeprefix('/').capitalize()}"
        found = _get(name, summary, schema, _ANYWHERE)
        either = {"schema": {"anyOf": [_schema(schema), _schema("Error")]}}
        text = "It can't; `failing` says why. Or there are too many connections."
        found["responses"]["503"] = _answer(text, {"application/json": either}, ())
        paths[path] = {"get": found}
    for path in paths.values():
        path["get"]["security"] = []
    page = {"text/plain": {"schema": _TEXT}}
    page["application/openmetrics-text"] = page["text/plain"]
    paths["/metrics"] = {
        "get": {
            "operationId": "getMetrics",
            "summary": "Return the metrics in Prometheus' format.",
            "responses": _responses(_answer("The metrics.", page, ()), _CALLERS),
        }
    }
    return paths


def _get(
    name: str, summary: str, schema: str, errors: tuple[int, ...] = _CALLERS
) -> Node:
    """
    Describe an operation without a request body, answered with JSON.
    """
    return {
        "operationId": name,
        "summary": summary,
        "responses": _responses(_answer(summary, _json(schema), ()), errors),
    }


def _responses(good: Node, errors: tuple[int, ...]) -> Node:
    bad = {
        str(status): {"$ref": f"#/components/responses/Error{status}"}
        for status in errors
    }
    return {"200": good, **bad}


def _answer(text: str, content: Node, headers: tuple[str, ...]) -> Node:
    named = {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in ("x-request-id", "openai-processing-ms", *headers)
    }
    return {"description": text, "headers": named, "content": content}


def _body(schema: str, examples: dict[str, Node]) -> Node:
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": _schema(schema), "examples": named}}
    return {"required": True, "content": content}


def _json(schema: str) -> Node:
    return {"application/json": {"schema": _schema(schema)}}


def _schema(name: str) -> Schema:
    return {"$ref": f"{PLACE}{name}"}


def _headerParameter(name: str) -> Node:
    text, schema = _REQUEST_HEADERS[name]
    return {"name": name, "in": "header", "description": text, "schema": schema}


def _pathParameter(text: str) -> Node:
    schema = {"type": "string", "minLength": 1}
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": text,
        "schema": schema,
    }


class _Dumper(yaml.SafeDumper):
    """
    Writes everything out where it is used.
    """

    def ignore_aliases(self, data: Any) -> bool:
        """
        Anchors would be hard to read.
        """
        return True


def text() -> str:
    """
    Return the description as YAML.
    """
    return yaml.dump(
        document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=88
    )


if __name__ == "__main__":
    sys.stdout.write(text())
