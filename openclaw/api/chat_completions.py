"""
C{POST /v1/chat/completions}: from a request to a run, and back.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from math import floor
from secrets import token_hex
from typing import Any, TypeVar

from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.recorded_run import RecordedRun, RunSubscription
from openclaw.agents.run_queue import RETRY_SECONDS
from openclaw.agents.run_registry import RequestFingerprint, RunRegistry
from openclaw.agents.run_request import RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.api.body_parsing import readBody, tellIgnored
from openclaw.api.chat_branches import mayBranch, selectBranch
from openclaw.api.chat_chunks import Reply, ReplyForm, ReplyForms
from openclaw.api.chat_request import ChatRequest, parseChatRequest
from openclaw.api.chat_stream import CompletionStream, openStream
from openclaw.api.idempotency import continuesAfterDisconnect, requestFingerprint
from openclaw.api.run_builder import buildRunRequest, resolveTarget
from openclaw.config import Config
from openclaw.errors import Busy, OpenClawError
from openclaw.interfaces import ICaller
from openclaw.net.fair_semaphore import Bounds, FairSemaphore
from openclaw.server.error_responses import setJSONHeaders
from openclaw.server.gateway_request import GatewayRequest
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

EVENTS_HEADER = "x-openclaw-events"
Leave = Callable[[], None]
Place = Callable[[], Leave]
_Outcome = TypeVar("_Outcome")


class Completions:
    """
    The resource: each request is one run, or one more listener to a run.
    """

    def __init__(
        self,
        runtime: Runtime,
        ledger: RunRegistry,
        equipment: AgentTools,
        reactor: Any,
        now: Callable[[], float],
        newRunID: Callable[[], str],
        forms: ReplyForms,
    ) -> None:
        """
        @param ledger: The runs that can be found again.

        @param forms: Where the forms of their replies are kept.

        @param reactor: A whole one: time, TCP, names and threads.

        @param now: The time of day, in seconds since the epoch.

        @param newRunID: Makes the names of runs.
        """
        self._newRunID = newRunID
        self._runtime = runtime
        self._ledger = ledger
        self._forms = forms
        self._equipment = equipment
        self._reactor = reactor
        self._now = now
        self._fetches = _limited(
            reactor, FETCHES, "fetching images for too many requests"
        )
        self._searches = _limited(reactor, SEARCHES, "looking for too many chats")

    async def serve(self, request: GatewayRequest, standing: LiveConfig) -> None:
        """
        Answer a request.

        @raise OpenClawError: For an error that is known before the first byte.
        """
        try:
            caller = await request.caller()
            endpoint = standing.config.gateway.http.endpoints.chatCompletions
            asked = await requestFingerprint(request, caller, endpoint.sessionHeaders)
            record = self._found(asked)
            if record is None:
                new = await self._newRecord(request, standing, caller, asked)
                # The same request may have come once more meanwhile.
                record = self._found(asked) or new
            await self._answer(request, standing, record, asked, caller)
        except OpenClawError as error:
            # Klein cancels what it waits for when the caller goes away.
            if not request.gone:
                raise
            error.__traceback__ = None  # Its frames hold what holds the error.

    def _found(self, asked: RequestFingerprint | None) -> RecordedRun | None:
        return None if asked is None else self._ledger.find(asked)

    async def _newRecord(
        self,
        request: GatewayRequest,
        standing: LiveConfig,
        caller: ICaller,
        asked: RequestFingerprint | None,
    ) -> RecordedRun:
        """
        Parse a request and build its run, without starting it.
        """
        images = standing.config.gateway.http.endpoints.chatCompletions.images
        target = partial(resolveTarget, request, standing, caller)
        read = partial(parseChatRequest, images=images, targetOf=target)
        asking = await readBody(self._reactor, caller.shareKey, request.body(), read)
        found = asking.target
        if found is not None and not found.plain and found.agent.workspace:
            await self._equipment.refresh(found.agent, self._reactor)
        wanted = buildRunRequest(
            request,
            standing,
            asking,
            caller,
            equipment=self._equipment,
            runID=self._newRunID(),
            now=self._now(),
        )
        wanted = await self._onBranch(request, standing, wanted, caller)
        tellIgnored(request, asking.ignored)
        if asking.remoteImages:
            place = partial(standing.doorkeeper.memory.quotas.run, caller)
            wanted = await self._withImages(wanted, standing.config, asking, place)
        events = _names(request.header(EVENTS_HEADER))
        form = ReplyForm(
            completionID=f"chatcmpl_{token_hex(12)}",
            created=floor(self._now()),
            model="openclaw" if asking.model is None else asking.model,
            stream=asking.stream,
            includeUsage=asking.includeUsage,
            reasoning="reasoning" in events,
            tools="tools" in events,
        )
        record = RecordedRun(
            wanted,
            recorded=asked is not None,
            goesOn=continuesAfterDisconnect(request),
        )
        self._forms[record] = form
        return record

    async def _onBranch(
        self,
        request: GatewayRequest,
        standing: LiveConfig,
        wanted: RunRequest,
        caller: ICaller,
    ) -> RunRequest:
        """
        Look for the branch of a chat that a request goes on with.  That counts as one
        of the caller's runs.
        """
        if not mayBranch(request, standing, wanted):
            return wanted
        leave = standing.doorkeeper.memory.quotas.run(caller)
        try:
            return await self._searches.run(
                wanted.shareKey, lambda: selectBranch(wanted, self._runtime.outline)
            )
        finally:
            leave()

    async def _withImages(
        self, wanted: RunRequest, config: Config, asking: ChatRequest, place: Place
    ) -> RunRequest:
        """
        Fetch the images that are given by their URL, as one of the caller's runs.  When
        the caller goes away, this is cancelled.
        """
        # An HTTP client, for which few daemons have any use: 0.6 MB, and 50 ms once.
        from openclaw.api import remote_images as remote

        images = config.gateway.http.endpoints.chatCompletions.images
        terms = remote.termsFor(images, config.tools.web.fetch)
        remote.checkURLs(asking.remoteImages, terms)
        leave = place()
        try:
            fetched = await self._fetches.run(
                wanted.shareKey,
                lambda: remote.fetchImages(self._reactor, asking.remoteImages, terms),
            )
        finally:
            # The run takes its place before anybody else has a chance to.
            leave()
        return replace(
            wanted,
            opening=remote.withImages(wanted.opening, fetched),
            following=remote.withImages(wanted.following, fetched),
        )

    def _answer(
        self,
        request: GatewayRequest,
        standing: LiveConfig,
        record: RecordedRun,
        asked: RequestFingerprint | None,
        caller: ICaller,
    ) -> Awaitable[None]:
        """
        Begin to answer.  A stream may last: what only its beginning needs is in no
        coroutine that goes on.

        @return: What does the rest.
        """
        request.forget()
        wanted, form = record.request, self._forms[record]
        # Now, since a model may answer before its run has quite begun.
        request.setHeader("x-openclaw-run-id", wanted.runID)
        request.setHeader("x-openclaw-session-key", _headerText(wanted.sessionKey))
        if record.begun:
            request.setHeader("idempotent-replayed", "true")
        place = partial(standing.doorkeeper.memory.quotas.run, caller)
        reply = Reply(form)
        if not form.stream:
            listening = record.listen(reply.listen)
            self._begin(request, record, asked, place)
            return _wholeAnswer(request, reply, listening)
        endpoint = standing.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=request,
            reply=reply,
            openHeaders=partial(openStream, request),
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        # What was said already is for the reader to take as fast as they can.
        listening = record.listen(stream, paused=record.begun)
        self._begin(request, record, asked, place)
        return stream.follow(request, listening)

    def _begin(
        self,
        request: GatewayRequest,
        record: RecordedRun,
        asked: RequestFingerprint | None,
        place: Place,
    ) -> None:
        """
        Start a run that is new.
        """
        if not record.begun:
            leave = _enter(request, record, place)
            try:
                record.begin(self._runtime.begin)
            except BaseException:
                leave()
                raise
            assert record.run is not None
            record.run.ended.addBoth(_then, leave)
            if asked is not None:
                self._ledger.keep(asked, record)


def _limited(reactor: Any, capacity: int, what: str) -> FairSemaphore:
    """
    Make the semaphore of some work before a run.

    @param what: What the gateway is doing when there is too much of it.
    """
    return FairSemaphore(
        reactor,
        Bounds(capacity=capacity, waiting=MAX_WAITING, waitSeconds=WAIT_SECONDS),
        lambda: Busy(
            f"The gateway is {what}. Try again soon.", retryAfter=RETRY_SECONDS
        ),
    )


async def _wholeAnswer(
    request: GatewayRequest, reply: Reply, listening: RunSubscription
) -> None:
    request.write(setJSONHeaders(request, reply.whole(await listening.done)))


def _enter(request: GatewayRequest, record: RecordedRun, place: Place) -> Leave:
    """
    Take a place among the caller's runs.  A run that goes on alone has what its
    request brought for as long as it lives, so it keeps the room for that, too.

    @return: What gives all of it back.
    """
    leave = place()
    if not record.goesOn:
        return leave
    giveBack = request.keepRoom()

    def left() -> None:
        leave()
        giveBack()

    return left


def _then(outcome: _Outcome, leave: Leave) -> _Outcome:
    leave()
    return outcome


def _names(header: str | None) -> list[str]:
    """
    The names in a request header that is a list.
    """
    return [name.strip().lower() for name in (header or "").split(",")]


def _headerText(text: str) -> bytes:
    """
    A value for a response header, as UTF-8.
    """
    return text.encode("utf-8", "replace")
