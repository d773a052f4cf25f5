"""
Failover: the next model to ask when one fails, and the wait before that.

A failing provider costs the caller seconds: a few retries, then the agent's other
models, then the error.  After the first output there is no retry, since output can't be
revoked.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from openclaw.config import ModelRef
from openclaw.errors import (
    InvalidRequest,
    OpenClawError,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelProvider

RETRIES = 2
"""
Retries of one model.
"""

BUDGET_SECONDS = 8.0
"""
Limit of all waits between the attempts of one call, in seconds.
"""

FIRST_WAIT_SECONDS = 0.5

REMEMBERED_SECONDS = 10.0
"""
Seconds for which a provider that rejected its key is not called.
"""


@dataclass
class RefusedKeys:
    """
    The providers that recently rejected their keys.  A provider object has one key, so
    a configuration with another key starts over.
    """

    reactor: IReactorTime
    _until: dict[str, tuple[IModelProvider, float]] = field(default_factory=dict)

    def remember(self, provider: IModelProvider) -> None:
        until = self.reactor.seconds() + REMEMBERED_SECONDS
        self._until[provider.name] = (provider, until)

    def check(self, provider: IModelProvider) -> None:
        """
        @raise UpstreamAuthFailed: It recently rejected its key.
        """
        refused, until = self._until.get(provider.name, (None, 0.0))
        if refused is provider and until > self.reactor.seconds():
            raise UpstreamAuthFailed(
                f"Provider {provider.name!r} refused the gateway's key a moment ago.",
                shouldRetry=False,
            )


class Attempts:
    """
    The attempts of one call: the current model, and the wait after each failure.
    """

    def __init__(
        self,
        models: Sequence[ModelRef],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        @param models: In the order of preference.
        """
        self._models = list(models)
        self._jitter = jitter
        self._tries = 0
        self._waited = 0.0

    @property
    def model(self) -> ModelRef:
        return self._models[0]

    def afterFailure(self, error: OpenClawError) -> float:
        """
        Handle a failure.

        @return: The seconds until the next attempt, of this model or of another.
        @raise OpenClawError: That error, if no further attempt makes sense.
        """
        if isinstance(error, RunCancelled | InvalidRequest) or (
            isinstance(error, UpstreamRefused) and not error.concernsModel
        ):
            raise error
        wait = self._waitFor(error)
        self._tries += 1
        mayWait = self._tries <= RETRIES
        if wait is not None and mayWait and self._waited + wait <= BUDGET_SECONDS:
            self._waited += wait
            return wait
        if len(self._models) == 1:
            raise error
        self._models.pop(0)
        self._tries = 0
        return 0.0

    def skipUnlike(
        self, isLike: Callable[[ModelRef], bool], error: OpenClawError
    ) -> None:
        """
        Go on with the next model of a kind.

        @param error: Raised if there is none.
        """
        others = [model for model in self._models[1:] if isLike(model)]
        if not others:
            raise error
        self._models = others
        self._tries = 0

    def _waitFor(self, error: OpenClawError) -> float | None:
        """
        @return: C{None} if the same model would fail again.
        """
        isLimit = isinstance(error, UpstreamRateLimited)
        if len(self._models) > 1 and (isLimit or error.retryAfter):
            # If there is another model, this one is not waited for.
            return None
        if isLimit and error.retryAfter is None:
            return None
        if isinstance(
            error,
            UpstreamAuthFailed
            | UpstreamMalformed
            | UpstreamRefused
            | UpstreamTimeout
            | UpstreamUnreachable,
        ):
            return None
        if isinstance(error, UpstreamError) and error.shouldRetry is not False:
            backOff: float = FIRST_WAIT_SECONDS * 2**self._tries
            return max(backOff * (0.5 + self._jitter() / 2), error.retryAfter or 0.0)
        return None
