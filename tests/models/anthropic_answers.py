"""
Responses in the format of Anthropic's Messages API, with texts of ours.
"""

from openclaw.errors import UpstreamError
from openclaw.interfaces import ModelReply
from openclaw.messages import ToolCall, Usage
from tests.models.event_reading import Outcome, events

TALK = b"""\
event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message",\
"role":"assistant","model":"claude-x","content":[],"stop_reason":null,\
"stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":20,\
"cache_read_input_tokens":100,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking",\
"thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",\
"thinking":"Cof\\u0066ee?"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",\
"signature":"EqQB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text",\
"text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta",\
"text":"Two "}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta",\
"text":"caf\xc3\xa9s \xf0\x9f\xa6\x9e"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn",\
"stop_sequence":null},"usage":{"output_tokens":15,\
"output_tokens_details":{"thinking_tokens":9}}}

event: message_stop
data: {"type":"message_stop"}

"""
"""
Reasoning, then text, partly cached.
"""

TALKED = Outcome(
    "Two cafés 🦞",
    "Coffee?",
    (),
    ModelReply("Two cafés 🦞", "stop", Usage(123, 15, 100, 9)),
)

STARTS = {"type": "message_start", "message": {"usage": {"input_tokens": 7}}}
STOPS = {"type": "message_stop"}


def begins(index: int, **block: object) -> dict[str, object]:
    """
    Return the start of a block.
    """
    return {"type": "content_block_start", "index": index, "content_block": block}


def uses(index: int, name: str) -> dict[str, object]:
    """
    Return the start of a tool call.
    """
    return begins(index, type="tool_use", id=f"toolu_{index}", name=name, input={})


def goesOn(index: int, kind: str, **piece: str) -> dict[str, object]:
    """
    Return a piece of a block.
    """
    delta = {"type": kind, **piece}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def writes(index: int, text: str) -> dict[str, object]:
    """
    Return a piece of a call's arguments.
    """
    return goesOn(index, "input_json_delta", partial_json=text)


def says(text: str) -> dict[str, object]:
    """
    Return a piece of the text in block 0.
    """
    return goesOn(0, "text_delta", text=text)


def ends(reason: str | None, **usage: object) -> dict[str, object]:
    """
    Return the stop reason.
    """
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


CALLS = (
    ToolCall("toolu_1", "read", '{"path": "é.txt"}'),
    ToolCall("toolu_2", "ls", "{}"),
)

EVERY_SAMPLE = {
    "talk": (TALK, TALKED),
    "calls": (
        events(
            STARTS,
            begins(0, type="text", text=""),
            says("I look."),
            uses(1, "read"),
            writes(1, ""),
            uses(2, "ls"),
            writes(1, '{"path": '),
            writes(2, ""),
            writes(1, '"é.txt"}'),
            {"type": "content_block_stop", "index": 1},
            {"type": "content_block_stop", "index": 2},
            ends("tool_use", output_tokens=30),
            STOPS,
        ),
        Outcome(
            "I look.",
            "",
            CALLS,
            ModelReply("I look.", "tool_calls", Usage(7, 30), CALLS),
        ),
    ),
    "overloaded": (
        events(
            STARTS,
            begins(0, type="text", text=""),
            says("Well"),
            {
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Overloaded"},
            },
        ),
        Outcome(
            "Well",
            "",
            (),
            (
                UpstreamError,
                "Provider 'vendor' answered with status 529. It says: Overloaded",
            ),
        ),
    ),
    "unstreamed": (
        b'{"type":"message","role":"assistant","content":[{"type":"text",'
        b'"text":"I look."},{"type":"tool_use","id":"toolu_1","name":"ls",'
        b'"input":{"path":"."}}],"stop_reason":"tool_use",'
        b'"usage":{"input_tokens":4,"output_tokens":5}}',
        Outcome(
            "I look.",
            "",
            (ToolCall("toolu_1", "ls", '{"path":"."}'),),
            ModelReply(
                "I look.",
                "tool_calls",
                Usage(4, 5),
                (ToolCall("toolu_1", "ls", '{"path":"."}'),),
            ),
        ),
    ),
}

__all__ = [
    "EVERY_SAMPLE",
    "STARTS",
    "STOPS",
    "begins",
    "ends",
    "goesOn",
    "says",
    "uses",
    "writes",
]
