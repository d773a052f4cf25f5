"""
Failover: the next model to ask when one fails, and the wait before that.

A failing provider costs the caller seconds: a few quick tries, then the agent's
other models, then the error.  Once the caller has heard a word of an answer there
is no other try, since it can't be taken back.
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
Limit of all waiting between the tries of one call, in seconds.
"""

FIRST_WAIT_SECONDS = 0.5

REMEMBERED_SECONDS = 10.0
"""
Seconds for which a provider that refused its key is not asked.
"""


@dataclass
class RefusedKeys:
    """
    The providers that refused their key a moment ago.  A provider object has one
    key, so a configuration with another key starts with a clean slate.
    """

    reactor: IReactorTime
    _until: dict[str, tuple[IModelProvider, float]] = field(default_factory=dict)

    def remember(self, provider: IModelProvider) -> None:
        until = self.reactor.seconds() + REMEMBERED_SECONDS
        self._until[provider.name] = (provider, until)

    def check(self, provider: IModelProvider) -> None:
        """
        @raise UpstreamAuthFailed: It refused a moment ago.
        """
        refused, until = self._until.get(provider.name, (None, 0.0))
        if refused is provider and until > self.reactor.seconds():
            raise UpstreamAuthFailed(
                f"Provider {provider.name!r} refused the gateway's key a moment ago.",
                shouldRetry=False,
            )


class Attempts:
    """
    The tries of one call.  It is asked which model comes next, told of each failure,
    and says how long to wait.
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
        """
        The model to ask now.
        """
        return self._models[0]

    def afterFailure(self, error: OpenClawError) -> float:
        """
        Decide on a failure.

        @return: How many seconds to wait before the next try, of this model or of
            another.

        @raise OpenClawError: That error: there is no sense in another try.
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

    def _waitFor(self, error: OpenClawError) -> float | None:
        """
        @return: C{None} where the same model would only fail again.
        """
        isLimit = isinstance(error, UpstreamRateLimited)
        if len(self._models) > 1 and (isLimit or error.retryAfter):
            # With another model at hand there is no need to wait for this one.
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
