"""
What the mock upstream says, and whether a reply is whole and right.

This is all that the upstream and the load generator share: the model id of a request
names a I{mode}, and the mode fixes every word of the answer::

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
    How the upstream answers.

    @ivar words: How many words it says: one content chunk each, when streamed.
    @ivar interval: Seconds from one word to the next; 0 says all at once.
    """

    words: int
    interval: float = 0.0

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


class Expected(msgspec.Struct, frozen=True):
    """
    What a right reply holds.

    @ivar text: The whole answer.
    @ivar chunks: In how many content chunks a stream brings it, or C{None} for any
        number.
    @ivar usage: Whether a stream must tell the token usage.
    """

    text: str
    chunks: int | None = None
    usage: bool = False


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said = _Said()
    delta: _Said = _Said()
    finish_reason: str | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Completion(msgspec.Struct, frozen=True):
    choices: list[_Choice]
    usage: _Usage | None = None


_decode = msgspec.json.Decoder(_Completion).decode


def faultOfReply(body: bytes, expected: Expected) -> str | None:
    """
    What is wrong with the body of a reply that is not streamed, or C{None}.
    """
    try:
        completion = _decode(body)
    except msgspec.MsgspecError as error:
        return f"not a completion: {error}"
    if len(completion.choices) != 1:
        return "not exactly one choice"
    choice = completion.choices[0]
    if choice.message.content != expected.text:
        return "wrong text"
    if choice.finish_reason != "stop":
        return f"finish_reason {choice.finish_reason}"
    if completion.usage is None:
        return "no usage"
    return None


def faultOfStream(body: bytes, expected: Expected) -> str | None:
    """
    What is wrong with the whole body of a streamed reply, or C{None}.

    A right one has the words, then one finish, then the usage if there is any, then
    C{[DONE]}, and nothing else but comments.
    """
    events = _eventsOf(body)
    if not events or events.pop() != b"[DONE]":
        return "does not end with [DONE]"
    words: list[str] = []
    finish = usage = None
    for event in events:
        try:
            chunk = _decode(event)
        except msgspec.MsgspecError as error:
            return f"not a chunk: {error}"
        usage = usage or chunk.usage
        for choice in chunk.choices:
            if finish is not None:
                return "more after the finish"
            if choice.delta.content:
                words.append(choice.delta.content)
            finish = choice.finish_reason
    if "".join(words) != expected.text:
        return "wrong text"
    if finish != "stop":
        return f"finish_reason {finish}"
    if expected.chunks not in (None, len(words)):
        return f"{len(words)} content chunks, not {expected.chunks}"
    if expected.usage and usage is None:
        return "no usage"
    return None


def _eventsOf(body: bytes) -> list[bytes]:
    """
    The data of each event, without the comments.  An event that was cut off, or
    that is no data line, is kept as it is and so will be found wrong.
    """
    events = body.replace(b"\r\n", b"\n").split(b"\n\n")
    if events[-1] == b"":
        events.pop()
    return [
        event.removeprefix(b"data:").strip()
        for event in events
        if not event.startswith(b":")
    ]
