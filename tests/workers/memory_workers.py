"""
Workers without processes: a message reaches the others immediately.
"""

from twisted.internet.task import Clock
from twisted.logger import Logger

from openclaw.workers.switchboard import Switchboard
from openclaw.workers.worker_messages import (
    FromDaemon,
    FromWorker,
    MessageDecoder,
    encodeMessage,
)
from openclaw.workers.worker_peers import WorkerPeers


class MemoryWorkers:
    """
    Connected workers.

    @ivar workers: Each worker's view of the others.
    @ivar silent: The numbers of those that do not reply.
    """

    def __init__(self, count=2):
        self.clock = Clock()
        self.silent = set()
        self.gone = set()
        self.switchboard = Switchboard(
            send=self._toWorker,
            others=lambda number: [
                each for each in range(count) if each not in (number, *self.gone)
            ],
            local=lambda: None,
            clock=self.clock,
        )
        self.workers = [
            WorkerPeers(
                number,
                count,
                lambda message, n=number: self._toDaemon(n, message),
                Logger(namespace="openclaw", observer=lambda event: None),
            )
            for number in range(count)
        ]

    def _toDaemon(self, number, message):
        [read] = MessageDecoder(FromWorker).feed(encodeMessage(message))
        self.switchboard.received(number, read)

    def _toWorker(self, number, message):
        if number in self.silent and type(message).__name__ == "PeerQuery":
            return
        [read] = MessageDecoder(FromDaemon).feed(encodeMessage(message))
        self.workers[number].received(read)


__all__ = ["MemoryWorkers"]
