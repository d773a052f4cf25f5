"""
Relay messages between workers in the daemon.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.workers.engine_sharing import shareEngine
from openclaw.workers.worker_messages import (
    EngineLeased,
    EngineRefusedLease,
    LeaseEngine,
    PeerBroadcast,
    PeerQuery,
    RawBroadcast,
    RawQuery,
    RawReply,
    Replies,
)

REPLY_SECONDS = 1.0
"""
The time in which a worker must reply to a query.
"""


@dataclass(eq=False)
class _PendingQuery:
    """
    A query that was sent to other workers.

    @ivar number: The sender's number of the query.
    @ivar missing: The workers that have not replied.
    """

    sender: int
    number: int
    missing: set[int]
    replies: list[msgspec.Raw] = field(default_factory=list)
    clock: IDelayedCall | None = None


class Switchboard:
    """
    Relays messages between workers, and leases them the embedded model.
    """

    def __init__(
        self,
        *,
        send: Callable[[int, msgspec.Struct], object],
        others: Callable[[int], list[int]],
        local: Callable[[], LocalModelProvider],
        clock: IReactorTime,
    ) -> None:
        """
        @param send: Sends a message to a worker, by its number.
        @param others: Returns the numbers of all ready workers but one.
        @param local: Returns the provider of the embedded model.
        """
        self._send = send
        self._others = others
        self._local = local
        self._clock = clock
        self._count = 0
        self._pending: dict[int, _PendingQuery] = {}

    def received(self, number: int, message: msgspec.Struct) -> None:
        match message:
            case RawBroadcast(topic, data):
                for other in self._others(number):
                    self._send(other, PeerBroadcast(topic, data))
            case RawQuery():
                self._query(number, message)
            case RawReply():
                self._addReply(number, message)
            case LeaseEngine():
                self._leaseEngine(number, message)

    def _query(self, sender: int, query: RawQuery) -> None:
        others = self._others(sender)
        pending = _PendingQuery(sender, query.number, set(others))
        self._count += 1
        self._pending[self._count] = pending
        if not others:
            self._finish(self._count)
            return
        pending.clock = self._clock.callLater(REPLY_SECONDS, self._finish, self._count)
        question = PeerQuery(self._count, query.topic, query.data)
        for other in others:
            self._send(other, question)

    def _addReply(self, number: int, reply: RawReply) -> None:
        pending = self._pending.get(reply.number)
        if pending is None or number not in pending.missing:
            return
        pending.missing.discard(number)
        # A copy, since a Raw would keep the whole line in memory.
        pending.replies.append(reply.data.copy())
        if not pending.missing:
            self._finish(reply.number)

    def _finish(self, question: int) -> None:
        pending = self._pending.pop(question)
        if pending.clock is not None and pending.clock.active():
            pending.clock.cancel()
        self._send(pending.sender, Replies(pending.number, pending.replies))

    def workerExited(self, number: int) -> None:
        for question, pending in list(self._pending.items()):
            pending.missing.discard(number)
            if not pending.missing:
                self._finish(question)

    def _leaseEngine(self, number: int, request: LeaseEngine) -> None:
        def reply(reply: EngineLeased | EngineRefusedLease) -> None:
            self._send(number, reply)

        shareEngine(self._local().engine(request.embeddings), request, reply)
