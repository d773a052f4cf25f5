"""
The registry of recorded runs: by caller and request, for a bounded time.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from openclaw.agents.recorded_run import RecordedRun
from openclaw.errors import IdempotencyConflict, OpenClawError
from openclaw.events import ReasoningDelta, RunEvent, TextDelta, ToolCallDelta

KEPT_SECONDS = 600.0
"""
Seconds for which an ended run can be found.
"""

MAX_CHARACTERS = 32 * 1024 * 1024
"""
Of more than these the oldest of whoever has most are forgotten; runs in progress are
not.
"""

RECORD_CHARACTERS = 32 * 1024
"""
Bytes charged for a run beside its events, so that there are never more than a thousand.
"""

EVENT_CHARACTERS = 128
"""
Bytes charged for an event beside its text, of which there may be very little in each.
"""


@dataclass(frozen=True, kw_only=True)
class RequestFingerprint:
    """
    The identity of a request, by which a repetition is recognised.

    @ivar caller: Who asks.
    @ivar fingerprint: A digest of all that is asked.
    @ivar key: The caller's C{Idempotency-Key}, if there is one.
    @ivar again: The client's library says that it asks again.
    """

    caller: str
    fingerprint: bytes
    key: str | None = None
    again: bool = False


@dataclass
class _Entry:
    """
    @ivar endedAt: When the run ended.
    @ivar size: What is kept, in characters; known at the end.
    """

    asked: RequestFingerprint
    record: RecordedRun
    endedAt: float = field(default=0.0, init=False)
    size: int = field(default=0, init=False)


class RunRegistry:
    """
    The recorded runs: those in progress, and for a while those that ended.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[str, _Entry] = {}
        self._over: OrderedDict[str, _Entry] = OrderedDict()
        self._sizes: Counter[str] = Counter()
        self._byKey: dict[tuple[str, str], _Entry] = {}
        self._byFingerprint: dict[tuple[str, bytes], _Entry] = {}

    def find(self, asked: RequestFingerprint) -> RecordedRun | None:
        """
        The run that a request asks for again: of the same key, be it over or not; or
        without a key, if the client's library asks again and the run is in progress.
        A run that failed without having done anything is not found: it is worth
        another try.

        @raise IdempotencyConflict: The key was used for another request.
        """
        self._forgetOld()
        if asked.key is None:
            entry = self._byFingerprint.get((asked.caller, asked.fingerprint))
            return entry.record if entry is not None and asked.again else None
        entry = self._byKey.get((asked.caller, asked.key))
        if entry is None:
            return None
        if entry.asked.fingerprint != asked.fingerprint:
            raise IdempotencyConflict(
                "This Idempotency-Key was used for another request.",
                param="Idempotency-Key",
                shouldRetry=False,
            )
        outcome = entry.record.outcome
        if isinstance(outcome, OpenClawError) and outcome.shouldRetry is not False:
            self._forget(entry)
            return None
        return entry.record

    def keep(self, asked: RequestFingerprint, record: RecordedRun) -> None:
        """
        Let a run be found that has begun and is recorded.
        """
        entry = _Entry(asked, record)
        self._running[record.request.runID] = entry
        self._byFingerprint[asked.caller, asked.fingerprint] = entry
        if asked.key is not None:
            self._byKey[asked.caller, asked.key] = entry
        run = record.run
        assert run is not None
        run.ended.addBoth(self._ended, entry)

    def get(self, runID: str) -> RecordedRun | None:
        """
        A recorded run by its id.
        """
        self._forgetOld()
        entry = self._running.get(runID) or self._over.get(runID)
        return entry.record if entry is not None else None

    def _ended(self, result: object, entry: _Entry) -> object:
        asked, record = entry.asked, entry.record
        runID = record.request.runID
        del self._running[runID]
        fingerprint = asked.caller, asked.fingerprint
        if self._byFingerprint.get(fingerprint) is entry:
            del self._byFingerprint[fingerprint]
        # Whoever could not ask again has had the answer.
        if asked.key is not None or record.goesOn:
            entry.endedAt = self._clock.seconds()
            record.forgetAsked()
            entry.size = RECORD_CHARACTERS + sum(map(_sizeOf, record.events))
            self._over[runID] = entry
            self._sizes[asked.caller] += entry.size
            self._forgetOld()
        return result

    def _forgetOld(self) -> None:
        tooOld = self._clock.seconds() - KEPT_SECONDS
        while self._over:
            oldest = next(iter(self._over.values()))
            if oldest.endedAt > tooOld:
                break
            self._forget(oldest)
        while self._sizes.total() > MAX_CHARACTERS:
            # Who asks much must not make the runs of others be forgotten.
            [(greediest, _)] = self._sizes.most_common(1)
            self._forget(
                next(
                    entry
                    for entry in self._over.values()
                    if entry.asked.caller == greediest
                )
            )

    def _forget(self, entry: _Entry) -> None:
        """
        Forget a run that is over.
        """
        asked = entry.asked
        if self._over.pop(entry.record.request.runID, None) is not None:
            self._sizes[asked.caller] -= entry.size
            if not self._sizes[asked.caller]:
                del self._sizes[asked.caller]
        key = asked.caller, asked.key or ""
        if self._byKey.get(key) is entry:
            del self._byKey[key]


def _sizeOf(event: RunEvent) -> int:
    match event:
        case TextDelta() | ReasoningDelta():
            return EVENT_CHARACTERS + len(event.text)
        case ToolCallDelta():
            return EVENT_CHARACTERS + len(event.arguments)
        case _:
            return EVENT_CHARACTERS
