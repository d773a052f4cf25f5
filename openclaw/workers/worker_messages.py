"""
Messages between the daemon and its workers: one JSON document per line.

The daemon holds the ports and starts the workers; a worker is a whole gateway in its
own process.  Two pipes connect them::

    daemon ── FromDaemon ──► descriptor 3 of the worker
    daemon ◄── FromWorker ── descriptor 4

When the daemon's end of the first pipe closes, for any reason, the worker stops.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

FROM_DAEMON, TO_DAEMON, FIRST_PORT = 3, 4, 5
"""
The descriptors in a worker: its pipes, and the first port.
"""


class SharedSocket(Struct, frozen=True):
    """
    An open port.

    @ivar descriptor: Its descriptor in the worker.
    @ivar family: Its address family, as L{socket} numbers them.
    """

    descriptor: int
    family: int


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """
    The settings of a worker.  They are sent through a pipe, since other users of the
    machine can read command lines.

    @ivar number: The worker's number, from 0.
    @ivar count: The number of workers.
    @ivar config: The configuration file of the command line, if given.
    @ivar listen: The endpoint descriptions of the command line.
    @ivar sockets: The ports, in the order of their endpoints.
    @ivar auth: strcred's descriptions.
    @ivar folder: The directory of the workers' own sockets.
    @ivar secret: The secret in requests between workers.
    @ivar reactor: The module of the reactor.
    @ivar path: C{sys.path}.
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


# Messages of the daemon


class Reload(Struct, frozen=True, tag="reload"):
    """
    Reload the configuration.
    """


class Drain(Struct, frozen=True, tag="drain"):
    """
    Start no more runs, and report when the last one has ended.
    """


class Stop(Struct, frozen=True, tag="stop"):
    pass


class CancelRuns(Struct, frozen=True, tag="cancelRuns"):
    """
    Cancel the runs in progress.
    """


class PeerBroadcast(Struct, frozen=True, tag="heard"):
    """
    A broadcast of another worker.
    """

    topic: str
    data: Raw


class PeerQuery(Struct, frozen=True, tag="question"):
    """
    A query of another worker.
    """

    number: int
    topic: str
    data: Raw


class Replies(Struct, frozen=True, tag="answers"):
    """
    The replies of the other workers that replied in time.

    @ivar number: The number of the L{Query}.
    """

    number: int
    data: Sequence[Raw]


class EngineLeased(Struct, frozen=True, tag="lent"):
    """
    The address of the embedded model.

    @ivar number: The number of the L{LeaseEngine}.
    """

    number: int
    baseURL: str
    key: str


class EngineRefusedLease(Struct, frozen=True, tag="notLent"):
    """
    The model is not available for now.

    @ivar number: The number of the L{LeaseEngine}.
    """

    number: int
    message: str
    retryAfter: float | None


class EngineExited(Struct, frozen=True, tag="ended"):
    """
    A process of the embedded model has ended.
    """

    embeddings: bool


class EngineFails(Struct, frozen=True, tag="engine fails"):
    """
    The embedded model can't be started, or can be again.
    """

    embeddings: bool
    fails: bool


# Messages of a worker


class Ready(Struct, frozen=True, tag="ready"):
    """
    The worker accepts connections.
    """


class Drained(Struct, frozen=True, tag="drained"):
    """
    No run is left.
    """


class Reloaded(Struct, frozen=True, tag="reloaded"):
    """
    The reload has ended, successfully or not.
    """


class Failed(Struct, frozen=True, tag="failed"):
    """
    The worker can't start, and ends.
    """

    reason: str


class Logged(Struct, frozen=True, tag="logged", omit_defaults=True):
    """
    A log entry.

    @ivar fields: Its fields, if the log is JSON.
    """

    time: float
    level: str
    namespace: str
    text: str
    fields: dict[str, Any] | UnsetType = UNSET
    traceback: str | UnsetType = UNSET


class Broadcast(Struct, frozen=True, tag="tell"):
    """
    A message to all other workers.
    """

    topic: str
    data: Any


class Query(Struct, frozen=True, tag="ask"):
    """
    A query to all other workers.
    """

    number: int
    topic: str
    data: Any


class Reply(Struct, frozen=True, tag="answer"):
    """
    The reply to a L{PeerQuery}.
    """

    number: int
    data: Any


class LeaseEngine(Struct, frozen=True, tag="borrow"):
    """
    A request for the embedded model.

    @ivar embeddings: The model for embeddings, rather than the one for chat.
    """

    number: int
    embeddings: bool


FromDaemon = (
    Reload
    | Drain
    | Stop
    | CancelRuns
    | PeerBroadcast
    | PeerQuery
    | Replies
    | EngineLeased
    | EngineRefusedLease
    | EngineExited
    | EngineFails
)


class RawBroadcast(Struct, frozen=True, tag="tell"):
    """
    A L{Broadcast} in the daemon, which relays the data without decoding it.
    """

    topic: str
    data: Raw


class RawQuery(Struct, frozen=True, tag="ask"):
    """
    A L{Query} in the daemon.
    """

    number: int
    topic: str
    data: Raw


class RawReply(Struct, frozen=True, tag="answer"):
    """
    A L{Reply} in the daemon.
    """

    number: int
    data: Raw


FromWorker = (
    Ready
    | Reloaded
    | Drained
    | Failed
    | Logged
    | RawBroadcast
    | RawQuery
    | RawReply
    | LeaseEngine
)

T = TypeVar("T")


class MessageDecoder(Generic[T]):
    """
    Decodes messages from bytes in pieces of any size.
    """

    def __init__(self, kind: Any) -> None:
        """
        @param kind: The type of the messages: a union of structs.
        """
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)
        self._begun: list[bytes] = []

    def feed(self, data: bytes) -> list[T]:
        """
        @return: The messages that the bytes complete.

        @raise msgspec.MsgspecError: A line is not a valid message.
        """
        if b"\n" not in data:
            self._begun.append(data)
            return []
        first, *more = data.split(b"\n")
        lines = [b"".join((*self._begun, first)), *more]
        self._begun = [lines.pop()]
        return [self._decoder.decode(line) for line in lines]


_encoder = msgspec.json.Encoder()


def encodeMessage(message: Struct) -> bytes:
    return _encoder.encode(message) + b"\n"
