"""
C{/v1/runs}: list, inspect, follow and cancel runs.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from openclaw.agents.recorded_run import Outcome, RecordedRun
from openclaw.agents.run import AgentRun
from openclaw.agents.run_registry import RunRegistry
from openclaw.agents.run_request import RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import (
    CompletionEncoder,
    CompletionFormat,
    CompletionFormats,
)
from openclaw.api.chat_stream import CompletionStream, setStreamHeaders
from openclaw.api.peers import Peers
from openclaw.errors import InvalidRequest, NotFound, RunCancelled
from openclaw.events import RunEvent
from openclaw.interfaces import ICaller
from openclaw.server.api_request import ApiRequest
from openclaw.server.error_responses import buildErrorBody

LAST_EVENT_HEADER = "last-event-id"
RUNS_TOPIC = "runs"
"""
The topic on which workers exchange their runs.
"""


class Runs:
    """
    The runs resource. Callers see their own runs, and operators all.
    """

    def __init__(
        self,
        runtime: Runtime,
        registry: RunRegistry,
        reactor: IReactorTime,
        peers: Peers,
        formats: CompletionFormats,
    ) -> None:
        """
        @param registry: The recorded runs.

        @param peers: The other workers.

        @param formats: The formats of the recorded runs' completions.
        """
        self._peers = peers
        peers.onQuery(RUNS_TOPIC, self._listLocal)
        self._runtime = runtime
        self._registry = registry
        self._formats = formats
        self._reactor = reactor

    async def listRuns(self, request: ApiRequest) -> dict[str, Any]:
        """
        List the runs in progress, of all workers.
        """
        namespace = request.caller.namespace
        found = self._listLocal(namespace)
        for others in await self._peers.query(RUNS_TOPIC, namespace):
            found += others
        return {"object": "list", "data": found}

    def _listLocal(self, namespace: str) -> list[dict[str, Any]]:
        runs = self._runtime.runs.values()
        return [
            _describeRunning(run)
            for run in runs
            if namespace in ("", run.request.namespace)
        ]

    async def getRun(self, request: ApiRequest, runID: str) -> dict[str, Any]:
        """
        Return a run in progress, or a recorded one that has ended, with its result.

        @raise NotFound: The caller has no such run.
        """
        record = self._findRecord(request.caller, runID)
        if record is not None and record.outcome is not None:
            return _describeFinished(record, record.outcome, self._formats[record])
        return _describeRunning(self._findRunning(request.caller, runID))

    async def cancel(self, request: ApiRequest, runID: str) -> dict[str, Any]:
        """
        Cancel a run. One that has ended is unchanged.

        @raise NotFound: The caller has no such run.
        """
        record = self._findRecord(request.caller, runID)
        if record is not None and record.outcome is not None:
            return _describeFinished(record, record.outcome, self._formats[record])
        run = self._findRunning(request.caller, runID)
        run.cancel(RunCancelled("The run was cancelled on request.", shouldRetry=False))
        return {**_describeRunning(run), "status": "cancelled"}

    async def streamEvents(self, request: ApiRequest, runID: str) -> None:
        """
        Stream the events of a recorded run, from the beginning or after the one in
        C{Last-Event-ID}. The C{id} of each is its number.

        @raise NotFound: The caller has no such run, or it is not recorded.
        """
        response, record = request.response, self._findRecord(request.caller, runID)
        if record is None:
            self._findRunning(request.caller, runID)
            raise NotFound(
                "The run is not recorded: it was requested without Idempotency-Key and"
                " without `x-openclaw-on-disconnect: continue`.",
                code="run_not_recorded",
            )
        if request.isHead:
            setStreamHeaders(response)
            return
        endpoint = request.live.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=response,
            encoder=NumberedEncoder(self._formats[record], _parseLastEventID(request)),
            openHeaders=lambda: setStreamHeaders(response),
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        stream.open()
        await stream.follow(response, record.subscribe(stream, paused=True))

    def _findRecord(self, caller: ICaller, runID: str) -> RecordedRun | None:
        record = self._registry.get(runID)
        return record if record is not None and _isVisible(caller, record) else None

    def _findRunning(self, caller: ICaller, runID: str) -> AgentRun:
        run = self._runtime.runs.get(runID)
        if run is None or not _isVisible(caller, run):
            raise NotFound(
                f"The run '{runID[:64]}' does not exist.", code="run_not_found"
            )
        return run


class NumberedEncoder(CompletionEncoder):
    """
    Encodes events with their numbers, so that an interrupted client can resume.
    """

    def __init__(self, wireFormat: CompletionFormat, last: int) -> None:
        """
        @param last: The number of the last event that the client has; 0 for none.
        """
        super().__init__(wireFormat)
        self._last = last
        self._number = 0

    def encodeOpening(self) -> bytes:
        """
        Encode the frame with the role, unless the client resumes.
        """
        return b"" if self._last else super().encodeOpening()

    def encodeEvents(self, events: Sequence[RunEvent]) -> bytes:
        """
        Encode a numbered frame for each event that the client does not have.
        """
        frames = []
        for event in events:
            self._number += 1
            frame = super().encodeEvents((event,)) if self._number > self._last else b""
            if frame:
                frames.append(b"id: %d\n%b" % (self._number, frame))
        return b"".join(frames)


def _isVisible(caller: ICaller, run: AgentRun | RecordedRun) -> bool:
    return caller.namespace in ("", run.request.namespace)


def _parseLastEventID(request: ApiRequest) -> int:
    text = (request.headers.get(LAST_EVENT_HEADER) or "0").strip()
    # Longer numbers can't be an event's, and are slow to parse.
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(
            "`Last-Event-ID` must be the number of an event.", param="Last-Event-ID"
        )
    return int(text)


def _describe(request: RunRequest, status: str, createdAt: float) -> dict[str, Any]:
    return {
        "id": request.runID,
        "object": "run",
        "status": status,
        "created": int(createdAt),
        "agent": request.agent.id,
        "session_key": request.sessionKey,
        "caller": request.caller,
    }


def _describeRunning(run: AgentRun) -> dict[str, Any]:
    status = "queued" if run.admittedAt is None else "in_progress"
    return _describe(run.request, status, run.arrivedAt)


def _describeFinished(
    record: RecordedRun, outcome: Outcome, wireFormat: CompletionFormat
) -> dict[str, Any]:
    request = record.request
    if isinstance(outcome, RunResult):
        encoder = CompletionEncoder(wireFormat)
        encoder.collect(record.events)
        done = _describe(request, "completed", wireFormat.created)
        return {**done, "result": encoder.buildCompletion(outcome), "error": None}
    status = "cancelled" if isinstance(outcome, RunCancelled) else "failed"
    failed = _describe(request, status, wireFormat.created)
    return {**failed, "result": None, **buildErrorBody(outcome)}
