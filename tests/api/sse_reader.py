"""
Reading an event stream as strictly as the strictest client, and putting its chunks
together as the SDKs do.
"""

from typing import Any

import msgspec

Frame = dict[str, Any] | str
"""
A data frame's JSON; or the C{[DONE]} or the comment that stands in its place.
"""

DONE = "[DONE]"


def framesOf(stream):
    """
    The frames of a stream.

    @raise AssertionError: There is something in it that some client can't read.
    """
    assert stream.isascii() or not set(stream.decode()) & set("\x85\u2028\u2029")
    *blocks, rest = stream.split(b"\n\n")
    assert rest == b"", rest
    return [_frame(block) for block in blocks]


def _frame(block):
    assert b"\n" not in block, block
    if block.startswith(b": "):
        return block.decode()
    assert block.startswith(b"data: "), block
    if block == b"data: [DONE]":
        return DONE
    return msgspec.json.decode(block[len(b"data: ") :], type=dict[str, Any])


def terminalsOf(frames):
    """
    Return the ends of a stream's answer: its finish reasons and its errors.
    """
    found = []
    for frame in frames:
        if isinstance(frame, dict) and "error" in frame:
            found.append(frame["error"]["code"])
        elif isinstance(frame, dict):
            found += [one["finish_reason"] for one in frame["choices"]]
    return [one for one in found if one is not None]


def folded(frames):
    """
    The whole completion that the chunks of a stream come to.  What stands in several
    deltas is joined, as the SDKs do it; the rest must be the same in all.
    """
    message: dict[str, str] = {}
    whole: dict[str, Any] = {"finish_reason": None}
    for frame in frames:
        if not isinstance(frame, dict):
            continue
        for name in ("id", "created", "model", "system_fingerprint", "object"):
            assert whole.setdefault(name, frame[name]) == frame[name], name
        for choice in frame["choices"]:
            assert choice.keys() == {"index", "delta", "logprobs", "finish_reason"}
            assert choice["index"] == 0
            for name, text in choice["delta"].items():
                message[name] = message.get(name, "") + text
            whole["finish_reason"] = choice["finish_reason"] or whole["finish_reason"]
        # A chunk without usage would erase it.
        whole["usage"] = frame.get("usage")
    return whole | {"message": message}


__all__ = ["DONE", "Frame", "folded", "framesOf", "terminalsOf"]
