"""
Messages between the daemon and its workers: each a line of JSON.

The daemon holds the ports and begins the workers; a worker is a whole gateway in a
process of its own.  Between them are two pipes::

    daemon ── FromDaemon ──► descriptor 3 of the worker
    daemon ◄── FromWorker ── descriptor 4

When the daemon's end of the first one closes, for whatever reason, the worker ends.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

ORDERS, REPORTS, FIRST_PORT = 3, 4, 5
"""
The descriptors of a worker: its pipes, and the first of the ports.
"""


class SharedSocket(Struct, frozen=True):
    """
    A port that is open.

    @ivar descriptor: Its number in the worker.
    @ivar family: Its address family, as L{socket} numbers them.
    """

    descriptor: int
    family: int


class Order(Struct, frozen=True, kw_only=True):
    """
    The order of what a worker is to be. It goes through a pipe because other users of
    the machine can read arguments.

    @ivar number: Its number, from 0.
    @ivar count: How many workers there are.
    @ivar config: The configuration file that was asked for, if one was.
    @ivar listen: Endpoint strings, as they were given.
    @ivar sockets: The ports, in the order of their endpoints.
    @ivar auth: strcred's descriptions.
    @ivar folder: Where the workers' own sockets are.
    @ivar secret: What a request must show there.
    @ivar reactor: The module of the reactor to use.
    @ivar path: Where Python finds modules.
    """

    number: int
    count: int
    config: str | None
    listen: Sequence[str]
    sockets: Sequence[SharedSocket]
    auth: Sequence[str]
    folder: str
    secret: str
    reactor: str
    path: Sequence[str]


# What the daemon says


class Reload(Struct, frozen=True, tag="reload"):
    """
    Read the configuration again.
    """


class Drain(Struct, frozen=True, tag="drain"):
    """
    Let runs end, and begin no more.
    """


class Stop(Struct, frozen=True, tag="stop"):
    """
    End.
    """


class Hurry(Struct, frozen=True, tag="hurry"):
    """
    Wait no longer for runs.
    """


class Heard(Struct, frozen=True, tag="heard"):
    """
    Another worker told all others something.
    """

    topic: str
    data: Raw


class Question(Struct, frozen=True, tag="question"):
    """
    Another worker asks all others something.
    """

    number: int
    topic: str
    data: Raw


class Answers(Struct, frozen=True, tag="answers"):
    """
    The answers of the others, of those who gave one in time.

    @ivar number: That of the L{Ask}.
    """

    number: int
    data: Sequence[Raw]


class EngineLeased(Struct, frozen=True, tag="lent"):
    """
    The address of the embedded model.

    @ivar number: That of the L{LeaseEngine}.
    """

    number: int
    baseURL: str
    key: str


class EngineRefusedLease(Struct, frozen=True, tag="notLent"):
    """
    It can't be, for now.
    """

    number: int
    message: str
    retryAfter: float | None


class Ended(Struct, frozen=True, tag="ended"):
    """
    A process of the embedded model is gone.
    """

    embeddings: bool


class EngineFails(Struct, frozen=True, tag="engine fails"):
    """
    The embedded model can't be started, or can be again.
    """

    embeddings: bool
    fails: bool


# What a worker says


class Ready(Struct, frozen=True, tag="ready"):
    """
    It serves.
    """


class Drained(Struct, frozen=True, tag="drained"):
    """
    No run is left.
    """


class Reloaded(Struct, frozen=True, tag="reloaded"):
    """
    The configuration has been read, be it good or not.
    """


class Failed(Struct, frozen=True, tag="failed"):
    """
    It can't, and ends.
    """

    reason: str


class Logged(Struct, frozen=True, tag="logged", omit_defaults=True):
    """
    A line for the log.

    @ivar fields: More of it, for a log that is JSON.
    """

    time: float
    level: str
    namespace: str
    text: str
    fields: dict[str, Any] | UnsetType = UNSET
    traceback: str | UnsetType = UNSET


class Tell(Struct, frozen=True, tag="tell"):
    """
    Something for all other workers.
    """

    topic: str
    data: Any


class Ask(Struct, frozen=True, tag="ask"):
    """
    A question for all other workers.
    """

    number: int
    topic: str
    data: Any


class Answer(Struct, frozen=True, tag="answer"):
    """
    An answer to a L{Question}.
    """

    number: int
    data: Any


class LeaseEngine(Struct, frozen=True, tag="borrow"):
    """
    The embedded model is wanted.

    @ivar embeddings: The process that makes embeddings, and not the one that speaks.
    """

    number: int
    embeddings: bool


FromDaemon = (
    Reload
    | Drain
    | Stop
    | Hurry
    | Heard
    | Question
    | Answers
    | EngineLeased
    | EngineRefusedLease
    | Ended
    | EngineFails
)


class Told(Struct, frozen=True, tag="tell"):
    """
    A L{Tell} as the daemon reads it: what it only passes on stays as it is.
    """

    topic: str
    data: Raw


class Asked(Struct, frozen=True, tag="ask"):
    """
    An L{Ask} as the daemon reads it.
    """

    number: int
    topic: str
    data: Raw


class Answered(Struct, frozen=True, tag="answer"):
    """
    An L{Answer} as the daemon reads it.
    """

    number: int
    data: Raw


FromWorker = (
    Ready | Reloaded | Drained | Failed | Logged | Told | Asked | Answered | LeaseEngine
)

T = TypeVar("T")


class Lines(Generic[T]):
    """
    Reads lines of JSON out of bytes that come in any pieces.
    """

    def __init__(self, kind: Any) -> None:
        """
        @param kind: What the lines are: a union of structs.
        """
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)
        self._begun: list[bytes] = []

    def feed(self, data: bytes) -> list[T]:
        """
        Some bytes came.

        @return: What they complete.

        @raise msgspec.MsgspecError: It is none of that.
        """
        if b"\n" not in data:
            self._begun.append(data)
            return []
        first, *more = data.split(b"\n")
        lines = [b"".join((*self._begun, first)), *more]
        self._begun = [lines.pop()]
        return [self._decoder.decode(line) for line in lines]


_encoder = msgspec.json.Encoder()


def lineOf(message: Struct) -> bytes:
    """
    A message as a line.
    """
    return _encoder.encode(message) + b"\n"
