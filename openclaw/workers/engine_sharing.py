"""
Share the embedded model among workers: the daemon runs its processes, and workers lease
them.
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
        @param number: The number of the worker's L{LeaseEngine}.
        """
        self.done: Deferred[None] = Deferred()
        self._engine = engine
        self._number = number
        self._reply = reply

    def start(self, provider: IModelProvider) -> None:
        address = self._engine.address
        assert address is not None
        baseURL, key = address
        self._end(EngineLeased(self._number, baseURL, key))

    def fail(self, error: OpenClawError) -> None:
        self._end(EngineRefusedLease(self._number, error.message, error.retryAfter))

    def _end(self, answer: EngineLeased | EngineRefusedLease) -> None:
        self._reply(answer)
        self.done.callback(None)


def shareEngine(
    engine: Engine,
    request: LeaseEngine,
    reply: Callable[[EngineLeased | EngineRefusedLease], object],
) -> None:
    """
    Reply to a L{LeaseEngine}.

    @param reply: Sends the reply, as soon as the model is loaded or has failed.
    """
    waiter = EngineWaiter(engine, request.number, reply)
    refusal = engine.refusal()
    if refusal is not None:
        waiter.fail(refusal)
    elif engine.upstream is not None:
        waiter.start(engine.upstream)
    else:
        engine.wait(waiter)


class EngineLease:
    def __init__(self, send: Callable[[LeaseEngine], object]) -> None:
        """
        @param send: Sends a message to the daemon.
        """
        self._send = send
        self._requests = 0
        self._engines: dict[int, SharedEngine] = {}
        self._created: list[SharedEngine] = []
        self._fails = {False: False, True: False}

    def engine(self, **settings: Any) -> "SharedEngine":
        """
        Create the worker's substitute for an L{Engine}.

        @param settings: The arguments of L{Engine}.
        """
        engine = SharedEngine(
            requestLease=self._requestLease,
            embeddings=settings["order"]("", "").embeddings,
            weights=settings["weights"],
            connect=settings["connect"],
        )
        engine.fails = self._fails[engine.embeddings]
        self._created.append(engine)
        return engine

    def _requestLease(self, engine: "SharedEngine") -> None:
        self._requests += 1
        self._engines[self._requests] = engine
        self._send(LeaseEngine(self._requests, engine.embeddings))

    def received(self, answer: EngineLeased | EngineRefusedLease) -> None:
        engine = self._engines.pop(answer.number, None)
        if engine is not None:
            engine.leaseReceived(answer)

    def setFailing(self, embeddings: bool, fails: bool) -> None:
        self._fails[embeddings] = fails
        for engine in self._created:
            if engine.embeddings == embeddings:
                engine.fails = fails

    def engineExited(self, embeddings: bool) -> None:
        self._created = [each for each in self._created if each.state != "closed"]
        for engine in self._created:
            if engine.embeddings == embeddings:
                engine.engineExited()


class SharedEngine:
    """
    An engine whose process belongs to the daemon; see L{Engine}.

    @ivar embeddings: It is the one for embeddings.
    @ivar fails: The daemon can't start it; see L{Engine.fails}.
    """

    def __init__(
        self,
        *,
        requestLease: Callable[["SharedEngine"], object],
        embeddings: bool,
        weights: Weights,
        connect: Connect,
    ) -> None:
        self.state: State = "stopped"
        self.fails = False
        self.upstream: IModelProvider | None = None
        self.embeddings = embeddings
        self._requestLease = requestLease
        self._weights = weights
        self._connect = connect
        self._waiting: list[PendingOperation] = []
        self._closing: set[Deferred[None]] = set()

    def unavailableReason(self) -> str | None:
        return None

    def start(self) -> None:
        """
        Check that the weights exist.  The daemon starts the process.
        """
        if self.state in ("stopped", "unavailable"):
            try:
                self._weights.path()
            except ModelUnavailable:
                self.state = "unavailable"
            else:
                self.state = "stopped"

    def refusal(self) -> OpenClawError | None:
        if self.state == "closed":
            return _shutdownError()
        return None

    def wait(self, call: PendingOperation) -> None:
        self._waiting.append(call)
        call.done.addBoth(self._stopWaiting, call)
        if self.state != "starting":
            self.state = "starting"
            self._requestLease(self)

    def leaseReceived(self, answer: EngineLeased | EngineRefusedLease) -> None:
        """
        Handle the daemon's reply.
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

    def engineExited(self) -> None:
        """
        Note that the process has ended.  New calls wait for the next one.
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
        self.state = "closed"
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call.fail(_shutdownError())
        self._disconnect()
        closing = list(self._closing)
        return Deferred.fromCoroutine(_waitAll(closing))

    def _stopWaiting(self, result: Any, call: PendingOperation) -> Any:
        if call in self._waiting:
            self._waiting.remove(call)
        return result


async def _waitAll(ends: "list[Deferred[None]]") -> None:
    for end in ends:
        await end


def _shutdownError() -> ShuttingDown:
    return ShuttingDown(
        "The embedded model is being stopped. Try again soon.", retryAfter=1.0
    )
