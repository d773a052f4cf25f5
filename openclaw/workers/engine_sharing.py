"""
The embedded model, of which there is one for all workers: the daemon has its processes,
and workers borrow them.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from openclaw.config import Secret
from openclaw.errors import ModelUnavailable, OpenClawError, ShuttingDown
from openclaw.interfaces import IModelProvider
from openclaw.models.local.engine import Connect, Engine, PendingOperation, State
from openclaw.models.local.weights import Weights
from openclaw.workers.worker_messages import (
    EngineLeased,
    EngineRefusedLease,
    LeaseEngine,
)


class EngineWaiter:
    """
    A worker that waits until the model is loaded.
    """

    def __init__(
        self,
        engine: Engine,
        number: int,
        reply: Callable[[EngineLeased | EngineRefusedLease], object],
    ) -> None:
        """
        @param number: That of the worker's wish.
        """
        self.done: Deferred[None] = Deferred()
        self._engine = engine
        self._number = number
        self._reply = reply

    def start(self, provider: IModelProvider) -> None:
        """
        It is loaded.
        """
        address = self._engine.address
        assert address is not None
        baseURL, key = address
        self._end(EngineLeased(self._number, baseURL, key))

    def fail(self, error: OpenClawError) -> None:
        """
        It can't be had.
        """
        self._end(EngineRefusedLease(self._number, error.message, error.retryAfter))

    def _end(self, answer: EngineLeased | EngineRefusedLease) -> None:
        self._reply(answer)
        self.done.callback(None)


def shareEngine(
    engine: Engine,
    wish: LeaseEngine,
    reply: Callable[[EngineLeased | EngineRefusedLease], object],
) -> None:
    """
    Let a worker have the model.

    @param reply: Tells it where that is, as soon as it is there.
    """
    loan = EngineWaiter(engine, wish.number, reply)
    refusal = engine.refusal()
    if refusal is not None:
        loan.fail(refusal)
    elif engine.upstream is not None:
        loan.start(engine.upstream)
    else:
        engine.wait(loan)


class EngineLease:
    """
    The engine that a worker has leased.
    """

    def __init__(self, send: Callable[[LeaseEngine], object]) -> None:
        """
        @param send: Tells the daemon what is wanted.
        """
        self._send = send
        self._asked = 0
        self._engines: dict[int, SharedEngine] = {}
        self._known: list[SharedEngine] = []
        self._fails = {False: False, True: False}

    def engine(self, **settings: Any) -> "SharedEngine":
        """
        Make what stands for an L{Engine} here.

        @param settings: The arguments of L{Engine}.
        """
        engine = SharedEngine(
            ask=self._ask,
            embeddings=settings["order"]("", "").embeddings,
            weights=settings["weights"],
            connect=settings["connect"],
        )
        engine.fails = self._fails[engine.embeddings]
        self._known.append(engine)
        return engine

    def _ask(self, engine: "SharedEngine") -> None:
        self._asked += 1
        self._engines[self._asked] = engine
        self._send(LeaseEngine(self._asked, engine.embeddings))

    def received(self, answer: EngineLeased | EngineRefusedLease) -> None:
        """
        The daemon's answer.
        """
        engine = self._engines.pop(answer.number, None)
        if engine is not None:
            engine.answered(answer)

    def failing(self, embeddings: bool, fails: bool) -> None:
        """
        The daemon can't start it, or can again.
        """
        self._fails[embeddings] = fails
        for engine in self._known:
            if engine.embeddings == embeddings:
                engine.fails = fails

    def ended(self, embeddings: bool) -> None:
        """
        A process is gone.
        """
        self._known = [each for each in self._known if each.state != "closed"]
        for engine in self._known:
            if engine.embeddings == embeddings:
                engine.lost()


class SharedEngine:
    """
    An engine whose process is the daemon's; see L{Engine}.

    @ivar embeddings: Is it the one for embeddings?
    @ivar fails: The daemon can't start it; see L{Engine.fails}.
    """

    def __init__(
        self,
        *,
        ask: Callable[["SharedEngine"], object],
        embeddings: bool,
        weights: Weights,
        connect: Connect,
    ) -> None:
        self.state: State = "stopped"
        self.fails = False
        self.upstream: IModelProvider | None = None
        self.embeddings = embeddings
        self._askFor = ask
        self._weights = weights
        self._connect = connect
        self._waiting: list[PendingOperation] = []
        self._closing: set[Deferred[None]] = set()

    def unavailableReason(self) -> str | None:
        """
        Nothing that the daemon does not say.
        """
        return None

    def start(self) -> None:
        """
        It is the daemon that starts it.  See whether it can.
        """
        if self.state in ("stopped", "unavailable"):
            try:
                self._weights.path()
            except ModelUnavailable:
                self.state = "unavailable"
            else:
                self.state = "stopped"

    def refusal(self) -> OpenClawError | None:
        """
        See L{Engine.refusal}.
        """
        if self.state == "closed":
            return _closed()
        return None

    def wait(self, call: PendingOperation) -> None:
        """
        See L{Engine.wait}.
        """
        self._waiting.append(call)
        call.done.addBoth(self._waitsNoMore, call)
        if self.state != "starting":
            self.state = "starting"
            self._askFor(self)

    def answered(self, answer: EngineLeased | EngineRefusedLease) -> None:
        """
        The daemon has said where it is, or that it is not to be had.
        """
        if self.state != "starting":
            return
        waiting, self._waiting = self._waiting, []
        if isinstance(answer, EngineRefusedLease):
            self.state = "failed"
            for call in waiting:
                call.fail(
                    ModelUnavailable(answer.message, retryAfter=answer.retryAfter)
                )
            return
        self.state = "ready"
        self.upstream = self._connect(answer.baseURL, Secret(answer.key))
        for call in waiting:
            call.start(self.upstream)

    def lost(self) -> None:
        """
        The process is gone.  Calls that come have to wait for another.
        """
        if self.state == "ready":
            self.state = "died"
        self._disconnect()

    def _disconnect(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            closing = upstream.close()
            self._closing.add(closing)
            closing.addBoth(lambda _: self._closing.discard(closing))

    def close(self) -> "Deferred[None]":
        """
        See L{Engine.close}.
        """
        self.state = "closed"
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call.fail(_closed())
        self._disconnect()
        closing = list(self._closing)
        return Deferred.fromCoroutine(_all(closing))

    def _waitsNoMore(self, result: Any, call: PendingOperation) -> Any:
        if call in self._waiting:
            self._waiting.remove(call)
        return result


async def _all(ends: "list[Deferred[None]]") -> None:
    for end in ends:
        await end


def _closed() -> ShuttingDown:
    return ShuttingDown(
        "The embedded model is being stopped. Try again soon.", retryAfter=1.0
    )
