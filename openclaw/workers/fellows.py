"""
The other workers, as one of them knows them.
"""

from collections.abc import Callable
from hashlib import sha256
from secrets import token_hex
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from openclaw.workers.wire import Answer, Answers, Ask, Heard, Question, Tell

RUN_DIGITS = 24
"""
The digits of a run's id.  The last two are the number of its worker, if there are
several.
"""

LIVE = "run in progress"
"""
The topic under which workers ask who carries out what a request asks for.
"""


class Fellows(Protocol):
    """
    Whom a gateway can tell and ask something.

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


class Nobody:
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


class OtherWorkers:
    """
    The others, behind the pipes to the daemon.
    """

    def __init__(
        self,
        number: int,
        count: int,
        send: Callable[[msgspec.Struct], object],
        log: Logger,
    ) -> None:
        """
        @param send: Sends a message to the daemon.
        """
        self.number = number
        self.count = count
        self._send = send
        self._log = log
        self._asked = 0
        self._waiting: dict[int, Deferred[list[Any]]] = {}
        self._listeners: dict[str, Callable[[Any], object]] = {}
        self._answerers: dict[str, Callable[[Any], Any]] = {}

    def tell(self, topic: str, data: Any) -> None:
        """
        See L{Fellows.tell}.
        """
        self._send(Tell(topic, data))

    def ask(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        See L{Fellows.ask}.  It is the daemon that sees to the time.
        """
        self._asked += 1
        number = self._asked

        def forget(_: object) -> None:
            self._waiting.pop(number, None)

        waiting: Deferred[list[Any]] = Deferred(forget)
        self._waiting[number] = waiting
        self._send(Ask(number, topic, data))
        return waiting

    def hear(self, topic: str, listener: Callable[[Any], object]) -> None:
        """
        See L{Fellows.hear}.
        """
        self._listeners[topic] = listener

    def answer(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        """
        See L{Fellows.answer}.
        """
        self._answerers[topic] = answerer

    # What the daemon says

    def received(self, message: Heard | Question | Answers) -> None:
        """
        Something came from another worker.
        """
        if isinstance(message, Answers):
            waiting = self._waiting.pop(message.number, None)
            if waiting is not None:
                waiting.callback([msgspec.json.decode(each) for each in message.data])
            return
        data = msgspec.json.decode(message.data)
        try:
            if isinstance(message, Heard):
                self._listeners[message.topic](data)
            else:
                reply = self._answerers[message.topic](data)
                self._send(Answer(message.number, reply))
        except Exception:
            self._log.failure(
                "What another worker said of {topic} came to nothing",
                topic=message.topic,
            )


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
    Which worker has named a run.

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


__all__ = [
    "LIVE",
    "Fellows",
    "Nobody",
    "OtherWorkers",
    "newRunID",
    "ownerOf",
    "workerOf",
]
