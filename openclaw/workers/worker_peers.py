"""
Messages to other workers through the daemon.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from openclaw.workers.worker_messages import (
    Broadcast,
    PeerBroadcast,
    PeerQuery,
    Query,
    Replies,
    Reply,
)


class WorkerPeers:
    """
    The other workers, reached through the pipes to the daemon.
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
        self._requests = 0
        self._waiting: dict[int, Deferred[list[Any]]] = {}
        self._listeners: dict[str, Callable[[Any], object]] = {}
        self._answerers: dict[str, Callable[[Any], Any]] = {}

    def broadcast(self, topic: str, data: Any) -> None:
        self._send(Broadcast(topic, data))

    def query(self, topic: str, data: Any = None) -> "Deferred[list[Any]]":
        """
        Send a query; see L{Peers.query}.  The daemon limits the time.
        """
        self._requests += 1
        number = self._requests

        def forget(_: object) -> None:
            self._waiting.pop(number, None)

        waiting: Deferred[list[Any]] = Deferred(forget)
        self._waiting[number] = waiting
        self._send(Query(number, topic, data))
        return waiting

    def onBroadcast(self, topic: str, listener: Callable[[Any], object]) -> None:
        self._listeners[topic] = listener

    def onQuery(self, topic: str, answerer: Callable[[Any], Any]) -> None:
        self._answerers[topic] = answerer

    def received(self, message: PeerBroadcast | PeerQuery | Replies) -> None:
        if isinstance(message, Replies):
            waiting = self._waiting.pop(message.number, None)
            if waiting is not None:
                waiting.callback([msgspec.json.decode(each) for each in message.data])
            return
        data = msgspec.json.decode(message.data)
        try:
            if isinstance(message, PeerBroadcast):
                self._listeners[message.topic](data)
            else:
                reply = self._answerers[message.topic](data)
                self._send(Reply(message.number, reply))
        except Exception:
            self._log.failure(
                "A message from another worker failed: {topic}",
                topic=message.topic,
            )
