"""
Responses in the format of OpenAI's Responses API, with texts of ours.
"""

from openclaw.errors import UpstreamRateLimited
from openclaw.interfaces import ModelReply
from openclaw.messages import ToolCall, Usage
from tests.models.event_reading import Outcome, events

TALK = b"""\
event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1",\
"object":"response","status":"in_progress","error":null,"incomplete_details":null,\
"output":[],"store":false,"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,\
"item":{"id":"rs_1","type":"reasoning","summary":[]}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":2,\
"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text",\
"text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":3,\
"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Cof\\u0066ee?"}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":4,\
"item_id":"rs_1","output_index":0,"summary_index":1,"part":{"type":"summary_text",\
"text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":5,\
"item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Yes."}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":6,"output_index":1,\
"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1",\
"output_index":1,"content_index":0,"delta":"Two caf\xc3\xa9s ","logprobs":[]}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":8,"item_id":"msg_1",\
"output_index":1,"content_index":0,"delta":"\xf0\x9f\xa6\x9e","logprobs":[]}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":9,"item_id":"msg_1",\
"output_index":1,"content_index":0,"text":"Two caf\xc3\xa9s \xf0\x9f\xa6\x9e"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":10,"output_index":1,\
"item":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":\
"output_text","text":"Two caf\xc3\xa9s \xf0\x9f\xa6\x9e","annotations":[]}]}}

event: response.completed
data: {"type":"response.completed","sequence_number":11,"response":{"id":"resp_1",\
"object":"response","status":"completed","error":null,"incomplete_details":null,\
"output":[{"id":"rs_1","type":"reasoning","summary":[]},{"id":"msg_1","type":"message",\
"role":"assistant","content":[{"type":"output_text","text":\
"Two caf\xc3\xa9s \xf0\x9f\xa6\x9e"}]}],"usage":{"input_tokens":19,\
"input_tokens_details":{"cached_tokens":4},"output_tokens":10,\
"output_tokens_details":{"reasoning_tokens":2},"total_tokens":29}}}

"""
"""
Two pieces of reasoning, then text, each repeated as in the API.
"""

TALKED = Outcome(
    "Two cafés 🦞",
    "Coffee?\n\nYes.",
    (),
    ModelReply("Two cafés 🦞", "stop", Usage(19, 10, 4, 2)),
)


def message(*texts: str) -> dict[str, object]:
    """
    Return an item with a complete message.
    """
    content = [{"type": "output_text", "text": text} for text in texts]
    return {"type": "message", "role": "assistant", "content": content}


def call(index: int, name: str, arguments: str) -> dict[str, object]:
    """
    Return an item with a call.
    """
    return {
        "type": "function_call",
        "id": f"fc_{index}",
        "call_id": f"call_{index}",
        "name": name,
        "arguments": arguments,
    }


def added(index: int, item: dict[str, object]) -> dict[str, object]:
    """
    Return the start of an item.
    """
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: dict[str, object]) -> dict[str, object]:
    """
    Return the end of an item.
    """
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def says(text: object, index: int = 0) -> dict[str, object]:
    """
    Return a piece of a message.
    """
    return {"type": "response.output_text.delta", "output_index": index, "delta": text}


def writes(index: int, text: str) -> dict[str, object]:
    """
    Return a piece of a call's arguments.
    """
    return {
        "type": "response.function_call_arguments.delta",
        "output_index": index,
        "delta": text,
    }


def ends(status: str = "completed", **response: object) -> dict[str, object]:
    """
    Return the end of the response.
    """
    return {"type": f"response.{status}", "response": {"status": status, **response}}


CALLS = (
    ToolCall("call_1", "read", '{"path": "é.txt"}'),
    ToolCall("call_2", "ls", "{}"),
)

EVERY_SAMPLE = {
    "talk": (TALK, TALKED),
    "calls": (
        events(
            says("I look."),
            added(1, call(1, "read", "")),
            writes(1, '{"path": '),
            added(2, call(2, "ls", "")),
            writes(2, "{}"),
            writes(1, '"é.txt"}'),
            done(1, call(1, "read", '{"path": "é.txt"}')),
            done(2, call(2, "ls", "{}")),
            ends(usage={"input_tokens": 7, "output_tokens": 30}),
        ),
        Outcome(
            "I look.",
            "",
            CALLS,
            ModelReply("I look.", "tool_calls", Usage(7, 30), CALLS),
        ),
    ),
    "failed": (
        events(
            says("Well"),
            ends(
                "failed",
                error={"code": "rate_limit_exceeded", "message": "Slow down."},
            ),
        ),
        Outcome(
            "Well",
            "",
            (),
            (
                UpstreamRateLimited,
                "Provider 'vendor' is over its rate limit. It says: Slow down.",
            ),
        ),
    ),
    "unstreamed": (
        b'{"id":"resp_1","object":"response","status":"completed","error":null,'
        b'"output":[{"type":"message","content":[{"type":"output_text",'
        b'"text":"I look."}]},{"type":"function_call","call_id":"call_1",'
        b'"name":"ls","arguments":"{}"}],'
        b'"usage":{"input_tokens":4,"output_tokens":5}}',
        Outcome(
            "I look.",
            "",
            (ToolCall("call_1", "ls", "{}"),),
            ModelReply(
                "I look.", "tool_calls", Usage(4, 5), (ToolCall("call_1", "ls", "{}"),)
            ),
        ),
    ),
}

__all__ = ["EVERY_SAMPLE", "added", "call", "done", "ends", "message", "says", "writes"]
