"""
The shapes of requests and answers as JSON Schema, from the Structs that read and
describe them.
"""

import re
from typing import Any

import msgspec

from docs.openapi.responses import ANSWERS
from openclaw.api.chat_schema import (
    MAX_MESSAGES,
    MAX_STOP_SEQUENCES,
    ChatCompletionRequest,
)
from openclaw.api.client_tools import MAX_TOOLS, TOOL_CHOICES
from openclaw.api.embeddings import MAX_INPUTS, MAX_TOKEN, EmbeddingsRequest

Schema = dict[str, Any]

PLACE = "#/components/schemas/"
_MARKUP = re.compile(r"[CLIU]\{([^}]*)\}")
_NULL: Schema = {"type": "null"}


def _nullable(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas, _NULL]}


def _array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_TEXT: Schema = {"type": "string", "minLength": 1}
_TOKENS = _array({"type": "integer", "minimum": 0, "maximum": MAX_TOKEN}, minItems=1)
_NAME: Schema = {"type": "string", "pattern": r"^\s*[A-Za-z0-9_-]{1,64}\s*$"}
_TOOL: Schema = {
    "type": "object",
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {
                "name": _NAME,
                "description": _nullable({"type": "string"}),
                "parameters": _nullable({"type": "object"}),
                "strict": _nullable({"type": "boolean"}),
            },
            "required": ["name"],
        },
    },
    "required": ["type", "function"],
}
_NAMED_TOOL: Schema = {
    "type": "object",
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {"name": _NAME},
            "required": ["name"],
        },
    },
    "required": ["type", "function"],
}

_CHECKED: dict[str, dict[str, Schema]] = {
    "ChatCompletionRequest": {
        "messages": _array(
            {"$ref": f"{PLACE}Message"},
            minItems=1,
            maxItems=MAX_MESSAGES,
            examples=[[{"role": "user", "content": "hi"}]],
        ),
        "model": {**_nullable({"type": "string"}), "examples": ["openclaw"]},
        "n": {"enum": [1, None]},
        "tools": _nullable(_array(_TOOL, maxItems=MAX_TOOLS)),
        "tool_choice": {
            **_nullable({"enum": list(TOOL_CHOICES)}, _NAMED_TOOL),
            "examples": ["auto"],
        },
        "stop": _nullable(
            {"type": "string"},
            _array({"type": "string"}, maxItems=MAX_STOP_SEQUENCES),
        ),
        "response_format": _nullable({"type": "object"}),
        "logit_bias": _nullable(
            {"type": "object", "additionalProperties": {"type": "number"}}
        ),
        "functions": {"enum": [[], None], "deprecated": True},
        "function_call": {"enum": ["none", [], None], "deprecated": True},
    },
    "Message": {
        "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
    },
    "Part": {"type": {"enum": ["text", "input_text", "image_url"]}},
    "EmbeddingsRequest": {
        "input": {
            "anyOf": [
                _TEXT,
                _array(_TEXT, minItems=1, maxItems=MAX_INPUTS),
                _TOKENS,
                _array(_TOKENS, minItems=1, maxItems=MAX_INPUTS),
            ]
        },
    },
}
"""
Constraints that are checked beyond the Structs, by schema and property.
"""

_EVENT: Schema = {
    "description": "An event of a stream.",
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {
            "type": "string",
            "anyOf": [
                {"const": "[DONE]"},
                {
                    "contentMediaType": "application/json",
                    "contentSchema": {
                        "anyOf": [
                            {"$ref": f"{PLACE}ChatCompletionChunk"},
                            {"$ref": f"{PLACE}Error"},
                        ]
                    },
                },
            ],
        },
    },
    "required": ["data"],
}

_NEEDED = {"ChatCompletionRequest": ["messages"], "EmbeddingsRequest": ["input"]}


def schemas() -> dict[str, Schema]:
    """
    Return all shapes by name, in alphabetical order.
    """
    kinds = (ChatCompletionRequest, EmbeddingsRequest, *ANSWERS)
    _, found = msgspec.json.schema_components(kinds, ref_template=f"{PLACE}{{name}}")
    plain: dict[str, Schema] = {
        _plainName(name): _plain(schema) for name, schema in found.items()
    }
    for name, checked in _CHECKED.items():
        plain[name]["properties"].update(checked)
    for name, needed in _NEEDED.items():
        plain[name]["required"] = needed
    plain["ChatCompletionEvent"] = _EVENT
    return dict(sorted(plain.items()))


def _plainName(name: str) -> str:
    return name.removeprefix("Wire")


def _plain(value: Any) -> Any:
    """
    Return a schema without epytext markup, titles and empty defaults.
    """
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, each in value.items():
        if key == "$ref":
            each = PLACE + _plainName(each.removeprefix(PLACE))
        elif key == "description":
            each = " ".join(_MARKUP.sub(r"\1", each).split())
        elif key == "title" or (key in ("default", "required") and not each):
            continue
        plain[key] = _plain(each)
    return plain
