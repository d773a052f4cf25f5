"""
C{POST /v1/chat/completions}: start a run for a request, and respond with its result.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from math import floor
from secrets import token_hex
from typing import Any, TypeVar

from openclaw.agents.agent_directory import AgentTarget
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.recorded_run import RecordedRun, RunSubscription
from openclaw.agents.run_queue import RETRY_SECONDS
from openclaw.agents.run_registry import RequestFingerprint, RunRegistry
from openclaw.agents.run_request import RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.api.body_parsing import parseBody, setIgnoredHeader
from openclaw.api.chat_branches import mayBranch, selectBranch
from openclaw.api.chat_chunks import (
    CompletionEncoder,
    CompletionFormat,
    CompletionFormats,
)
from openclaw.api.chat_request import ChatRequest, decodeChatBody, parseChatRequest
from openclaw.api.chat_stream import CompletionStream, setStreamHeaders
from openclaw.api.client_headers import RunHeaders, parseRunHeaders
from openclaw.api.idempotency import computeFingerprint
from openclaw.api.run_builder import buildRunRequest, resolveTarget
from openclaw.config import Config
from openclaw.errors import Busy, OpenClawError
from openclaw.interfaces import ICaller
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits
from openclaw.server.api_request import ApiRequest, ResponseWriter
from openclaw.server.live_config import LiveConfig

MAX_CONCURRENT_FETCHES = 16
"""
Limit of requests whose images are fetched at the same time.
"""

MAX_CONCURRENT_SEARCHES = 4
"""
Limit of requests whose chat branch is looked up at the same time.
"""

MAX_WAITING = 64
WAIT_SECONDS = 30.0
"""
Limits of the requests waiting for either, and of the wait in seconds.
"""

Release = Callable[[], None]
Acquire = Callable[[], Release]
_Outcome = TypeVar("_Outcome")


class ChatCompletions:
    """
    The chat completions resource. Each request starts a run, or subscribes to the run
    of the request that it repeats.
    """

    def __init__(
        self,
        runtime: Runtime,
        registry: RunRegistry,
        tools: AgentTools,
        reactor: Any,
        now: Callable[[], float],
        makeRunID: Callable[[], str],
        formats: CompletionFormats,
    ) -> None:
        """
        @param registry: The recorded runs.

        @param reactor: A reactor with time, TCP, name resolution and threads.

        @param now: Return the time, in seconds since the epoch.

        @param makeRunID: Generate the ID of a run.

        @param formats: The formats of the recorded runs' completions.
        """
        self._makeRunID = makeRunID
        self._runtime = runtime
        self._registry = registry
        self._formats = formats
        self._tools = tools
        self._reactor = reactor
        self._now = now
        self._fetches = _limitConcurrency(
            reactor, MAX_CONCURRENT_FETCHES, "fetching images for too many requests"
        )
        self._searches = _limitConcurrency(
            reactor, MAX_CONCURRENT_SEARCHES, "looking for too many chats"
        )

    async def serve(self, request: ApiRequest) -> None:
        """
        Respond to a request.

        @raise OpenClawError: The request failed before the first byte of the response.
        """
        try:
            await (await self._start(request))
        except OpenClawError as error:
            # There is no response to send, and the traceback's frames hold the run.
            if not request.response.disconnected:
                raise
            error.__traceback__ = None

    async def _start(self, request: ApiRequest) -> Awaitable[None]:
        """
        Start or find the run. A stream may last long, so that what only its start needs
        is not kept in a coroutine that goes on.

        @return: The rest of the response.
        """
        endpoint = request.live.config.gateway.http.endpoints.chatCompletions
        headers = parseRunHeaders(request.headers, endpoint.sessionHeaders)
        fingerprint = None
        if headers.mayBeRepeated():
            fingerprint = await computeFingerprint(
                self._reactor, request.body, headers, request.caller
            )
        record = self._findRecord(fingerprint)
        if record is None:
            new = await self._createRecord(
                request, headers, recorded=fingerprint is not None
            )
            # The same request may have arrived again meanwhile.
            record = self._findRecord(fingerprint) or new
        request.discardInput()
        return self._respond(request, record, fingerprint)

    def _findRecord(self, fingerprint: RequestFingerprint | None) -> RecordedRun | None:
        return None if fingerprint is None else self._registry.find(fingerprint)

    async def _createRecord(
        self, request: ApiRequest, headers: RunHeaders, *, recorded: bool
    ) -> RecordedRun:
        """
        Parse a request and build its run, without starting it.
        """
        live, caller = request.live, request.caller
        images = live.config.gateway.http.endpoints.chatCompletions.images

        def read(raw: bytes) -> tuple[AgentTarget, ChatRequest]:
            body = decodeChatBody(raw)
            # An unknown model is reported before other errors.
            target = resolveTarget(live, headers, caller, body.fields.model)
            return target, parseChatRequest(body, images)

        target, chat = await parseBody(
            self._reactor, caller.shareKey, request.body, read
        )
        if not target.raw and target.agent.workspace:
            await self._tools.refresh(target.agent, self._reactor)
        run = buildRunRequest(
            request,
            headers,
            chat,
            target,
            tools=self._tools,
            runID=self._makeRunID(),
            now=self._now(),
        )
        if mayBranch(headers, run):
            run = await self._selectBranch(live, run, caller)
        setIgnoredHeader(request.response, chat.ignored)
        run.ignoredParams.append(chat.ignored)
        if chat.remoteImages:
            acquire = partial(live.doorkeeper.state.quotas.acquireRun, caller)
            run = await self._fetchImages(run, live.config, chat, acquire)
        record = RecordedRun(
            run, recorded=recorded, keepsRunning=headers.continuesAfterDisconnect()
        )
        self._formats[record] = CompletionFormat(
            completionID=f"chatcmpl_{token_hex(12)}",
            created=floor(self._now()),
            model="openclaw" if chat.model is None else chat.model,
            stream=chat.stream,
            includeUsage=chat.includeUsage,
            reasoning="reasoning" in headers.events,
            tools="tools" in headers.events,
        )
        return record

    async def _selectBranch(
        self, live: LiveConfig, run: RunRequest, caller: ICaller
    ) -> RunRequest:
        """
        Look up the branch of a chat that a request continues. This counts as one of the
        caller's runs.
        """
        release = live.doorkeeper.state.quotas.acquireRun(caller)
        try:
            return await self._searches.run(
                run.shareKey, lambda: selectBranch(run, self._runtime.outline)
            )
        finally:
            release()

    async def _fetchImages(
        self, run: RunRequest, config: Config, chat: ChatRequest, acquire: Acquire
    ) -> RunRequest:
        """
        Fetch the images that are given by URL, as one of the caller's runs. It is
        cancelled when the client disconnects.
        """
        # Imported on first use: 0.6 MB and 50 ms, for few daemons.
        from openclaw.api import remote_images as remote

        images = config.gateway.http.endpoints.chatCompletions.images
        options = remote.buildFetchOptions(images, config.tools.web.fetch)
        remote.checkURLs(chat.remoteImages, options)
        release = acquire()
        try:
            fetched = await self._fetches.run(
                run.shareKey,
                lambda: remote.fetchImages(self._reactor, chat.remoteImages, options),
            )
        finally:
            # The run acquires it again before another request can.
            release()
        return replace(
            run,
            opening=remote.insertImages(run.opening, fetched),
            following=remote.insertImages(run.following, fetched),
        )

    def _respond(
        self,
        request: ApiRequest,
        record: RecordedRun,
        fingerprint: RequestFingerprint | None,
    ) -> Awaitable[None]:
        response, live = request.response, request.live
        run, wireFormat = record.request, self._formats[record]
        # Before the run starts, since a model may respond at once.
        response.setHeader("x-openclaw-run-id", run.runID)
        response.setHeader("x-openclaw-session-key", _encodeHeader(run.sessionKey))
        if record.started:
            response.setHeader("idempotent-replayed", "true")
        acquire = partial(live.doorkeeper.state.quotas.acquireRun, request.caller)
        encoder = CompletionEncoder(wireFormat)
        if not wireFormat.stream:
            subscription = record.subscribe(encoder.collect)
            self._startRun(response, record, fingerprint, acquire)
            return _respondWhole(request, encoder, subscription, run)
        endpoint = live.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=response,
            encoder=encoder,
            openHeaders=partial(_openStream, response, run),
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        # Recorded events are sent at the pace of the client.
        subscription = record.subscribe(stream, paused=record.started)
        self._startRun(response, record, fingerprint, acquire)
        return stream.follow(response, subscription)

    def _startRun(
        self,
        response: ResponseWriter,
        record: RecordedRun,
        fingerprint: RequestFingerprint | None,
        acquire: Acquire,
    ) -> None:
        """
        Start the run, if it is a new one.
        """
        if not record.started:
            release = _acquireLimits(response, record, acquire)
            try:
                record.start(self._runtime.startRun)
            except BaseException:
                release()
                raise
            assert record.run is not None
            record.run.ended.addBoth(_releaseAfter, release)
            if fingerprint is not None:
                self._registry.add(fingerprint, record)


def _limitConcurrency(reactor: Any, capacity: int, activity: str) -> FairSemaphore:
    """
    Create the semaphore of some work that precedes a run.

    @param activity: The work, for the error when there is too much of it.
    """
    return FairSemaphore(
        reactor,
        SemaphoreLimits(
            capacity=capacity, waiting=MAX_WAITING, waitSeconds=WAIT_SECONDS
        ),
        lambda: Busy(
            f"The gateway is {activity}. Try again soon.", retryAfter=RETRY_SECONDS
        ),
    )


def _openStream(response: ResponseWriter, run: RunRequest) -> None:
    setStreamHeaders(response)
    _setIgnoredHeader(response, run)


def _setIgnoredHeader(response: ResponseWriter, run: RunRequest) -> None:
    names = set().union(*run.ignoredParams)
    if names:
        setIgnoredHeader(response, sorted(names))


async def _respondWhole(
    request: ApiRequest,
    encoder: CompletionEncoder,
    subscription: RunSubscription,
    run: RunRequest,
) -> None:
    try:
        result = await subscription.done
    finally:
        _setIgnoredHeader(request.response, run)
    request.respond(encoder.encodeCompletion(result))


def _acquireLimits(
    response: ResponseWriter, record: RecordedRun, acquire: Acquire
) -> Release:
    """
    Acquire one of the caller's runs. A run that continues after a disconnect also keeps
    the memory of its request's body reserved.

    @return: Releases both.
    """
    release = acquire()
    if not record.keepsRunning:
        return release
    releaseBody = response.retainBodyReservation()

    def releaseAll() -> None:
        release()
        releaseBody()

    return releaseAll


def _releaseAfter(outcome: _Outcome, release: Release) -> _Outcome:
    release()
    return outcome


def _encodeHeader(text: str) -> bytes:
    """
    Encode a value for a response header as UTF-8.
    """
    return text.encode("utf-8", "replace")
