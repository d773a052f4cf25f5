"""
The other workers, as one of them knows them.
"""

from collections.abc import Callable
from hashlib import sha256
from secrets import token_hex
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

RUN_DIGITS = 24
"""
The digits of a run's id.  The last two are the number of its worker, if there are
several.
"""

LIVE = "run in progress"
"""
The topic under which workers ask who carries out what a request asks for.
"""


class Peers(Protocol):
    """
    The other workers, as one of them can tell and ask them.

    @ivar number: Our own number.
    @ivar count: How many there are, with us.
    """

    number: int
    count: int

    def tell(self, topic: str, data: Any) -> None:
        """
        Let all others know something.
        """

    def ask(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        Ask all others.

        @return: What they said, of those who did so in time, in no order.
        """

    def hear(self, topic: str, listener: Callable[[Any], object]) -> None:
        """
        Have something called with what others tell.
        """

    def answer(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        """
        Have others' questions answered.
        """


class NoPeers:
    """
    There are no others.
    """

    number = 0
    count = 1

    def tell(self, topic: str, data: Any) -> None:
        """
        Nobody listens.
        """

    def ask(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        Nobody answers.
        """
        return succeed([])

    def hear(self, topic: str, listener: Callable[[Any], object]) -> None:
        """
        Nobody tells.
        """

    def answer(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        """
        Nobody asks.
        """


def ownerOf(count: int, *names: str) -> int:
    """
    The number of the worker that something belongs to, the same for all who ask.
    """
    digest = sha256("\0".join(names).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % count


def newRunID(number: int) -> str:
    """
    A name for a run of a worker.
    """
    return f"run_{token_hex(RUN_DIGITS // 2 - 1)}{number:02x}"


def workerOf(runID: str, count: int) -> int | None:
    """
    Return the worker that named a run.

    @return: C{None} if none has.
    """
    name, mark, digits = runID.partition("_")
    if (name, mark) != ("run", "_") or len(digits) != RUN_DIGITS:
        return None
    try:
        number = int(digits[-2:], 16)
    except ValueError:
        return None
    return number if number < count else None
