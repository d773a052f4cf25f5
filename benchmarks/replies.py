"""
The words of the mock upstream, and the check of a reply that should have them.

The upstream and the load generator share no more than this: the model id of a request
names a I{mode}, which fixes each word of the answer::

    instant-16     16 words, at once
    burst-200      200 words, at once
    paced-64-20    64 words, one every 20 ms
"""

import re
from itertools import cycle, islice

import msgspec

VOCABULARY = ("an", "agent", "streams", "every", "word", "of", "its", "answer")
LARGEST_REPLY = 10_000
MODEL_ID = re.compile(r"(?:instant|burst)-(\d+)|paced-(\d+)-(\d+)")


class Mode(msgspec.Struct, frozen=True):
    """
    A way to answer.
    """

    words: int  # the number of words: one content chunk each, when streamed
    interval: float = 0.0  # seconds from one word to the next; 0 says all at once

    def deltas(self) -> list[str]:
        first, *others = islice(cycle(VOCABULARY), self.words)
        return [first, *(f" {word}" for word in others)]


def modeOf(modelID: str) -> Mode | None:
    match = MODEL_ID.fullmatch(modelID)
    if match is None:
        return None
    atOnce, paced, milliseconds = match.groups()
    words = int(atOnce or paced)
    if not 0 < words <= LARGEST_REPLY:
        return None
    return Mode(words, int(milliseconds or 0) / 1000)


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said = _Said()
    delta: _Said = _Said()
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: dict[str, object] | None = None


_decode = msgspec.json.Decoder(_Completion).decode


def faultOfReply(body: bytes, text: str) -> str | None:
    """
    Return the fault of a reply that is not streamed, or C{None}.

    @param text: The right answer.
    """
    try:
        completion = _decode(body)
    except msgspec.MsgspecError as error:
        return f"not a completion: {error}"
    if len(completion.choices) != 1:
        return "not exactly one choice"
    choice = completion.choices[0]
    if choice.message.content != text:
        return "wrong text"
    if choice.finish_reason != "stop":
        return f"finish_reason {choice.finish_reason}"
    return None if completion.usage else "no usage"


def faultOfStream(body: bytes, text: str, chunks: int | None) -> str | None:
    """
    Return the fault of a whole stream, or C{None}.  A right one has the words, then
    one finish, then C{[DONE]}, and nothing else but usage and comments.

    @param text: The right answer.
    @param chunks: The number of its content chunks; C{None} allows any.
    """
    *events, last = body.replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n\n")
    if last.removeprefix(b"data:").strip() != b"[DONE]":
        return "does not end with [DONE]"
    words: list[str] = []
    finish = None
    for event in events:
        if event.startswith(b":"):
            continue
        try:
            chunk = _decode(event.removeprefix(b"data:"))
        except msgspec.MsgspecError as error:
            return f"not a chunk: {error}"
        for choice in chunk.choices:
            if finish is not None:
                return "more after the finish"
            if choice.delta.content:
                words.append(choice.delta.content)
            finish = choice.finish_reason
    if "".join(words) != text:
        return "wrong text"
    if finish != "stop":
        return f"finish_reason {finish}"
    if chunks not in (None, len(words)):
        return f"{len(words)} content chunks, not {chunks}"
    return None
