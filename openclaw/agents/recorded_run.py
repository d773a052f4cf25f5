"""
Runs that more than one may listen to: what a run says goes to everyone who is there,
and, if it is recorded, to those who come later, from the beginning.

A caller's connection may break and come back, and a client's library may ask again
what it has asked already; neither should make an agent work twice.
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
Starts a run: see L{openclaw.agents.runtime.Runtime.begin}.
"""

Outcome = RunResult | OpenClawError
"""
The result or the error of a run.
"""

PIECE_EVENTS = 256
"""
Events given to a listener before its pausing is looked at again.
"""


class RecordedRun:
    """
    A run, and who listens to it.

    @ivar request: What the run was asked.
    @ivar recorded: Can one listen from the beginning, whenever one comes?
    @ivar goesOn: Does the run go on when nobody listens any more?
    @ivar run: The run, while it goes on.
    @ivar begun: Has it begun?
    @ivar events: What was said so far, if that is recorded.
    @ivar outcome: How it ended, once it has.
    """

    def __init__(
        self, request: RunRequest, *, recorded: bool = False, goesOn: bool = False
    ) -> None:
        self.request = request
        self.recorded = recorded
        self.goesOn = goesOn
        self.run: AgentRun | None = None
        self.begun = False
        self.events: list[RunEvent] = []
        self.outcome: Outcome | None = None
        self._listenings: list[RunSubscription] = []

    def begin(self, begin: StartRun) -> None:
        """
        Start the run.  Who listens already hears all of it.

        @raise OpenClawError: It can't be started.
        """
        self.run = begin(self.request, self._hear)
        self.begun = True
        self.run.done.addBoth(self._ended)
        # The run may have spoken already, and somebody may have gone.
        self.heed()

    def forgetAsked(self) -> None:
        """
        Let go of all that the run was asked, which can be much more than it said.  To
        be called when it has ended.
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

    def listen(
        self, listener: RunListener, *, paused: bool = False
    ) -> "RunSubscription":
        """
        Listen from the beginning on.  Once the run has begun this is only possible
        if it is recorded.

        @param paused: Wait until the listening is resumed.
        """
        listening = RunSubscription(self, listener)
        listening.paused = paused
        if self.outcome is None:
            self._listenings.append(listening)
            listening.catchUp()
        else:
            listening.end(self.outcome)
        return listening

    def leave(self, listening: "RunSubscription") -> None:
        """
        Somebody listens no more.
        """
        if listening in self._listenings:
            self._listenings.remove(listening)
            self.heed()

    def heed(self) -> None:
        """
        Somebody has gone, or has become slow or quick.  The run waits while all are
        slow: what one of them has yet to read is kept for as long as others go on.
        """
        if self.run is None or self.outcome is not None:
            return
        if not self._listenings:
            # Its line in the log says so, even if somebody comes back.
            self.run.callerGone = True
        if not self._listenings and not self.goesOn:
            self.run.cancel()
        elif self._listenings and all(each.paused for each in self._listenings):
            self.run.pauseProducing()
        else:
            self.run.resumeProducing()

    def _hear(self, events: Sequence[RunEvent]) -> None:
        if self.recorded:
            self.events += events
            for listening in list(self._listenings):
                listening.catchUp()
        else:
            for listening in self._listenings:
                listening.listener(events)

    def _ended(self, outcome: RunResult | Failure) -> None:
        if isinstance(outcome, RunResult):
            self.outcome = outcome
        elif isinstance(outcome.value, OpenClawError):
            self.outcome = outcome.value
        else:
            self.outcome = InternalError("The gateway failed.")
        listenings, self._listenings = self._listenings, []
        for listening in listenings:
            listening.end(self.outcome)


@implementer(IPushProducer)
class RunSubscription:
    """
    One who listens to a run.

    @ivar listener: Is told of the events.
    @ivar paused: Is the reader slow?
    @ivar done: Fires with how the run ended, behind the last event.  Cancelling it
        ends the listening, and with the last one who listens the run, unless that
        goes on alone.
    """

    def __init__(self, record: RecordedRun, listener: RunListener) -> None:
        self.listener = listener
        self.paused = False
        self.done: Deferred[RunResult] = Deferred(self._cancelled)
        self._record = record
        self._heard = 0
        self._outcome: Outcome | None = None

    def _cancelled(self, done: "Deferred[RunResult]") -> None:
        self.stopProducing()

    @property
    def over(self) -> bool:
        """
        Is the run over, so that it is only the reader who takes time?
        """
        return self._outcome is not None

    def catchUp(self) -> None:
        """
        Hear what is recorded and was not heard yet, as far as the reader is not slow.
        """
        events = self._record.events
        while not self.paused and self._heard < len(events):
            news = events[self._heard : self._heard + PIECE_EVENTS]
            self._heard += len(news)
            self.listener(news)

    def end(self, outcome: Outcome) -> None:
        """
        The run is over.  Its end comes behind all that it said, which a slow reader
        may not have heard yet.
        """
        self._outcome = outcome
        self._endIfHeard()

    def _endIfHeard(self) -> None:
        self.catchUp()
        outcome = self._outcome
        if outcome is None or self._heard < len(self._record.events):
            return
        if self.done.called:
            return
        if isinstance(outcome, RunResult):
            self.done.callback(outcome)
        else:
            # Raising it gives it a traceback, with frames that hold the request.
            self.done.errback(Failure(copy(outcome)))

    def pauseProducing(self) -> None:
        """
        The reader is slow.
        """
        self.paused = True
        self._record.heed()

    def resumeProducing(self) -> None:
        """
        The reader has caught up.
        """
        self.paused = False
        self._endIfHeard()
        self._record.heed()

    def stopProducing(self) -> None:
        """
        The reader is gone.
        """
        self._record.leave(self)
        if not self.done.called:
            self.done.errback(Failure(RunCancelled("The caller is gone.")))
