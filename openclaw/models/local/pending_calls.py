"""
A call that waits until the embedded model is loaded.
"""

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
class WaitingCall:
    """
    Stands for the call that it makes once it can be made.  What it is told before
    that (to pause, to be cancelled) it remembers.
    """

    def __init__(self, request: ModelRequest, listener: ModelListener) -> None:
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._request = request
        self._listener = listener
        self._call: IModelCall | None = None
        self._paused = False

    @property
    def usage(self) -> Usage:
        """
        See L{IModelCall.usage}.
        """
        return NO_USAGE if self._call is None else self._call.usage

    def begin(self, provider: IModelProvider) -> None:
        """
        Make the call.
        """
        try:
            self._call = call = provider.ask(self._request, self._listener)
        except Exception:
            # A bug; but those who wait behind this call are not to blame.
            self.done.errback()
            return
        if self._paused:
            call.pauseProducing()
        call.done.chainDeferred(self.done)

    def fail(self, error: OpenClawError) -> None:
        """
        Give up waiting.
        """
        if not self.done.called:
            self.done.errback(error)

    def cancel(self) -> None:
        """
        Stop waiting, or stop the call.
        """
        if self._call is not None:
            self._call.cancel()
        else:
            self.fail(RunCancelled("Nobody waits for this answer."))

    def pauseProducing(self) -> None:
        """
        Read no more of the answer for now.
        """
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on.
        """
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()

    def stopProducing(self) -> None:
        """
        The reader is gone: cancel.
        """
        self.cancel()


class WaitingEmbedding:
    """
    The same for embeddings.
    """

    def __init__(self, request: EmbeddingRequest) -> None:
        self.done: Deferred[EmbeddingReply] = Deferred(lambda _: self._cancel())
        self._request = request
        self._call: Deferred[EmbeddingReply] | None = None

    def begin(self, provider: IModelProvider) -> None:
        """
        Make the call.
        """
        try:
            self._call = IEmbedder(provider).embed(self._request)
        except Exception:
            # A bug; but those who wait behind this call are not to blame.
            self.done.errback()
            return
        self._call.chainDeferred(self.done)

    def fail(self, error: OpenClawError) -> None:
        """
        Give up waiting.
        """
        if not self.done.called:
            self.done.errback(error)

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
        else:
            self.fail(RunCancelled("Nobody waits for this answer."))
