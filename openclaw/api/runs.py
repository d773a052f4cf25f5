"""
C{/v1/runs}: what is running, what came of it, and how to stop it.
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
from openclaw.api.chat_chunks import Reply, ReplyForm, ReplyForms
from openclaw.api.chat_stream import CompletionStream, openStream
from openclaw.api.peers import Peers
from openclaw.errors import InvalidRequest, NotFound, RunCancelled
from openclaw.events import RunEvent
from openclaw.interfaces import ICaller
from openclaw.server.api_request import ApiRequest
from openclaw.server.error_responses import buildErrorBody

LAST_EVENT_HEADER = "last-event-id"
ALL = "runs"
"""
The topic under which workers ask each other for their runs.
"""


class Runs:
    """
    The resource.  A caller finds their own runs here, and an operator all.
    """

    def __init__(
        self,
        runtime: Runtime,
        registry: RunRegistry,
        reactor: IReactorTime,
        peers: Peers,
        forms: ReplyForms,
    ) -> None:
        """
        @param registry: The runs that can be found again.

        @param peers: The other workers.

        @param forms: The forms of the replies to those runs.
        """
        self._peers = peers
        peers.answer(ALL, self._here)
        self._runtime = runtime
        self._registry = registry
        self._forms = forms
        self._reactor = reactor

    async def all(self, request: ApiRequest) -> dict[str, Any]:
        """
        The runs in progress, in all workers.
        """
        namespace = request.caller.namespace
        found = self._here(namespace)
        for others in await self._peers.ask(ALL, namespace):
            found += others
        return {"object": "list", "data": found}

    def _here(self, namespace: str) -> list[dict[str, Any]]:
        runs = self._runtime.runs.values()
        return [_live(run) for run in runs if namespace in ("", run.request.namespace)]

    async def one(self, request: ApiRequest, runID: str) -> dict[str, Any]:
        """
        A run in progress, or a recorded one that is over, with what came of it.

        @raise NotFound: There is none for this caller.
        """
        record = self._record(request.caller, runID)
        if record is not None and record.outcome is not None:
            return _over(record, record.outcome, self._forms[record])
        return _live(self._running(request.caller, runID))

    async def cancel(self, request: ApiRequest, runID: str) -> dict[str, Any]:
        """
        Stop a run.  One that is over stays as it is.

        @raise NotFound: There is none for this caller.
        """
        record = self._record(request.caller, runID)
        if record is not None and record.outcome is not None:
            return _over(record, record.outcome, self._forms[record])
        run = self._running(request.caller, runID)
        run.cancel(RunCancelled("The run was cancelled on request.", shouldRetry=False))
        return {**_live(run), "status": "cancelled"}

    async def events(self, request: ApiRequest, runID: str) -> None:
        """
        All that a recorded run says, from the beginning or behind the event that the
        caller had last.  Each event has its number as its C{id}.

        @raise NotFound: There is none for this caller, or it is not recorded.
        """
        response, record = request.response, self._record(request.caller, runID)
        if record is None:
            self._running(request.caller, runID)
            raise NotFound(
                "The run is not recorded: it was asked without an Idempotency-Key and"
                " without `x-openclaw-on-disconnect: continue`.",
                code="run_not_recorded",
            )
        if request.isHead:
            openStream(response)
            return
        endpoint = request.live.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=response,
            reply=NumberedReply(self._forms[record], _lastEvent(request)),
            openHeaders=lambda: openStream(response),
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        stream.open()
        await stream.follow(response, record.listen(stream, paused=True))

    def _record(self, caller: ICaller, runID: str) -> RecordedRun | None:
        record = self._registry.get(runID)
        return record if record is not None and _mayFind(caller, record) else None

    def _running(self, caller: ICaller, runID: str) -> AgentRun:
        run = self._runtime.runs.get(runID)
        if run is None or not _mayFind(caller, run):
            raise NotFound(f"There is no run '{runID[:64]}'.", code="run_not_found")
        return run


class NumberedReply(Reply):
    """
    A reply of which each event has a number, for those who lose it on the way.
    """

    def __init__(self, form: ReplyForm, last: int) -> None:
        """
        @param last: The number of the last event that the caller has; 0 for none.
        """
        super().__init__(form)
        self._last = last
        self._number = 0

    def opening(self) -> bytes:
        """
        The frame with the role, for those who have none yet.
        """
        return b"" if self._last else super().opening()

    def deltas(self, events: Sequence[RunEvent]) -> bytes:
        """
        One frame, with its number, for each event that the caller does not have.
        """
        frames = []
        for event in events:
            self._number += 1
            frame = super().deltas((event,)) if self._number > self._last else b""
            if frame:
                frames.append(b"id: %d\n%b" % (self._number, frame))
        return b"".join(frames)


def _mayFind(caller: ICaller, run: AgentRun | RecordedRun) -> bool:
    return caller.namespace in ("", run.request.namespace)


def _lastEvent(request: ApiRequest) -> int:
    text = (request.header(LAST_EVENT_HEADER) or "0").strip()
    # Longer numbers would be no event's, and take long to read.
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(
            "`Last-Event-ID` must be the number of an event.", param="Last-Event-ID"
        )
    return int(text)


def _common(request: RunRequest, status: str, createdAt: float) -> dict[str, Any]:
    return {
        "id": request.runID,
        "object": "run",
        "status": status,
        "created": int(createdAt),
        "agent": request.agent.id,
        "session_key": request.sessionKey,
        "caller": request.caller,
    }


def _live(run: AgentRun) -> dict[str, Any]:
    status = "queued" if run.admittedAt is None else "in_progress"
    return _common(run.request, status, run.begunAt)


def _over(record: RecordedRun, outcome: Outcome, form: ReplyForm) -> dict[str, Any]:
    request = record.request
    if isinstance(outcome, RunResult):
        reply = Reply(form)
        reply.listen(record.events)
        done = _common(request, "completed", form.created)
        return {**done, "result": reply.document(outcome), "error": None}
    status = "cancelled" if isinstance(outcome, RunCancelled) else "failed"
    failed = _common(request, status, form.created)
    return {**failed, "result": None, **buildErrorBody(outcome)}
