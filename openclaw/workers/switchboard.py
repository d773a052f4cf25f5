"""
Messages between workers, by way of the daemon.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.workers.engine_sharing import shareEngine
from openclaw.workers.worker_messages import (
    Answered,
    Answers,
    Asked,
    EngineLeased,
    EngineRefusedLease,
    Heard,
    LeaseEngine,
    Question,
    Told,
)

ANSWER_SECONDS = 1.0
"""
Seconds for which a worker may take to answer another's question.
"""


@dataclass(eq=False)
class _Asking:
    """
    A question that was passed on.

    @ivar number: Its number with who asks.
    @ivar missing: Who has not answered yet.
    """

    asker: int
    number: int
    missing: set[int]
    found: list[msgspec.Raw] = field(default_factory=list)
    clock: IDelayedCall | None = None


class Switchboard:
    """
    Passes on what workers say, and lends them the embedded model.
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
        @param send: Tells a worker something, by its number.

        @param others: The numbers of those that serve, but for one.

        @param local: The embedded model.
        """
        self._send = send
        self._others = others
        self._local = local
        self._clock = clock
        self._count = 0
        self._asking: dict[int, _Asking] = {}

    def received(self, number: int, message: msgspec.Struct) -> None:
        """
        A worker has said something.
        """
        match message:
            case Told(topic, data):
                for other in self._others(number):
                    self._send(other, Heard(topic, data))
            case Asked():
                self._ask(number, message)
            case Answered():
                self._answered(number, message)
            case LeaseEngine():
                self._borrow(number, message)

    def _ask(self, asker: int, asked: Asked) -> None:
        others = self._others(asker)
        asking = _Asking(asker, asked.number, set(others))
        self._count += 1
        self._asking[self._count] = asking
        if not others:
            self._finish(self._count)
            return
        asking.clock = self._clock.callLater(ANSWER_SECONDS, self._finish, self._count)
        question = Question(self._count, asked.topic, asked.data)
        for other in others:
            self._send(other, question)

    def _answered(self, number: int, answer: Answered) -> None:
        asking = self._asking.get(answer.number)
        if asking is None or number not in asking.missing:
            return
        asking.missing.discard(number)
        # What follows has to be of its own: the rest of the line is forgotten.
        asking.found.append(answer.data.copy())
        if not asking.missing:
            self._finish(answer.number)

    def _finish(self, question: int) -> None:
        asking = self._asking.pop(question)
        if asking.clock is not None and asking.clock.active():
            asking.clock.cancel()
        self._send(asking.asker, Answers(asking.number, asking.found))

    def gone(self, number: int) -> None:
        """
        A worker has ended: nobody waits for what it would have said.
        """
        for question, asking in list(self._asking.items()):
            asking.missing.discard(number)
            if not asking.missing:
                self._finish(question)

    def _borrow(self, number: int, wish: LeaseEngine) -> None:
        def reply(answer: EngineLeased | EngineRefusedLease) -> None:
            self._send(number, answer)

        shareEngine(self._local().engine(wish.embeddings), wish, reply)
