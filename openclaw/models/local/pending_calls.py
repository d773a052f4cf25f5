"""
Calls that wait until the embedded model is loaded.
"""

from twisted.internet.defer import Deferred

from openclaw.errors import OpenClawError, RunCancelled
from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelProvider,
    ModelRequest,
)
from openclaw.models.unstarted_call import UnstartedCall


class PendingCall(UnstartedCall):
    """
    A call that is made once the model is loaded.
    """

    def __init__(self, request: ModelRequest, listener: ModelListener) -> None:
        super().__init__()
        self._request = request
        self._listener = listener

    def start(self, provider: IModelProvider) -> None:
        self.startWith(lambda: provider.ask(self._request, self._listener))


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
