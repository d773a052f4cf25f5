"""
Calls that wait until the embedded model is loaded.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.errors import OpenClawError, RunCancelled
from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelReply,
    ModelRequest,
)
from openclaw.messages import NO_USAGE, Usage


@implementer(IModelCall)
class PendingCall:
    """
    A proxy of the call that is made once the model is loaded.  Pausing and cancelling
    apply to that call, or are remembered until then.
    """

    def __init__(self, request: ModelRequest, listener: ModelListener) -> None:
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._request = request
        self._listener = listener
        self._call: IModelCall | None = None
        self._paused = False

    @property
    def usage(self) -> Usage:
        return NO_USAGE if self._call is None else self._call.usage

    @property
    def ignoredParams(self) -> Sequence[str]:
        """
        Known once the call is made.
        """
        return () if self._call is None else self._call.ignoredParams

    def start(self, provider: IModelProvider) -> None:
        try:
            self._call = call = provider.ask(self._request, self._listener)
        except Exception:
            # A bug, which must not affect the calls that wait behind this one.
            self.done.errback()
            return
        if self._paused:
            call.pauseProducing()
        call.done.chainDeferred(self.done)

    def fail(self, error: OpenClawError) -> None:
        if not self.done.called:
            self.done.errback(error)

    def cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
        else:
            self.fail(RunCancelled("The call was cancelled."))

    def pauseProducing(self) -> None:
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()

    def stopProducing(self) -> None:
        self.cancel()


class PendingEmbedding:
    """
    A call for embeddings that is made once the model is loaded.
    """

    def __init__(self, request: EmbeddingRequest) -> None:
        self.done: Deferred[EmbeddingReply] = Deferred(lambda _: self._cancel())
        self._request = request
        self._call: Deferred[EmbeddingReply] | None = None

    def start(self, provider: IModelProvider) -> None:
        try:
            self._call = IEmbedder(provider).embed(self._request)
        except Exception:
            # A bug, which must not affect the calls that wait behind this one.
            self.done.errback()
            return
        self._call.chainDeferred(self.done)

    def fail(self, error: OpenClawError) -> None:
        if not self.done.called:
            self.done.errback(error)

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
        else:
            self.fail(RunCancelled("The call was cancelled."))
