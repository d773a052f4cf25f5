"""
All calls for embeddings: how many there may be, what is tried when one fails, and where
they are ended.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from openclaw.config import ModelRef
from openclaw.errors import (
    Busy,
    ModelUnavailable,
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamTimeout,
)
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelProvider,
)
from openclaw.models.failover import Attempts, RefusedKeys
from openclaw.models.provider import noEmbeddings

RETRY_SECONDS = 1.0
"""
What callers are told to wait who find all places taken.
"""


class Embeddings:
    """
    Has texts embedded.

    @ivar most: How many calls there may be at once.
    """

    def __init__(
        self,
        *,
        most: int,
        providers: Callable[[str], IModelProvider | None],
        refusedKeys: RefusedKeys,
        reactor: IReactorTime,
    ) -> None:
        self.most = most
        self._providers = providers
        self._refusedKeys = refusedKeys
        self._reactor = reactor
        self._calls: dict[Deferred[EmbeddingReply], OpenClawError | None] = {}
        self._awaitingIdle: list[Deferred[None]] = []

    def begin(
        self, provider: str, request: EmbeddingRequest, seconds: float
    ) -> "Deferred[EmbeddingReply]":
        """
        Have texts embedded.

        @param provider: The name of the model's provider.

        @param seconds: How long that may take in all.

        @return: Fails with an L{OpenClawError}.  Cancelling it stops the model.

        @raise Busy: There are as many calls as may be.
        """
        if len(self._calls) >= self.most:
            raise Busy(
                "The gateway has as many requests for embeddings as it can take.",
                retryAfter=RETRY_SECONDS,
            )
        call = Deferred.fromCoroutine(self._embed(provider, request))
        self._calls[call] = None
        late = UpstreamTimeout(
            f"The embeddings took longer than {seconds:g} s.", code="run_timeout"
        )
        clock = self._reactor.callLater(seconds, self._end, call, late)

        def ended(result: EmbeddingReply | Failure) -> EmbeddingReply | Failure:
            if clock.active():
                clock.cancel()
            why = self._calls.pop(call)
            if not self._calls:
                waiting, self._awaitingIdle = self._awaitingIdle, []
                for idle in waiting:
                    idle.callback(None)
            return result if why is None else Failure(why)

        return call.addBoth(ended)

    async def _embed(self, name: str, request: EmbeddingRequest) -> EmbeddingReply:
        """
        Ask, and ask again where that may help: the same model, since the vectors of
        two can't be compared.
        """
        attempts = Attempts([ModelRef(name, request.model)])
        while True:
            provider = self._providers(name)
            if provider is None:
                raise ModelUnavailable(f"There is no provider {name!r} now.")
            embedder = IEmbedder(provider, None)
            if embedder is None:
                raise noEmbeddings(name)
            self._refusedKeys.check(provider)
            try:
                return await embedder.embed(request)
            except OpenClawError as error:
                if isinstance(error, UpstreamAuthFailed):
                    self._refusedKeys.remember(provider)
                wait = attempts.afterFailure(error)
            await deferLater(self._reactor, wait)

    def _end(self, call: "Deferred[EmbeddingReply]", why: OpenClawError) -> None:
        self._calls[call] = why
        call.cancel()

    def endAll(self, why: Callable[[], OpenClawError]) -> None:
        """
        End all calls now.

        @param why: Makes the error that they fail with.
        """
        for call in list(self._calls):
            self._end(call, why())

    def untilIdle(self) -> "Deferred[None]":
        """
        Wait until there is no call.
        """
        if not self._calls:
            return succeed(None)
        idle: Deferred[None] = Deferred()
        self._awaitingIdle.append(idle)
        return idle


__all__ = ["RETRY_SECONDS", "Embeddings"]
