"""
The interface between workers, as one worker uses it.
"""

from collections.abc import Callable
from hashlib import sha256
from secrets import token_hex
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

RUN_DIGITS = 24
"""
Hexadecimal digits in the ID of a run. With several workers, the last two are the
worker's number.
"""

RUN_IN_PROGRESS = "run in progress"
"""
The topic on which workers look for the run of a repeated request.
"""


class Peers(Protocol):
    """
    The other workers.

    @ivar number: This worker's number.
    @ivar count: The number of workers, this one included.
    """

    number: int
    count: int

    def broadcast(self, topic: str, data: Any) -> None:
        """
        Send a message to all other workers.
        """

    def query(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        Send a query to all other workers.

        @return: The replies that arrived in time, in any order.
        """

    def onBroadcast(self, topic: str, listener: Callable[[Any], object]) -> None:
        """
        Call a listener with each message on a topic.
        """

    def onQuery(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        """
        Reply to queries on a topic.
        """


class NoPeers:
    """
    The peers of a process without other workers.
    """

    number = 0
    count = 1

    def broadcast(self, topic: str, data: Any) -> None: ...

    def query(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        return succeed([])

    def onBroadcast(self, topic: str, listener: Callable[[Any], object]) -> None: ...

    def onQuery(self, topic: str, answerer: Callable[[Any], Any]) -> None: ...


def selectOwner(count: int, *names: str) -> int:
    """
    Return the number of the worker that owns the thing with these names. All workers
    agree on it.
    """
    digest = sha256("\0".join(names).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % count


def makeRunID(number: int) -> str:
    """
    Generate the ID of a run in a worker.
    """
    return f"run_{token_hex(RUN_DIGITS // 2 - 1)}{number:02x}"


def parseWorkerNumber(runID: str, count: int) -> int | None:
    """
    Return the number of the worker in a run's ID.

    @return: C{None} if the ID has none.
    """
    name, mark, digits = runID.partition("_")
    if (name, mark) != ("run", "_") or len(digits) != RUN_DIGITS:
        return None
    try:
        number = int(digits[-2:], 16)
    except ValueError:
        return None
    return number if number < count else None
