"""
The model calls of one run: the choice of the model, its context, and the handling of
failures.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256

import msgspec
from twisted.internet.task import deferLater

from openclaw.agents.cancellation import Cancellation
from openclaw.agents.compaction import buildSummaryRequest, truncateSummary
from openclaw.agents.context import Context, replaceImages
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.token_estimates import (
    completeUsage,
    estimateMessages,
    estimateText,
    estimateTools,
    fits,
)
from openclaw.agents.turns import TurnListener
from openclaw.config import Model, ModelRef
from openclaw.errors import (
    ContextTooLong,
    ModelUnavailable,
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
)
from openclaw.events import ModelListener
from openclaw.interfaces import IModelCall, ModelReply, ModelRequest, ToolSpec
from openclaw.messages import NO_USAGE, Message, Usage, hasImages
from openclaw.models.failover import Attempts
from openclaw.models.large_requests import isLarge
from openclaw.net.threads import runInBodyThread

ANSWER_SHARE = 4
"""
At most one part in this many of a model's context window is reserved for its reply.
"""


MAX_ESTIMATE_ERROR = 2
"""
A text that is estimated to have this many times the tokens of the context window does
not fit, whatever the tokenizer.
"""

SHRINKING_SHARE = 0.9
"""
Limit of the newest message's part of a conversation that is worth shortening.
"""

DEFAULT_CONTEXT_WINDOW = 200_000
"""
Tokens of a session sent to a model without a configured context window.
"""


class ModelCalls:
    """
    Calls the agent's model, or another one if it fails before its first output.

    @ivar summaryUsage: The tokens that summaries took.
    @ivar usage: All known tokens of this run, including those of failed calls.
    @ivar model: The model that was called last.
    """

    def __init__(
        self,
        request: RunRequest,
        services: RunServices,
        stop: Cancellation,
        context: Context,
    ) -> None:
        """
        @param context: The view of the conversation.  It shrinks when a model cannot
            read all of it.
        """
        self.summaryUsage: Usage = NO_USAGE
        self.usage: Usage = NO_USAGE
        self.model: ModelRef | None = None
        self._request = request
        self._services = services
        self._stop = stop
        self._context = context
        self._call: IModelCall | None = None
        self._paused = False
        self._tools: Sequence[ToolSpec] = [
            *(each.spec() for each in request.tools.values()),
            *request.offeredClientTools,
        ]

    async def ask(
        self, conversation: Sequence[Message], listener: TurnListener
    ) -> ModelReply:
        """
        Get the next reply.

        @raise OpenClawError: No model gave one.
        """
        attempts = Attempts(self._modelsFor(conversation))
        mayCompact = True
        while True:
            self._stop.check()
            model = attempts.model
            shown: Sequence[Message] = conversation
            try:
                shown = await self._fitToWindow(conversation, model)
                return await self._callModel(model, shown, listener)
            except ContextTooLong as error:
                if listener.hasOutput:
                    raise
                total, wait = estimateMessages(shown), 0.0
                if not (
                    mayCompact
                    and self._canShrink(conversation, total, error.readableShare)
                    and await self._compact(conversation, model, total // 2)
                ):
                    attempts.skipUnlike(self._isLarger(model), error)
                mayCompact = False
            except OpenClawError as error:
                if listener.hasOutput:
                    raise
                wait = attempts.afterFailure(error)
            if wait:
                await self._stop.wait(deferLater(self._services.reactor, wait))

    # The context window

    def _modelsFor(self, conversation: Sequence[Message]) -> Sequence[ModelRef]:
        models = self._request.models()
        seeing = [model for model in models if self._readsImages(model)]
        if len(seeing) == len(models) or not seeing or not hasImages(conversation):
            return models
        return seeing

    def _readsImages(self, model: ModelRef) -> bool:
        settings = self._services.findModel(model)
        return settings is None or "image" in settings.input

    async def _fitToWindow(
        self, conversation: Sequence[Message], model: ModelRef
    ) -> Sequence[Message]:
        """
        Return the part of a conversation that fits the model's context window.
        """
        settings = self._services.findModel(model)
        room = self._roomFor(settings)
        shown, isFitting = await self._view(conversation, room)
        if isFitting or room is None:
            return shown
        # What is left out costs a call and is forgotten: both in vain if the newest
        # message is too long by itself.
        newest = self._context.estimateNewest(conversation)
        if newest <= max(room, 0):
            if await self._compact(conversation, model, max(room // 2, 0)):
                shown, _ = await self._view(conversation, None)
        elif settings is not None and settings.contextWindow is not None:
            self._checkNewest(newest, model, settings.contextWindow)
        return shown

    def _checkNewest(self, tokens: int, model: ModelRef, window: int) -> None:
        """
        @raise ContextTooLong: No estimate is so wrong that the newest message fits.
        """
        if tokens > window * MAX_ESTIMATE_ERROR:
            error = ContextTooLong(
                f"The newest message has about {tokens} tokens, and the model"
                f" {model.model!r} can read {window}."
            )
            error.readableShare = 0.0
            raise error

    def _canShrink(
        self, conversation: Sequence[Message], total: int, share: float | None
    ) -> bool:
        """
        Return whether a conversation that was refused as too long can become as short
        as the model wants it.

        @param share: The part of it that the model can read, if known.
        """
        newest = self._context.estimateNewest(conversation)
        return newest <= total * (SHRINKING_SHARE if share is None else share)

    def _isLarger(self, model: ModelRef) -> Callable[[ModelRef], bool]:
        """
        Return a test of other models: whether they are known to read more than a model.
        """

        def window(each: ModelRef) -> int | None:
            settings = self._services.findModel(each)
            return None if settings is None else settings.contextWindow

        known = window(model)
        return lambda other: known is not None and (window(other) or 0) > known

    def _roomFor(self, settings: Model | None) -> int | None:
        """
        Return the room for messages, in tokens; C{None} if it is not limited.
        """
        window = None if settings is None else settings.contextWindow
        if window is None:
            if not self._request.stateful:
                # A stateless conversation is limited by the size of a request.
                return None
            window = DEFAULT_CONTEXT_WINDOW
        maxTokens = settings.maxTokens if settings is not None else None
        room = window - min(maxTokens or window, window // ANSWER_SHARE)
        return room - estimateText(self._request.system) - estimateTools(self._tools)

    async def _view(
        self, conversation: Sequence[Message], room: int | None
    ) -> tuple[Sequence[Message], bool]:
        """
        Return what is shown of a conversation, and whether it fits.
        """

        def view(stop: object = None) -> tuple[Sequence[Message], bool]:
            shown = self._context.view(conversation)
            return shown, room is None or fits(shown, room)

        if not isLarge(conversation):
            return view()
        return await self._stop.wait(
            runInBodyThread(self._services.reactor, self._request.shareKey, view)
        )

    async def _compact(
        self, conversation: Sequence[Message], model: ModelRef, room: int
    ) -> bool:
        """
        Replace the oldest messages by a summary.

        @param room: For the other messages, in tokens.
        @return: False if nothing can be left out.
        """
        context = self._context
        cut = context.findCut(conversation, room)
        if cut is None:
            return False
        oldest = context.view(conversation[:cut])
        outcome = "summarised"
        try:
            question = msgspec.structs.replace(
                buildSummaryRequest(model.model, oldest, room),
                caller=self._request.shareKey,
            )
            reply = await self._send(model, question, lambda events: None)
            self.summaryUsage += reply.usage
            text = truncateSummary(reply.text, room)
        except OpenClawError as error:
            self._stop.check()
            text, outcome = "", f"left out: no summary: {error.message}"
        if text:
            context.summarise(text, cut)
        else:
            context.leaveOut(cut)
        self._services.log.info(
            "run {run}: {count} messages {outcome}",
            run=self._request.runID,
            count=len(oldest),
            outcome=outcome,
        )
        return True

    # One call

    def _callModel(
        self,
        model: ModelRef,
        shown: Sequence[Message],
        listener: ModelListener,
    ) -> Awaitable[ModelReply]:
        request = self._request
        settings = self._services.findModel(model)
        if not self._readsImages(model):
            shown = replaceImages(shown)
        return self._send(
            model,
            ModelRequest(
                model.model,
                request.system,
                shown,
                request.sampling,
                self._tools,
                "auto" if request.toolChoice == "none" else request.toolChoice,
                settings.maxTokens if settings is not None else None,
                settings.contextWindow if settings is not None else None,
                settings is not None and settings.reasoning,
                request.shareKey,
                _cacheKey(request),
            ),
            listener,
        )

    async def _send(
        self, model: ModelRef, question: ModelRequest, listener: ModelListener
    ) -> ModelReply:
        services = self._services
        provider = services.providers(model.provider)
        if provider is None:
            raise ModelUnavailable(
                f"The provider {model.provider!r} is no longer configured."
            )
        services.refusedKeys.check(provider)
        self.model = model
        self._call = call = provider.ask(question, listener)
        # A plug-in's call may be older than this attribute.
        self._request.ignoredParams.append(getattr(call, "ignoredParams", ()))
        if self._paused:
            call.pauseProducing()
        try:
            reply = await self._stop.wait(call.done, call.cancel)
        except OpenClawError as error:
            self.usage += call.usage
            if isinstance(error, UpstreamError | ModelUnavailable):
                services.tally.countUpstreamError(model.provider, error.code)
            if isinstance(error, UpstreamAuthFailed):
                services.refusedKeys.remember(provider)
            raise
        finally:
            self._call = None
        usage = reply.usage
        if not (usage.prompt_tokens and usage.completion_tokens):
            reply = msgspec.structs.replace(reply, usage=completeUsage(question, reply))
        self.usage += reply.usage
        return reply

    # Back-pressure

    def pause(self) -> None:
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resume(self) -> None:
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()


def _cacheKey(request: RunRequest) -> str:
    """
    Return the prompt cache key of a session, which does not reveal the session key.
    """
    if not request.stateful:
        return ""
    return sha256(request.sessionKey.encode("utf-8", "replace")).hexdigest()[:32]
