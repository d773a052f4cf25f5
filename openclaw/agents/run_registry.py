"""
The registry of recorded runs, by caller and request, for a limited time.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from openclaw.agents.recorded_run import RecordedRun
from openclaw.errors import IdempotencyConflict, OpenClawError
from openclaw.events import (
    LogprobsDelta,
    ReasoningDelta,
    RefusalDelta,
    RunEvent,
    TextDelta,
    ToolCallDelta,
)

KEPT_SECONDS = 600.0
"""
Keep ended runs for this long, in seconds.
"""

MAX_CHARACTERS = 32 * 1024 * 1024
"""
Limit of the characters of ended runs.  Beyond it, the oldest runs of the caller with
most characters are removed.
"""

RECORD_CHARACTERS = 32 * 1024
"""
Characters charged for a run besides its events, so that there are at most a thousand.
"""

EVENT_CHARACTERS = 128
"""
Characters charged for an event besides its text, which may be very short.
"""


@dataclass(frozen=True, kw_only=True)
class RequestFingerprint:
    """
    The identity of a request, by which a repetition is recognised.

    @ivar caller: The caller's ID.
    @ivar fingerprint: A digest of the request.
    @ivar key: The C{Idempotency-Key}, if there is one.
    @ivar again: Whether the client's library marks the request as a retry.
    """

    caller: str
    fingerprint: bytes
    key: str | None = None
    again: bool = False


@dataclass
class _Entry:
    """
    A recorded run.

    @ivar endedAt: The time of the run's end.
    @ivar size: The charged characters; known after the end.
    """

    asked: RequestFingerprint
    record: RecordedRun
    endedAt: float = field(default=0.0, init=False)
    size: int = field(default=0, init=False)


class RunRegistry:
    """
    The recorded runs: those in progress, and recently ended ones.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[str, _Entry] = {}
        self._endedRuns: OrderedDict[str, _Entry] = OrderedDict()
        self._sizes: Counter[str] = Counter()
        self._byKey: dict[tuple[str, str], _Entry] = {}
        self._byFingerprint: dict[tuple[str, bytes], _Entry] = {}

    def find(self, asked: RequestFingerprint) -> RecordedRun | None:
        """
        Find the run that a request repeats: one with the same key; or without a key, if
        the client's library marks a retry and the run is in progress.  A run that
        failed without effects is not found, since a retry may succeed.

        @raise IdempotencyConflict: The key was used for another request.
        """
        self._evict()
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
            self._remove(entry)
            return None
        return entry.record

    def add(self, asked: RequestFingerprint, record: RecordedRun) -> None:
        entry = _Entry(asked, record)
        self._running[record.request.runID] = entry
        self._byFingerprint[asked.caller, asked.fingerprint] = entry
        if asked.key is not None:
            self._byKey[asked.caller, asked.key] = entry
        run = record.run
        assert run is not None
        run.ended.addBoth(self._ended, entry)

    def get(self, runID: str) -> RecordedRun | None:
        self._evict()
        entry = self._running.get(runID) or self._endedRuns.get(runID)
        return entry.record if entry is not None else None

    def _ended(self, result: object, entry: _Entry) -> object:
        asked, record = entry.asked, entry.record
        runID = record.request.runID
        del self._running[runID]
        fingerprint = asked.caller, asked.fingerprint
        if self._byFingerprint.get(fingerprint) is entry:
            del self._byFingerprint[fingerprint]
        # A request without a key is not repeated after its response.
        if asked.key is not None or record.keepsRunning:
            entry.endedAt = self._clock.seconds()
            record.dropRequest()
            entry.size = RECORD_CHARACTERS + sum(map(_measureEvent, record.events))
            self._endedRuns[runID] = entry
            self._sizes[asked.caller] += entry.size
            self._evict()
        return result

    def _evict(self) -> None:
        tooOld = self._clock.seconds() - KEPT_SECONDS
        while self._endedRuns:
            oldest = next(iter(self._endedRuns.values()))
            if oldest.endedAt > tooOld:
                break
            self._remove(oldest)
        while self._sizes.total() > MAX_CHARACTERS:
            # A busy caller must not evict the runs of others.
            [(greediest, _)] = self._sizes.most_common(1)
            self._remove(
                next(
                    entry
                    for entry in self._endedRuns.values()
                    if entry.asked.caller == greediest
                )
            )

    def _remove(self, entry: _Entry) -> None:
        asked = entry.asked
        if self._endedRuns.pop(entry.record.request.runID, None) is not None:
            self._sizes[asked.caller] -= entry.size
            if not self._sizes[asked.caller]:
                del self._sizes[asked.caller]
        key = asked.caller, asked.key or ""
        if self._byKey.get(key) is entry:
            del self._byKey[key]


def _measureEvent(event: RunEvent) -> int:
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return EVENT_CHARACTERS + len(event.text)
        case LogprobsDelta():
            return EVENT_CHARACTERS * sum(
                1 + len(token["top_logprobs"]) for token in event.tokens
            )
        case ToolCallDelta():
            return EVENT_CHARACTERS + len(event.arguments)
        case _:
            return EVENT_CHARACTERS
