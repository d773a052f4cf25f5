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
        "Where the conversation comes from; the agent is told.",
        {"type": "string", "maxLength": MAX_CHANNEL_CHARACTERS},
    ),
    EVENTS_HEADER: (
        "Also send what the model thinks (`reasoning`), and when the agent's own"
        " tools begin and end (`tools`): one of these or both, with a comma.",
        _TEXT,
    ),
    KEY_HEADER: (
        "However often a request with the same key is sent, it is one run.",
        {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
    ),
    DISCONNECT_HEADER: (
        "What becomes of the run when the caller goes away.",
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
        "description": "What the weather is like in a city.",
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
    "x-request-id": ("What the log knows the request by.", _TEXT),
    "openai-processing-ms": (
        "How long it took until the answer began, in milliseconds.",
        _NUMBER,
    ),
    "x-openclaw-run-id": ("The run, as in `/v1/runs/{id}`.", _TEXT),
    SESSION_HEADER: ("The whole key of the run's session.", _TEXT),
    IGNORED_HEADER: ("The fields of the request that had no effect.", _TEXT),
    "idempotent-replayed": (
        "The answer is that of a run which another request began.",
        {"const": "true"},
    ),
    "retry-after": ("Seconds after which to try again.", _NUMBER),
    "retry-after-ms": ("The same in milliseconds.", _NUMBER),
    "x-should-retry": ("Does it make sense to send the request again?", _NO),
    "www-authenticate": ("How to show a credential.", _TEXT),
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
    403: ("A valid credential that may not do this.", ()),
    404: ("There is no such thing, or it is switched off.", ()),
    405: ("The path has other methods.", ("allow",)),
    408: ("The request did not arrive in time.", ()),
    409: ("The `Idempotency-Key` was used for another request.", ("x-should-retry",)),
    413: ("The body is larger than the limit.", ()),
    414: ("The path is too long.", ()),
    417: ("The request expects what there is not.", ()),
    429: ("Too much at a time; `code` says of what.", _RETRIES),
    431: ("The headers are too large, or too many.", ()),
    499: ("The run was cancelled.", _RETRIES),
    500: ("The gateway failed.", _RETRIES),
    502: ("The model provider failed; `code` says how.", _RETRIES),
    503: ("Not now: the gateway drains, or is too full.", _RETRIES),
    504: ("The model did not answer in time.", _RETRIES),
}
_ANYWHERE = (400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500, 503)
_CALLERS = tuple(sorted({401, *_ANYWHERE}))
_MODELS = tuple(sorted({409, 499, 502, 504, *_CALLERS}))


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
        "The answer: with `stream` in events, the schema of which is told here.",
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
                "summary": "Run an agent, and have its answer whole or as a stream.",
                "parameters": [_headerParameter(name) for name in _REQUEST_HEADERS],
                "requestBody": _body("ChatCompletionRequest", _QUESTIONS),
                "responses": _responses(completion, _MODELS),
            }
        },
        "/v1/embeddings": {
            "post": {
                "operationId": "createEmbeddings",
                "summary": "Have vectors of texts.",
                "parameters": [
                    _headerParameter(name) for name in (AGENT_HEADER, MODEL_HEADER)
                ],
                "requestBody": _body("EmbeddingsRequest", _INPUTS),
                "responses": _responses(
                    _answer("Vectors.", _json("EmbeddingList"), (IGNORED_HEADER,)),
                    _MODELS,
                ),
            }
        },
        "/v1/models": {"get": _get("listModels", "What `model` can be.", "ModelList")},
        "/v1/models/{id}": {
            "parameters": [
                _pathParameter("A name; its slashes may stand as they are.")
            ],
            "get": _get("retrieveModel", "One of the models.", "Model"),
        },
    }


def _runPaths() -> Node:
    identity = [_pathParameter("The run, as in `x-openclaw-run-id`.")]
    events = _answer(
        "Events, those with words in them numbered; their schema is told here.",
        _EVENTS,
        (),
    )
    cancel = _get("cancelRun", "Stop a run. One that is over stays as it is.", "Run")
    return {
        "/v1/runs": {"get": _get("listRuns", "The runs in progress.", "RunList")},
        "/v1/runs/{id}": {
            "parameters": identity,
            "get": _get("retrieveRun", "A run, and what came of it.", "Run"),
        },
        "/v1/runs/{id}/events": {
            "parameters": identity,
            "get": {
                "operationId": "followRun",
                "summary": "All that a recorded run says, from the beginning.",
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
    paths: Node = {}
    for path in ("/healthz", "/health"):
        name = f"get{path.removeprefix('/').capitalize()}"
        paths[path] = {"get": _get(name, "Does the process live?", "Health", _ANYWHERE)}
    for path, summary, schema in (
        ("/readyz", "Can the gateway serve?", "Ready"),
        ("/ready", "Can the gateway serve?", "Ready"),
        ("/startupz", "Has the gateway started?", "Started"),
        ("/startup", "Has the gateway started?", "Started"),
    ):
        name = f"get{path.removeprefix('/').capitalize()}"
        found = _get(name, summary, schema, _ANYWHERE)
        either = {"schema": {"anyOf": [_schema(schema), _schema("Error")]}}
        text = "No; `failing` says why. Or there is no room to say it."
        found["responses"]["503"] = _answer(text, {"application/json": either}, ())
        paths[path] = {"get": found}
    for path in paths.values():
        path["get"]["security"] = []
    page = {"text/plain": {"schema": _TEXT}}
    page["application/openmetrics-text"] = page["text/plain"]
    paths["/metrics"] = {
        "get": {
            "operationId": "getMetrics",
            "summary": "The gateway's numbers, in Prometheus' form.",
            "responses": _responses(_answer("The numbers.", page, ()), _CALLERS),
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
