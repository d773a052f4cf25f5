"""
The other workers, behind the pipes to the daemon.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from openclaw.workers.worker_messages import Answer, Answers, Ask, Heard, Question, Tell


class WorkerPeers:
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
        See L{Peers.tell}.
        """
        self._send(Tell(topic, data))

    def ask(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        See L{Peers.ask}.  It is the daemon that sees to the time.
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
        See L{Peers.hear}.
        """
        self._listeners[topic] = listener

    def answer(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        """
        See L{Peers.answer}.
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
