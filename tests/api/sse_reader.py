"""
A strict reader of event streams, which assembles the chunks like the SDKs.
"""

from typing import Any

import msgspec

Frame = dict[str, Any] | str
"""
The JSON of a data frame, or C{[DONE]}, or a comment.
"""

DONE = "[DONE]"


def framesOf(stream):
    """
    Return the frames of a stream.

    @raise AssertionError: Some client could not read it.
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
    Return the terminals of a stream: its finish reasons and errors.
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
    Return the completion that the chunks of a stream add up to.  Deltas are joined, as
    in the SDKs; other members must be the same in all chunks.
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
