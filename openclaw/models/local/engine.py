"""
The engine of the embedded model: starts its process when it is needed, and restarts it
when it dies.

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
Makes the provider for the model's process, from the base URL of its API and the key.
"""

HEALTHY_SECONDS = 60.0
"""
A process that was ready for this long resets the restart delay when it dies.
"""


def backOff(failures: int) -> float:
    """
    Return the seconds until the next start: one, then increasing.

    @param failures: The number of earlier failures in a row.
    """
    return backoffPolicy(initialDelay=1.0, maxDelay=60.0)(failures)


class PendingOperation(Protocol):
    """
    A call that waits for the model.

    @ivar done: Fires when it has ended.
    """

    @property
    def done(self) -> "Deferred[Any]":
        """
        The Deferred of the call.
        """

    def start(self, provider: IModelProvider) -> None:
        """
        Make the call.
        """

    def fail(self, error: OpenClawError) -> None:
        """
        Fail the call.
        """


class Engine:
    """
    One process of the embedded model at a time.

    @ivar state: One of::

            unavailable   the engine or the weights are not installed
            stopped       not needed yet, or stopped
            starting      the process loads the model; calls wait
            ready         calls are made
            died          it was ready and ended; calls wait for the next start
            failed        it could not be started; calls fail until the next start
            closed        all calls fail

    @ivar upstream: The provider for calls, while it is ready.
    @ivar address: The base URL of its API and the key, while it is ready.
    @ivar fails: Whether the last start failed, and none has succeeded since.
    @ivar onLost: Called when a process that was ready has ended.
    @ivar onFails: Called with C{fails} when it changes.
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
        @param order: Makes the order, from the path of the weights and a key.
        @param atOnce: Start with the daemon instead of with the first call.
        @param reactor: Starts the process.
        @param clock: The same reactor, for its time.
        @param environment: Variables from which the process gets a few.
        @param retryPolicy: Returns the seconds before the next start, from the number
            of earlier failures in a row.
        """
        self.state: State = "stopped"
        self.upstream: IModelProvider | None = None
        self.address: tuple[str, str] | None = None
        self.fails = False
        self.onLost: Callable[[], object] = _ignore
        self.onFails: Callable[[bool], object] = lambda fails: None
        self.process: ModelProcess | None = None
        self._missingLibrary: str | None = None
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
        self._restartTimer: IDelayedCall | None = None
        self._pending: list[PendingOperation] = []
        self._runs: set[Deferred[None]] = set()
        self._closing: Deferred[None] | None = None

    def unavailableReason(self) -> str | None:
        """
        Return why the model cannot be run on this machine, and how to change that, in
        one line; C{None} if it can.
        """
        try:
            self._weights.path()
        except ModelUnavailable as error:
            return error.message
        return None

    def start(self) -> None:
        """
        Load the model, unless it waits for its first use.  To be called at the daemon's
        start and when the configuration is reloaded.
        """
        if self._atOnce:
            self._ensureStarted()
        elif self.state in ("stopped", "unavailable"):
            missing = self.unavailableReason() is not None
            self.state = "unavailable" if missing else "stopped"

    def refusal(self) -> OpenClawError | None:
        """
        Return the error for calls that can neither be made nor wait, if there is one.
        """
        if self.state == "closed":
            return _makeShutdownError()
        if self.state == "failed" and self._restartTimer is not None:
            return self._makeStartError()
        return None

    def wait(self, call: PendingOperation) -> None:
        """
        Start a call as soon as the model is loaded.
        """
        self._pending.append(call)
        call.done.addBoth(self._removePending, call)
        self._ensureStarted()

    def close(self) -> "Deferred[None]":
        """
        Fail waiting calls with L{ShuttingDown}, let calls in progress end, then stop
        the process.

        @return: Fires when the process is reaped.
        """
        if self._closing is None:
            self.state = "closed"
            if self._restartTimer is not None:
                self._restartTimer.cancel()
                self._restartTimer = None
            self._failPending(_makeShutdownError)
            self._closing = Deferred.fromCoroutine(self._stop())
        # A new Deferred for each call.
        return DeferredList([self._closing]).addCallback(lambda _: None)

    async def _stop(self) -> None:
        await self._disconnect()
        if self.process is not None:
            self.process.stop()
        await DeferredList(list(self._runs))

    async def _disconnect(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is None:
            return
        try:
            await upstream.close()
        except Exception:
            self._log.failure("Could not close the connections to the embedded model")

    def _ensureStarted(self) -> None:
        if self.process is None and self._restartTimer is None:
            self._launch()

    def _launch(self) -> None:
        try:
            path = self._weights.path()
        except ModelUnavailable as error:
            message = error.message
            self.state = "unavailable"
            self._failPending(lambda: ModelUnavailable(message))
            return
        key = secrets.token_urlsafe(32)
        order = self._order(str(path.absolute()), key)
        self.state = "starting"
        self.process = ModelProcess(order=order, clock=self._clock, log=self._log)
        run = Deferred.fromCoroutine(self._run(self.process, order))
        self._runs.add(run)
        run.addErrback(
            lambda f: self._log.failure(
                "The embedded model's process can't be tracked", failure=f
            )
        )
        run.addBoth(lambda _: self._runs.discard(run))
        self.process.spawn(self._reactor, self._environment)

    async def _run(self, process: ModelProcess, order: EngineOrder) -> None:
        """
        Track a process from its start to its end.
        """
        started = self._clock.seconds()
        address = await process.listening
        since = self._clock.seconds()
        if address is not None:
            self._log.info(
                "The embedded model {model} is ready{purpose} after {seconds:.1f} s",
                model=order.name,
                purpose=" for embeddings" if order.embeddings else "",
                seconds=since - started,
            )
            self.address = (f"{address}/v1", order.key)
            self._becomeReady(self._connect(self.address[0], Secret(order.key)))
        await process.ended
        self.process = None
        self._missingLibrary = process.missingLibrary
        if address is not None:
            self.address = None
            self.onLost()
        if self.state != "closed":
            if address is None:
                self._scheduleRestart("failed")
            else:
                if self._clock.seconds() - since >= HEALTHY_SECONDS:
                    self._failures = 0
                self._scheduleRestart("died")
        await self._disconnect()

    def _becomeReady(self, upstream: IModelProvider) -> None:
        self.state = "ready"
        self.upstream = upstream
        self._setFails(False)
        while self._pending:
            self._pending.pop(0).start(upstream)

    def _scheduleRestart(self, state: State) -> None:
        """
        Wait before the next start, longer after each failure.
        """
        delay = self._retryPolicy(self._failures)
        self._failures += 1
        self.state = state
        self._restartTimer = self._clock.callLater(delay, self._restart)
        if state == "failed":
            self._setFails(True)
            self._failPending(self._makeStartError)

    def _setFails(self, fails: bool) -> None:
        if fails != self.fails:
            self.fails = fails
            self.onFails(fails)

    def _restart(self) -> None:
        self._restartTimer = None
        if self._pending or self._atOnce:
            self._launch()
        elif self.state == "died":
            self.state = "stopped"

    def _makeStartError(self) -> ModelUnavailable:
        assert self._restartTimer is not None
        library = self._missingLibrary
        reason = "could not be started; see the gateway's log."
        if library is not None:
            reason = f"needs the library {library}, which is not installed."
            if library.startswith("libgomp."):
                reason += " On Debian and Ubuntu it is in the package libgomp1."
        return ModelUnavailable(
            f"The embedded model {reason}",
            retryAfter=self._restartTimer.getTime() - self._clock.seconds(),
        )

    def _failPending(self, error: Callable[[], OpenClawError]) -> None:
        while self._pending:
            self._pending.pop(0).fail(error())

    def _removePending(self, result: T, call: PendingOperation) -> T:
        if call in self._pending:
            self._pending.remove(call)
        return result


def _ignore() -> None:
    """
    Do nothing.
    """


def _makeShutdownError() -> ShuttingDown:
    return ShuttingDown(
        "The embedded model is being stopped. Try again soon.", retryAfter=1.0
    )
