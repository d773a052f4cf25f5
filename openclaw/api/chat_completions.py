"""
C{POST /v1/chat/completions}: from a request to a run, and back.
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
from openclaw.api.body_parsing import readBody, tellIgnored
from openclaw.api.chat_branches import mayBranch, selectBranch
from openclaw.api.chat_chunks import Reply, ReplyForm, ReplyForms
from openclaw.api.chat_request import ChatRequest, decodeChatBody, parseChatRequest
from openclaw.api.chat_stream import CompletionStream, openStream
from openclaw.api.client_headers import RunHeaders, parseRunHeaders
from openclaw.api.idempotency import requestFingerprint
from openclaw.api.run_builder import buildRunRequest, resolveTarget
from openclaw.config import Config
from openclaw.errors import Busy, OpenClawError
from openclaw.interfaces import ICaller
from openclaw.net.fair_semaphore import FairSemaphore, SemaphoreLimits
from openclaw.server.api_request import ApiRequest, ResponseWriter
from openclaw.server.live_config import LiveConfig

FETCHES = 16
"""
Requests for which images are fetched at once.
"""

SEARCHES = 4
"""
Requests for which the branch of a chat is looked for at once.
"""

MAX_WAITING = 64
WAIT_SECONDS = 30.0
"""
Requests that may wait for either, and the longest wait, in seconds.
"""

Release = Callable[[], None]
Acquire = Callable[[], Release]
_Outcome = TypeVar("_Outcome")


class Completions:
    """
    The resource: each request is one run, or one more listener to a run.
    """

    def __init__(
        self,
        runtime: Runtime,
        registry: RunRegistry,
        tools: AgentTools,
        reactor: Any,
        now: Callable[[], float],
        newRunID: Callable[[], str],
        forms: ReplyForms,
    ) -> None:
        """
        @param registry: The runs that can be found again.

        @param reactor: A whole one: time, TCP, names and threads.

        @param now: The time of day, in seconds since the epoch.

        @param newRunID: Makes the names of runs.

        @param forms: Where the forms of their replies are kept.
        """
        self._newRunID = newRunID
        self._runtime = runtime
        self._registry = registry
        self._forms = forms
        self._tools = tools
        self._reactor = reactor
        self._now = now
        self._fetches = _limited(
            reactor, FETCHES, "fetching images for too many requests"
        )
        self._searches = _limited(reactor, SEARCHES, "looking for too many chats")

    async def serve(self, request: ApiRequest) -> None:
        """
        Answer a request.

        @raise OpenClawError: For an error that is known before the first byte.
        """
        try:
            await (await self._begun(request))
        except OpenClawError as error:
            # Nobody hears of it when the caller is gone, and its frames hold the run.
            if not request.response.disconnected:
                raise
            error.__traceback__ = None

    async def _begun(self, request: ApiRequest) -> Awaitable[None]:
        """
        Begin to answer.  A stream may last: what only its beginning needs is in no
        coroutine that goes on.

        @return: What does the rest.
        """
        endpoint = request.live.config.gateway.http.endpoints.chatCompletions
        headers = parseRunHeaders(request.headers, endpoint.sessionHeaders)
        asked = await requestFingerprint(
            self._reactor, request.body, headers, request.caller
        )
        record = self._found(asked)
        if record is None:
            new = await self._newRecord(request, headers, recorded=asked is not None)
            # The same request may have come once more meanwhile.
            record = self._found(asked) or new
        request.discardInput()
        return self._answer(request, record, asked)

    def _found(self, asked: RequestFingerprint | None) -> RecordedRun | None:
        return None if asked is None else self._registry.find(asked)

    async def _newRecord(
        self, request: ApiRequest, headers: RunHeaders, *, recorded: bool
    ) -> RecordedRun:
        """
        Parse a request and build its run, without starting it.
        """
        live, caller = request.live, request.caller
        images = live.config.gateway.http.endpoints.chatCompletions.images

        def read(raw: bytes) -> tuple[AgentTarget, ChatRequest]:
            body = decodeChatBody(raw)
            # Whoever names what is not there hears of that first.
            target = resolveTarget(live, headers, caller, body.fields.model)
            return target, parseChatRequest(body, images)

        target, chat = await readBody(
            self._reactor, caller.shareKey, request.body, read
        )
        if not target.plain and target.agent.workspace:
            await self._tools.refresh(target.agent, self._reactor)
        run = buildRunRequest(
            request,
            headers,
            chat,
            target,
            tools=self._tools,
            runID=self._newRunID(),
            now=self._now(),
        )
        if mayBranch(headers, run):
            run = await self._onBranch(live, run, caller)
        tellIgnored(request.response, chat.ignored)
        if chat.remoteImages:
            acquire = partial(live.doorkeeper.state.quotas.acquireRun, caller)
            run = await self._withImages(run, live.config, chat, acquire)
        record = RecordedRun(
            run, recorded=recorded, goesOn=headers.continuesAfterDisconnect()
        )
        self._forms[record] = ReplyForm(
            completionID=f"chatcmpl_{token_hex(12)}",
            created=floor(self._now()),
            model="openclaw" if chat.model is None else chat.model,
            stream=chat.stream,
            includeUsage=chat.includeUsage,
            reasoning="reasoning" in headers.events,
            tools="tools" in headers.events,
        )
        return record

    async def _onBranch(
        self, live: LiveConfig, run: RunRequest, caller: ICaller
    ) -> RunRequest:
        """
        Look for the branch of a chat that a request goes on with.  That counts as one
        of the caller's runs.
        """
        release = live.doorkeeper.state.quotas.acquireRun(caller)
        try:
            return await self._searches.run(
                run.shareKey, lambda: selectBranch(run, self._runtime.outline)
            )
        finally:
            release()

    async def _withImages(
        self, run: RunRequest, config: Config, chat: ChatRequest, acquire: Acquire
    ) -> RunRequest:
        """
        Fetch the images that are given by their URL, as one of the caller's runs.  When
        the caller goes away, this is cancelled.
        """
        # An HTTP client, for which few daemons have any use: 0.6 MB, and 50 ms once.
        from openclaw.api import remote_images as remote

        images = config.gateway.http.endpoints.chatCompletions.images
        terms = remote.termsFor(images, config.tools.web.fetch)
        remote.checkURLs(chat.remoteImages, terms)
        release = acquire()
        try:
            fetched = await self._fetches.run(
                run.shareKey,
                lambda: remote.fetchImages(self._reactor, chat.remoteImages, terms),
            )
        finally:
            # The run takes its place before anybody else has a chance to.
            release()
        return replace(
            run,
            opening=remote.withImages(run.opening, fetched),
            following=remote.withImages(run.following, fetched),
        )

    def _answer(
        self,
        request: ApiRequest,
        record: RecordedRun,
        asked: RequestFingerprint | None,
    ) -> Awaitable[None]:
        response, live = request.response, request.live
        run, form = record.request, self._forms[record]
        # Now, since a model may answer before its run has quite begun.
        response.setHeader("x-openclaw-run-id", run.runID)
        response.setHeader("x-openclaw-session-key", _headerText(run.sessionKey))
        if record.begun:
            response.setHeader("idempotent-replayed", "true")
        acquire = partial(live.doorkeeper.state.quotas.acquireRun, request.caller)
        reply = Reply(form)
        if not form.stream:
            listening = record.listen(reply.listen)
            self._begin(response, record, asked, acquire)
            return _wholeAnswer(request, reply, listening)
        endpoint = live.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=response,
            reply=reply,
            openHeaders=partial(openStream, response),
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        # What was said already is for the reader to take as fast as they can.
        listening = record.listen(stream, paused=record.begun)
        self._begin(response, record, asked, acquire)
        return stream.follow(response, listening)

    def _begin(
        self,
        response: ResponseWriter,
        record: RecordedRun,
        asked: RequestFingerprint | None,
        acquire: Acquire,
    ) -> None:
        """
        Start a run that is new.
        """
        if not record.begun:
            release = _acquire(response, record, acquire)
            try:
                record.begin(self._runtime.begin)
            except BaseException:
                release()
                raise
            assert record.run is not None
            record.run.ended.addBoth(_then, release)
            if asked is not None:
                self._registry.keep(asked, record)


def _limited(reactor: Any, capacity: int, what: str) -> FairSemaphore:
    """
    Make the semaphore of some work before a run.

    @param what: What the gateway is doing when there is too much of it.
    """
    return FairSemaphore(
        reactor,
        SemaphoreLimits(
            capacity=capacity, waiting=MAX_WAITING, waitSeconds=WAIT_SECONDS
        ),
        lambda: Busy(
            f"The gateway is {what}. Try again soon.", retryAfter=RETRY_SECONDS
        ),
    )


async def _wholeAnswer(
    request: ApiRequest, reply: Reply, listening: RunSubscription
) -> None:
    request.respond(reply.whole(await listening.done))


def _acquire(
    response: ResponseWriter, record: RecordedRun, acquire: Acquire
) -> Release:
    """
    Take a place among the caller's runs.  A run that goes on alone has what its
    request brought for as long as it lives, so it keeps the room for that, too.

    @return: What gives all of it back.
    """
    release = acquire()
    if not record.goesOn:
        return release
    giveBack = response.retainBodyReservation()

    def left() -> None:
        release()
        giveBack()

    return left


def _then(outcome: _Outcome, release: Release) -> _Outcome:
    release()
    return outcome


def _headerText(text: str) -> bytes:
    """
    A value for a response header, as UTF-8.
    """
    return text.encode("utf-8", "replace")
