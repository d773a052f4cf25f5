"""
The life of the embedded model's process: started when it is needed, and again when it
dies.

Calls wait while it loads, and are then made over HTTP like those to any other provider.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.logger import Logger

from openclaw.config import Secret
from openclaw.errors import ModelUnavailable, OpenClawError, ShuttingDown
from openclaw.interfaces import IModelProvider
from openclaw.models.local.engine_messages import EngineOrder
from openclaw.models.local.engine_process import ModelProcess
from openclaw.models.local.weights import Weights

T = TypeVar("T")

State = Literal[
    "unavailable", "stopped", "starting", "ready", "died", "failed", "closed"
]

Connect = Callable[[str, Secret], IModelProvider]
"""
Makes the provider that talks to the model's process, from the base URL of its API
and the key.
"""

HEALTHY_SECONDS = 60.0
"""
A process that was ready for so long was a good one: when it dies, the waiting
between starts begins anew.
"""


def backOff(failures: int) -> float:
    """
    Return the seconds until the next start: one, then longer and longer.

    @param failures: How many were there in a row.
    """
    return backoffPolicy(initialDelay=1.0, maxDelay=60.0)(failures)


class Waiting(Protocol):
    """
    A call that can't be made yet.

    @ivar done: Fires when it is over, made or not.
    """

    @property
    def done(self) -> "Deferred[Any]":
        """
        See above.
        """

    def begin(self, provider: IModelProvider) -> None:
        """
        Make the call.
        """

    def fail(self, error: OpenClawError) -> None:
        """
        Give up waiting.
        """


class Engine:
    """
    One process of the embedded model at a time.

    @ivar state: For a look from outside::

            unavailable   the engine or the weights are missing on this machine
            stopped       not needed so far, or no more
            starting      the process loads the model; calls wait
            ready         calls are made
            died          it was ready and ended; calls wait for the next start
            failed        it could not be started; calls fail until the next start
            closed        all calls fail
    @ivar upstream: The provider to make calls to, while it is ready.
    @ivar address: The base URL of its API and the key, while it is ready.
    @ivar fails: The last start failed, and none has succeeded since.
    @ivar onLost: Is called when a process is gone that was ready.
    @ivar onFails: Is called with C{fails} when that changes.
    """

    def __init__(
        self,
        *,
        order: Callable[[str, str], EngineOrder],
        weights: Weights,
        atOnce: bool,
        reactor: IReactorProcess,
        clock: IReactorTime,
        connect: Connect,
        environment: Mapping[str, str],
        log: Logger,
        retryPolicy: Callable[[int], float] = backOff,
    ) -> None:
        """
        @param order: What to run, from the path of the weights and a key.
        @param atOnce: Start it with the daemon, and not for the first call.
        @param reactor: Starts the process.
        @param clock: The same reactor, for its time.
        @param environment: Whence the process gets the few variables it needs.
        @param retryPolicy: From the number of earlier failures in a row, the
            seconds before the next start.
        """
        self.state: State = "stopped"
        self.upstream: IModelProvider | None = None
        self.address: tuple[str, str] | None = None
        self.fails = False
        self.onLost: Callable[[], object] = _nobody
        self.onFails: Callable[[bool], object] = lambda fails: None
        self.process: ModelProcess | None = None
        self._order = order
        self._weights = weights
        self._atOnce = atOnce
        self._reactor = reactor
        self._clock = clock
        self._connect = connect
        self._environment = environment
        self._log = log
        self._retryPolicy = retryPolicy
        self._failures = 0
        self._resting: IDelayedCall | None = None
        self._waiting: list[Waiting] = []
        self._lives: set[Deferred[None]] = set()
        self._closing: Deferred[None] | None = None

    def unavailableReason(self) -> str | None:
        """
        Why the model can't be run on this machine, and how to change that, in one
        line; C{None} if it can.
        """
        try:
            self._weights.path()
        except ModelUnavailable as error:
            return error.message
        return None

    def start(self) -> None:
        """
        The daemon has started, or was told to look again: load the model now, if
        it is not to wait for its first use.
        """
        if self._atOnce:
            self._need()
        elif self.state in ("stopped", "unavailable"):
            missing = self.unavailableReason() is not None
            self.state = "unavailable" if missing else "stopped"

    def refusal(self) -> OpenClawError | None:
        """
        Why no call can be made for now, nor wait.
        """
        if self.state == "closed":
            return _closed()
        if self.state == "failed" and self._resting is not None:
            return self._startFailed()
        return None

    def wait(self, call: Waiting) -> None:
        """
        Let a call begin as soon as the model is loaded.
        """
        self._waiting.append(call)
        call.done.addBoth(self._waitsNoMore, call)
        self._need()

    def close(self) -> "Deferred[None]":
        """
        Fail the calls that wait, with L{ShuttingDown}; let those that are under
        way come to their end; then stop the process.

        @return: Fires when it is reaped and nothing is left.
        """
        if self._closing is None:
            self.state = "closed"
            if self._resting is not None:
                self._resting.cancel()
                self._resting = None
            self._failWaiting(_closed)
            self._closing = Deferred.fromCoroutine(self._stop())
        # A Deferred of its own for each who asks.
        return DeferredList([self._closing]).addCallback(lambda _: None)

    async def _stop(self) -> None:
        await self._disconnect()
        if self.process is not None:
            self.process.stop()
        await DeferredList(list(self._lives))

    async def _disconnect(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is None:
            return
        try:
            await upstream.close()
        except Exception:
            self._log.failure("Could not close the connections to the embedded model")

    def _need(self) -> None:
        if self.process is None and self._resting is None:
            self._launch()

    def _launch(self) -> None:
        try:
            path = self._weights.path()
        except ModelUnavailable as error:
            message = error.message
            self.state = "unavailable"
            self._failWaiting(lambda: ModelUnavailable(message))
            return
        key = secrets.token_urlsafe(32)
        order = self._order(str(path.absolute()), key)
        self.state = "starting"
        self.process = ModelProcess(order=order, clock=self._clock, log=self._log)
        life = Deferred.fromCoroutine(self._live(self.process, order))
        self._lives.add(life)
        life.addErrback(
            lambda f: self._log.failure("Lost sight of the model", failure=f)
        )
        life.addBoth(lambda _: self._lives.discard(life))
        self.process.spawn(self._reactor, self._environment)

    async def _live(self, process: ModelProcess, order: EngineOrder) -> None:
        """
        See a process through, from its start to its end.
        """
        begun = self._clock.seconds()
        address = await process.listening
        since = self._clock.seconds()
        if address is not None:
            self._log.info(
                "The embedded model {model} is ready{purpose} after {seconds:.1f} s",
                model=order.name,
                purpose=" for embeddings" if order.embeddings else "",
                seconds=since - begun,
            )
            self.address = (f"{address}/v1", order.key)
            self._becomeReady(self._connect(self.address[0], Secret(order.key)))
        await process.ended
        self.process = None
        if address is not None:
            self.address = None
            self.onLost()
        if self.state != "closed":
            if address is None:
                self._rest("failed")
            else:
                if self._clock.seconds() - since >= HEALTHY_SECONDS:
                    self._failures = 0
                self._rest("died")
        await self._disconnect()

    def _becomeReady(self, upstream: IModelProvider) -> None:
        self.state = "ready"
        self.upstream = upstream
        self._setFails(False)
        while self._waiting:
            self._waiting.pop(0).begin(upstream)

    def _rest(self, state: State) -> None:
        """
        Wait before the next start, the longer the more often it has failed.
        """
        delay = self._retryPolicy(self._failures)
        self._failures += 1
        self.state = state
        self._resting = self._clock.callLater(delay, self._rested)
        if state == "failed":
            self._setFails(True)
            self._failWaiting(self._startFailed)

    def _setFails(self, fails: bool) -> None:
        if fails != self.fails:
            self.fails = fails
            self.onFails(fails)

    def _rested(self) -> None:
        self._resting = None
        if self._waiting or self._atOnce:
            self._launch()
        elif self.state == "died":
            self.state = "stopped"

    def _startFailed(self) -> ModelUnavailable:
        assert self._resting is not None
        return ModelUnavailable(
            "The embedded model could not be started; the gateway's log says why.",
            retryAfter=self._resting.getTime() - self._clock.seconds(),
        )

    def _failWaiting(self, error: Callable[[], OpenClawError]) -> None:
        while self._waiting:
            self._waiting.pop(0).fail(error())

    def _waitsNoMore(self, result: T, call: Waiting) -> T:
        if call in self._waiting:
            self._waiting.remove(call)
        return result


def _nobody() -> None:
    """
    Nobody wants to know.
    """


def _closed() -> ShuttingDown:
    return ShuttingDown(
        "The embedded model is being stopped. Try again soon.", retryAfter=1.0
    )
