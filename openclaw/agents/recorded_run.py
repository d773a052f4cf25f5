"""
Runs with any number of listeners, each of which gets all events from the beginning.

A client may reconnect, or its library may repeat a request; neither should make an
agent work twice.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from openclaw.agents.run import AgentRun
from openclaw.agents.run_request import DEFAULT_SAMPLING, RunRequest
from openclaw.agents.turns import RunResult
from openclaw.errors import InternalError, OpenClawError, RunCancelled
from openclaw.events import RunEvent, RunListener

StartRun = Callable[[RunRequest, RunListener], AgentRun]
"""
Starts a run: see L{openclaw.agents.runtime.Runtime.startRun}.
"""

Outcome = RunResult | OpenClawError
"""
The result or the error of a run.
"""

PIECE_EVENTS = 256
"""
Events passed to a listener before its pause state is checked again.
"""


class RecordedRun:
    """
    A run and its subscriptions.

    @ivar request: The request for the run.
    @ivar recorded: Whether a subscription may begin after the run has started.
    @ivar keepsRunning: Whether the run continues without subscriptions.
    @ivar run: The run, once it has started; C{None} after L{dropRequest}.
    @ivar started: Whether it was started.
    @ivar events: The events so far, if they are recorded.
    @ivar outcome: The result or error, once it has ended.
    """

    def __init__(
        self, request: RunRequest, *, recorded: bool = False, keepsRunning: bool = False
    ) -> None:
        self.request = request
        self.recorded = recorded
        self.keepsRunning = keepsRunning
        self.run: AgentRun | None = None
        self.started = False
        self.events: list[RunEvent] = []
        self.outcome: Outcome | None = None
        self._subscriptions: list[RunSubscription] = []

    def start(self, startRun: StartRun) -> None:
        """
        Start the run.  Existing subscriptions receive all its events.

        @raise OpenClawError: It cannot be started.
        """
        self.run = startRun(self.request, self._record)
        self.started = True
        self.run.done.addBoth(self._ended)
        # The run may have had events already, and a subscription may have ended.
        self.updateFlow()

    def dropRequest(self) -> None:
        """
        Drop the contents of the request, which can be much larger than the events.  To
        be called after the end of the run.
        """
        self.run = None
        self.request = replace(
            self.request,
            system="",
            opening=(),
            following=(),
            sampling=DEFAULT_SAMPLING,
            clientTools=(),
            toolChoice="auto",
            tools={},
        )

    def subscribe(
        self, listener: RunListener, *, paused: bool = False
    ) -> "RunSubscription":
        """
        Subscribe to the run, from the beginning.  After its start this is only possible
        if it is recorded.

        @param paused: Deliver nothing until the subscription is resumed.
        """
        subscription = RunSubscription(self, listener)
        subscription.paused = paused
        if self.outcome is None:
            self._subscriptions.append(subscription)
            subscription.deliver()
        else:
            subscription.finish(self.outcome)
        return subscription

    def unsubscribe(self, subscription: "RunSubscription") -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self.updateFlow()

    def updateFlow(self) -> None:
        """
        Cancel, pause or resume the run after a subscription has changed.  The run
        pauses while all subscriptions are paused; the events that a slow one has not
        received are kept for as long as another goes on.
        """
        if self.run is None or self.outcome is not None:
            return
        if not self._subscriptions:
            # The log line of the run says so, even if the client reconnects.
            self.run.callerGone = True
        if not self._subscriptions and not self.keepsRunning:
            self.run.cancel()
        elif self._subscriptions and all(each.paused for each in self._subscriptions):
            self.run.pauseProducing()
        else:
            self.run.resumeProducing()

    def _record(self, events: Sequence[RunEvent]) -> None:
        if self.recorded:
            self.events += events
            for subscription in list(self._subscriptions):
                subscription.deliver()
        else:
            for subscription in self._subscriptions:
                subscription.listener(events)

    def _ended(self, outcome: RunResult | Failure) -> None:
        if isinstance(outcome, RunResult):
            self.outcome = outcome
        elif isinstance(outcome.value, OpenClawError):
            self.outcome = outcome.value
        else:
            self.outcome = InternalError("The gateway failed.")
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.finish(self.outcome)


@implementer(IPushProducer)
class RunSubscription:
    """
    A subscription to the events of a run.

    @ivar listener: Receives the events.
    @ivar paused: Whether delivery is paused.
    @ivar done: Fires with the outcome of the run, after the last event.  Cancelling it
        ends the subscription; the last one ends the run unless C{keepsRunning}.
    """

    def __init__(self, record: RecordedRun, listener: RunListener) -> None:
        self.listener = listener
        self.paused = False
        self.done: Deferred[RunResult] = Deferred(self._cancelled)
        self._record = record
        self._delivered = 0
        self._outcome: Outcome | None = None

    def _cancelled(self, done: "Deferred[RunResult]") -> None:
        self.stopProducing()

    @property
    def runEnded(self) -> bool:
        """
        Return whether the run has ended, so that only the delivery remains.
        """
        return self._outcome is not None

    def deliver(self) -> None:
        """
        Deliver recorded events until the subscription is paused.
        """
        events = self._record.events
        while not self.paused and self._delivered < len(events):
            batch = events[self._delivered : self._delivered + PIECE_EVENTS]
            self._delivered += len(batch)
            self.listener(batch)

    def finish(self, outcome: Outcome) -> None:
        """
        Fire C{done} with the outcome once all events are delivered.
        """
        self._outcome = outcome
        self._finishIfDelivered()

    def _finishIfDelivered(self) -> None:
        self.deliver()
        outcome = self._outcome
        if outcome is None or self._delivered < len(self._record.events):
            return
        if self.done.called:
            return
        if isinstance(outcome, RunResult):
            self.done.callback(outcome)
        else:
            # A raised error has a traceback, whose frames keep the request alive.
            self.done.errback(Failure(copy(outcome)))

    def pauseProducing(self) -> None:
        self.paused = True
        self._record.updateFlow()

    def resumeProducing(self) -> None:
        self.paused = False
        self._finishIfDelivered()
        self._record.updateFlow()

    def stopProducing(self) -> None:
        self._record.unsubscribe(self)
        if not self.done.called:
            self.done.errback(Failure(RunCancelled("The client has disconnected.")))
