"""
A provider over HTTP, in any dialect.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from zope.interface import implementer

from openclaw.config import Secret
from openclaw.errors import InvalidRequest, OpenClawError, UpstreamRefused
from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelRequest,
    Vector,
)
from openclaw.models.answer_content import AnswerContent
from openclaw.models.call_phases import Timeouts
from openclaw.models.embedding_calls import (
    LARGE_BYTES,
    EmbeddingDialect,
    WholeAnswer,
    readAnswer,
)
from openclaw.models.large_requests import isLarge
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from openclaw.models.provider_errors import providerError
from openclaw.models.request_fitting import fitRequest
from openclaw.models.thought_signatures import bindThoughts, selectThoughts
from openclaw.models.unstarted_call import FailedCall, UnstartedCall
from openclaw.models.upstream_call import (
    Adjust,
    Refusal,
    ReplyDecoder,
    UpstreamCall,
)
from openclaw.net.http_connection import Exchange, ResponseReceiver
from openclaw.net.http_pool import HTTPPool, HTTPTarget
from openclaw.net.threads import runInBodyThread

T = TypeVar("T")

TARGETS = 64
"""
Limit of a provider's paths that are cached; some APIs have one for each model.
"""

PROFILES = 256
"""
Limit of the cached profiles of a provider's models.
"""


def _unknown(model: str) -> Profile:
    return DEFAULT_PROFILE


class Dialect(Protocol):
    """
    The wire format of an API.  It is stateless: decoders have the state.
    """

    def path(self, request: ModelRequest) -> str:
        """
        Return the request's path after the base URL; it begins with a slash.
        """

    def headers(self, key: Secret | None) -> Sequence[tuple[str, str]]:
        """
        Return the headers of every request, including the key.
        """

    def encode(
        self, request: ModelRequest, profile: Profile = DEFAULT_PROFILE
    ) -> bytes:
        """
        Encode the body.  The request has only thoughts and signatures of this model, as
        the decoder found them.

        @param profile: The fields that this model accepts.  The request does not have
            the others any more.
        @raise InvalidRequest: The API can't express a part of the request.
        """

    def decoder(self, provider: str, refusal: Refusal) -> ReplyDecoder:
        """
        Return a decoder of a response.

        @param refusal: Makes an error of one that the provider reports within the
            response.
        """


@implementer(IModelProvider, IEmbedder)
class HTTPModelProvider:
    """
    A provider at a base URL.
    """

    def __init__(
        self,
        *,
        name: str,
        baseURL: str,
        dialect: Dialect,
        headers: Headers,
        agent: HTTPPool,
        timeouts: Timeouts,
        reactor: IReactorTime,
        log: Logger,
        embeddings: EmbeddingDialect | None = None,
        profileOf: Callable[[str], Profile] = _unknown,
    ) -> None:
        """
        @param headers: Headers of every request, including the key.
        @param profileOf: Looks up the profile of a model by its id.
        @param embeddings: The dialect of embeddings, if the API has any.
        """
        self.name = name
        self._baseURL = baseURL.rstrip("/")
        self._secrets = _secretsIn(headers)
        self._dialect = dialect
        self._headers = headers.copy()
        self._headers.setRawHeaders(b"Content-Type", [b"application/json"])
        self._plainHeaders = self._headers.copy()
        self._plainHeaders.setRawHeaders(b"Accept", [b"application/json"])
        self._embeddings = embeddings
        self._agent = agent
        # Headers are compared by identity: there are two of them.
        self._target = lru_cache(maxsize=TARGETS)(self._makeTarget)
        self._lookUpProfile = profileOf
        self._profiles: dict[str, Profile] = {}
        self._timeouts = timeouts
        self._reactor = reactor
        self._log = log
        self._calls: set[UpstreamCall] = set()
        self._unstarted: set[UnstartedCall] = set()
        self._awaitingIdle: list[Deferred[None]] = []

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Send the request.  If the dialect can't express it, the call fails.
        """
        # The profile is looked up here, since the cache is not thread-safe.
        profile = self._profileOf(request.model)
        if isLarge(request.messages):
            return self._askLater(request, profile, listener)
        try:
            encoded = self._prepare(request, profile)
        except InvalidRequest as error:
            return FailedCall(error)
        return self._start(encoded, listener)

    def _askLater(
        self, request: ModelRequest, profile: Profile, listener: ModelListener
    ) -> IModelCall:
        """
        Encode the request in a thread before it is sent.
        """
        call = UnstartedCall()
        encoding = runInBodyThread(
            self._reactor,
            request.caller,
            lambda stop: self._prepare(request, profile),
        )

        def start(encoded: _Encoded) -> None:
            if not call.done.called:
                call.startWith(lambda: self._start(encoded, listener))

        def failed(failure: Failure) -> None:
            if failure.check(InvalidRequest):
                call.fail(failure.value)  # type: ignore[arg-type]
            elif not call.done.called:
                call.done.errback(failure)

        def ended(outcome: T) -> T:
            self._unstarted.discard(call)
            self._reportIdle()
            return outcome

        # Until then the connections stay open.
        self._unstarted.add(call)
        encoding.addCallback(start).addErrback(failed).addBoth(ended)
        return call

    def _prepare(self, request: ModelRequest, profile: Profile) -> "_Encoded":
        """
        Encode the request.  Runs in a thread if that is large.

        @raise InvalidRequest: The dialect can't express it.
        """
        owner = f"{self.name}/{request.model}"
        request = msgspec.structs.replace(
            request, messages=selectThoughts(request.messages, owner)
        )
        return _Encoded(owner, request, *self._encode(request, profile))

    def _start(self, encoded: "_Encoded", listener: ModelListener) -> IModelCall:
        owner, request, payload, left = encoded
        decoder = self._dialect.decoder(self.name, self._refusal)
        if self._profileOf(request.model).unopenedThinkTag and isinstance(
            decoder, AnswerContent
        ):
            decoder.expectThought()
        path = self._dialect.path(request)

        def adjust(error: OpenClawError) -> bytes | None:
            again = self._adjusted(request, payload, error)
            if again is None:
                return None
            ignored[:] = again[1]
            return again[0]

        call = self._call(path, payload, decoder, listener, self._headers, adjust)
        call.ignoredParams = ignored = list(left)
        call.done.addCallback(bindThoughts, owner)
        call.start()
        return call

    def _profileOf(self, model: str) -> Profile:
        profile = self._profiles.get(model)
        if profile is None:
            if len(self._profiles) >= PROFILES:
                self._profiles.clear()
            profile = self._profiles[model] = self._lookUpProfile(model)
        return profile

    def _encode(
        self, request: ModelRequest, profile: Profile
    ) -> tuple[bytes, Sequence[str]]:
        """
        @return: The body, and the names of the caller's fields that are left out.
        """
        request, ignored = fitRequest(request, profile)
        return self._dialect.encode(request, profile), ignored

    def _adjusted(
        self, request: ModelRequest, payload: bytes, error: OpenClawError
    ) -> tuple[bytes, Sequence[str]] | None:
        """
        Encode a request without the fields for which it was rejected, and remember
        those.

        @return: C{None} if no field can be left out.
        """
        if not isinstance(error, UpstreamRefused) or not error.rejectedFields:
            return None
        before = profile = self._profileOf(request.model)
        for field in error.rejectedFields:
            profile = profile.without(field)
        self._profiles[request.model] = profile
        again = self._encode(request, profile)
        if again[0] == payload:
            self._profiles[request.model] = before
            return None
        self._log.warn(
            "Provider {provider} refuses {fields} for the model {model}. From now on"
            " they are left out; dropParams or compat in its configuration spares the"
            " first refusal.",
            provider=self.name,
            fields=", ".join(error.rejectedFields),
            model=request.model,
        )
        return again

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Create embeddings.  More inputs than the API accepts are sent in several
        requests, one after the other.
        """
        if self._embeddings is None:
            return fail(noEmbeddings(self.name))
        return Deferred.fromCoroutine(self._embed(self._embeddings, request))

    async def _embed(
        self, dialect: EmbeddingDialect, request: EmbeddingRequest
    ) -> EmbeddingReply:
        vectors: list[Vector] = []
        tokens = 0
        for begin in range(0, len(request.inputs), dialect.most):
            inputs = request.inputs[begin : begin + dialect.most]
            part = msgspec.structs.replace(request, inputs=inputs)
            reply = await self._embedPart(dialect, part)
            vectors += reply.vectors
            tokens += reply.promptTokens
        return EmbeddingReply(vectors, tokens)

    async def _embedPart(
        self, dialect: EmbeddingDialect, request: EmbeddingRequest
    ) -> EmbeddingReply:
        call = self._call(
            dialect.path(request),
            dialect.encode(request),
            WholeAnswer(self.name, len(request.inputs)),
            lambda events: None,
            self._plainHeaders,
        )
        call.start()
        answer = (await call.done).text
        if len(answer) <= LARGE_BYTES:
            return readAnswer(self.name, dialect, request, answer)
        reactor = cast(Any, self._reactor)
        return await deferToThreadPool(
            reactor,
            reactor.getThreadPool(),
            readAnswer,
            self.name,
            dialect,
            request,
            answer,
        )

    def _call(
        self,
        path: str,
        payload: bytes,
        decoder: ReplyDecoder,
        listener: ModelListener,
        headers: Headers,
        adjust: Adjust | None = None,
    ) -> UpstreamCall:
        call = UpstreamCall(
            provider=self.name,
            send=partial(self._send, path, headers),
            payload=payload,
            decoder=decoder,
            refusal=self._refusal,
            listener=listener,
            closed=self._gone,
            timeouts=self._timeouts,
            reactor=self._reactor,
            log=self._log,
            adjust=adjust,
        )
        self._calls.add(call)
        return call

    def _gone(self, call: UpstreamCall) -> None:
        self._calls.discard(call)
        self._reportIdle()

    def _reportIdle(self) -> None:
        if not self._calls and not self._unstarted:
            waiting, self._awaitingIdle = self._awaitingIdle, []
            for idle in waiting:
                idle.callback(None)

    def _refusal(self, status: int, headers: Headers, body: bytes) -> OpenClawError:
        return providerError(
            self.name, status, headers, body, self._secrets, self._baseURL
        )

    def _send(
        self,
        path: str,
        headers: Headers,
        body: bytes,
        receiver: ResponseReceiver,
        anew: bool,
    ) -> Exchange:
        return self._agent.post(
            self._target(path, headers), body, receiver, newConnection=anew
        )

    def _makeTarget(self, path: str, headers: Headers) -> HTTPTarget:
        return self._agent.makeTarget(self._baseURL + path, headers)

    async def _closeWhenIdle(self) -> None:
        if self._calls or self._unstarted:
            idle: Deferred[None] = Deferred()
            self._awaitingIdle.append(idle)
            await idle
        await self._agent.close()

    def close(self) -> "Deferred[None]":
        """
        Wait for all calls, including new ones, then close the idle connections.
        """
        for call in list(self._calls):
            if call.done.called:
                call.disconnect()
        return Deferred.fromCoroutine(self._closeWhenIdle())


class _Encoded(NamedTuple):
    """
    An encoded request.

    @ivar owner: The model whose thoughts it has; see L{selectThoughts}.
    @ivar ignored: The names of the caller's fields that are left out.
    """

    owner: str
    request: ModelRequest
    payload: bytes
    ignored: Sequence[str]


def noEmbeddings(provider: str) -> InvalidRequest:
    """
    Return the error of a provider without embeddings.
    """
    return InvalidRequest(
        f"Provider {provider!r} has no embeddings.",
        param="model",
        code="unsupported_model",
    )


def _secretsIn(headers: Headers) -> list[str]:
    """
    Collect the secrets that a provider could quote: whole values, and the part after
    the scheme in C{Authorization}.
    """
    values = [
        value.decode("utf-8", "replace")
        for _, many in headers.getAllRawHeaders()
        for value in many
    ]
    credentials = [value.rpartition(" ")[2] for value in values]
    return sorted(filter(None, values + credentials), key=len, reverse=True)
