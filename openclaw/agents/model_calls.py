"""
The questions of one run to models: which model is asked, what it is shown, and what is
tried when it fails.
"""

from collections.abc import Awaitable, Sequence

import msgspec
from twisted.internet.task import deferLater

from openclaw.agents.cancellation import Cancellation
from openclaw.agents.compaction import clipped, summaryRequest
from openclaw.agents.context import Context, withoutImages
from openclaw.agents.run_request import RunRequest, RunServices
from openclaw.agents.token_estimates import (
    fits,
    tokensOfAll,
    tokensOfText,
    tokensOfTools,
)
from openclaw.agents.turns import TurnListener
from openclaw.config import ModelRef
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

ANSWER_SHARE = 4
"""
At most one part in so many of what a model can read is kept free for its answer.
"""


DEFAULT_CONTEXT_WINDOW = 200_000
"""
Tokens of a session shown to a model without a configured context window.
"""


class ModelCalls:
    """
    Asks the agent's model, or another where that fails before it has said a word.

    @ivar spent: The tokens that summaries took.
    @ivar usage: All tokens that this run is known to have spent, also on answers that
        broke off.
    @ivar model: The model that was asked last.
    """

    def __init__(
        self,
        request: RunRequest,
        services: RunServices,
        stop: Cancellation,
        context: Context,
    ) -> None:
        """
        @param context: What is shown of the conversation.  When a model can't read
            all of it, less is shown from then on.
        """
        self.spent: Usage = NO_USAGE
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
        Ask for the next reply.

        @raise OpenClawError: No model gave one.
        """
        attempts = Attempts(self._modelsFor(conversation))
        mayCompact = True
        while True:
            self._stop.check()
            model = attempts.model
            shown = await self._fitting(conversation, model)
            try:
                return await self._answerOf(model, shown, listener)
            except ContextTooLong:
                if listener.heard or not mayCompact:
                    raise
                half = tokensOfAll(shown) // 2
                if not await self._compact(conversation, model, half):
                    raise
                mayCompact, wait = False, 0.0
            except OpenClawError as error:
                if listener.heard:
                    raise
                wait = attempts.afterFailure(error)
            if wait:
                await self._stop.during(deferLater(self._services.reactor, wait))

    # What a model can read

    def _modelsFor(self, conversation: Sequence[Message]) -> Sequence[ModelRef]:
        """
        The models that can read such a conversation.
        """
        models = self._request.models()
        seeing = [model for model in models if self._sees(model)]
        if len(seeing) == len(models) or not seeing or not hasImages(conversation):
            return models
        return seeing

    def _sees(self, model: ModelRef) -> bool:
        known = self._services.findModel(model)
        return known is None or "image" in known.input

    async def _fitting(
        self, conversation: Sequence[Message], model: ModelRef
    ) -> Sequence[Message]:
        """
        As much of a conversation as a model is known to be able to read.
        """
        shown = self._context.view(conversation)
        known = self._services.findModel(model)
        window = None if known is None else known.contextWindow
        if window is None:
            if not self._request.kept:
                # It is all the caller's own, and bounded by the size of a request.
                return shown
            window = DEFAULT_CONTEXT_WINDOW
        most = known.maxTokens if known is not None else None
        room = window - min(most or window, window // ANSWER_SHARE)
        room -= tokensOfText(self._request.system) + tokensOfTools(self._tools)
        if not fits(shown, room) and await self._compact(
            conversation, model, max(room // 2, 0)
        ):
            shown = self._context.view(conversation)
        return shown

    async def _compact(
        self, conversation: Sequence[Message], model: ModelRef, room: int
    ) -> bool:
        """
        Show a summary of what is oldest, and the rest as it is.

        @param room: For the rest, in tokens.

        @return: False if there is nothing that could be left out.
        """
        context = self._context
        cut = context.cut(conversation, room)
        if cut is None:
            return False
        oldest = context.view(conversation[:cut])
        outcome = "summarised"
        try:
            question = msgspec.structs.replace(
                summaryRequest(model.model, oldest, room),
                caller=self._request.shareKey,
            )
            reply = await self._send(model, question, lambda events: None)
            self.spent += reply.usage
            text = clipped(reply.text, room)
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

    def _answerOf(
        self,
        model: ModelRef,
        shown: Sequence[Message],
        listener: ModelListener,
    ) -> Awaitable[ModelReply]:
        request = self._request
        known = self._services.findModel(model)
        if not self._sees(model):
            shown = withoutImages(shown)
        return self._send(
            model,
            ModelRequest(
                model.model,
                request.system,
                shown,
                request.sampling,
                self._tools,
                "auto" if request.toolChoice == "none" else request.toolChoice,
                known.maxTokens if known is not None else None,
                known.contextWindow if known is not None else None,
                known is not None and known.reasoning,
                request.shareKey,
            ),
            listener,
        )

    async def _send(
        self, model: ModelRef, question: ModelRequest, listener: ModelListener
    ) -> ModelReply:
        services = self._services
        provider = services.providers(model.provider)
        if provider is None:
            raise ModelUnavailable(f"There is no provider {model.provider!r} now.")
        services.refusedKeys.check(provider)
        self.model = model
        self._call = call = provider.ask(question, listener)
        if self._paused:
            call.pauseProducing()
        try:
            reply = await self._stop.during(call.done, call.cancel)
        except OpenClawError as error:
            self.usage += call.usage
            if isinstance(error, UpstreamError | ModelUnavailable):
                services.tally.countUpstreamError(model.provider, error.code)
            if isinstance(error, UpstreamAuthFailed):
                services.refusedKeys.remember(provider)
            raise
        finally:
            self._call = None
        self.usage += reply.usage
        return reply

    # Back-pressure

    def pause(self) -> None:
        """
        Let the model wait.
        """
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resume(self) -> None:
        """
        Let it go on.
        """
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()
