"""
Tests of L{openclaw.models.failover}.
"""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import ModelRef
from openclaw.errors import (
    ContextTooLong,
    InvalidRequest,
    ModelUnavailable,
    OpenClawError,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamModelNotFound,
    UpstreamOutOfFunds,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.models.failover import (
    BUDGET_SECONDS,
    REMEMBERED_SECONDS,
    RETRIES,
    Attempts,
    RefusedKeys,
)
from openclaw.testing import ScriptedProvider

A, B, C = (ModelRef("scripted", name) for name in "abc")


def attempts(*models: ModelRef, jitter: Callable[[], float] = lambda: 1.0) -> Attempts:
    """
    Return the attempts of one call, by default with the longest waits.
    """
    return Attempts(models, jitter)


def waits(tries: Attempts, error: OpenClawError) -> list[float]:
    """
    Return all waits until this error is the caller's.
    """
    found = []
    while True:
        try:
            found.append(tries.afterFailure(error))
        except OpenClawError as raised:
            assert raised is error
            return found


class RetryTests(SynchronousTestCase):
    """
    Retries after transient errors.
    """

    def test_backOff(self) -> None:
        """
        A failing provider is called twice more, with increasing waits.
        """
        for error in (
            UpstreamError("It broke."),
            UpstreamTruncated("It broke off."),
        ):
            self.assertEqual(waits(attempts(A), error), [0.5, 1.0])

    def test_repeatable(self) -> None:
        """
        A model is not called again for errors that would be repeated.
        """
        for error in (
            UpstreamMalformed("It makes no sense."),
            UpstreamOutOfFunds("It wants money."),
            UpstreamModelNotFound("There is no such model."),
        ):
            self.assertEqual(waits(attempts(A), error), [])

    def test_jitter(self) -> None:
        """
        Waits are random, so that callers do not retry simultaneously.
        """
        error = UpstreamError("It broke.")
        self.assertEqual(waits(attempts(A, jitter=lambda: 0.0), error), [0.25, 0.5])
        self.assertEqual(waits(attempts(A, jitter=lambda: 0.5), error), [0.375, 0.75])

    def test_sameModel(self) -> None:
        """
        The same model is retried, even if there are others.
        """
        tries = attempts(A, B)
        tries.afterFailure(UpstreamError("It broke."))
        self.assertEqual(tries.model, A)

    def test_retryAfter(self) -> None:
        """
        The provider's C{Retry-After} is used.
        """
        for kind in (UpstreamError, UpstreamRateLimited):
            error = kind("Later.", retryAfter=3.0)
            self.assertEqual(waits(attempts(A), error), [3.0, 3.0])

    def test_retryAfterNothing(self) -> None:
        """
        A C{Retry-After} of 0 is extended.
        """
        for kind in (UpstreamError, UpstreamRateLimited):
            error = kind("Later.", retryAfter=0.0)
            self.assertEqual(waits(attempts(A), error), [0.5, 1.0])

    def test_budget(self) -> None:
        """
        A provider that requires a longer wait than the budget is not retried.
        """
        for kind in (UpstreamError, UpstreamRateLimited):
            whole = kind("Later.", retryAfter=BUDGET_SECONDS)
            self.assertEqual(waits(attempts(A), whole), [BUDGET_SECONDS])
            more = kind("Later.", retryAfter=BUDGET_SECONDS + 1)
            self.assertEqual(waits(attempts(A), more), [])

    def test_rateLimitWithoutTime(self) -> None:
        """
        A rate limit without a time, such as a used-up quota, is an error immediately.
        """
        self.assertEqual(waits(attempts(A), UpstreamRateLimited("Enough.")), [])

    def test_hopeless(self) -> None:
        """
        An error that would be repeated is raised immediately.
        """
        for error in (
            UpstreamAuthFailed("The key is wrong."),
            UpstreamUnreachable("Nobody is there."),
            UpstreamTimeout("It is silent."),
            ModelUnavailable("There is no such provider."),
            UpstreamError("No such path.", shouldRetry=False),
        ):
            self.assertEqual(waits(attempts(A), error), [])


class FallbackTests(SynchronousTestCase):
    """
    Fallbacks after retries.
    """

    def test_order(self) -> None:
        """
        The models are called in order, without waits, and the last one's error is the
        caller's.
        """
        tries = attempts(A, B, C)
        asked = [tries.model]
        for _ in range(2):
            wait = tries.afterFailure(UpstreamUnreachable("Nobody is there."))
            self.assertEqual(wait, 0.0)
            asked.append(tries.model)
        self.assertEqual(asked, [A, B, C])
        last = UpstreamTimeout("It is silent.")
        self.assertIs(self.assertRaises(type(last), tries.afterFailure, last), last)

    def test_hopeless(self) -> None:
        """
        Errors of this provider alone lead to the next model immediately.
        """
        for error in (
            UpstreamAuthFailed("The key is wrong."),
            UpstreamUnreachable("Nobody is there."),
            UpstreamTimeout("It is silent."),
            UpstreamRateLimited("Slow down.", retryAfter=1.0),
            UpstreamError("In a minute.", retryAfter=1.0),
            ModelUnavailable("There is no such provider."),
            UpstreamError("No such path.", shouldRetry=False),
        ):
            tries = attempts(A, B)
            self.assertEqual(tries.afterFailure(error), 0.0)
            self.assertEqual(tries.model, B)

    def test_afterRetries(self) -> None:
        """
        After the retries of a failing provider the next model has as many.
        """
        error = UpstreamError("It broke.")
        self.assertEqual(waits(attempts(A, B), error), [0.5, 1.0, 0.0, 0.5, 1.0])

    def test_lastWaits(self) -> None:
        """
        The last model's wait is respected, since there is no other.
        """
        for kind in (UpstreamRateLimited, UpstreamError):
            error = kind("Slow down.", retryAfter=2.0)
            self.assertEqual(waits(attempts(A, B), error), [0.0, 2.0, 2.0])

    def test_oneBudget(self) -> None:
        """
        The models share one budget.
        """
        tries = attempts(A, B)
        self.assertEqual(tries.afterFailure(UpstreamError("It broke.")), 0.5)
        slow = UpstreamError("Later.", retryAfter=BUDGET_SECONDS)
        self.assertEqual(tries.afterFailure(slow), 0.0)
        self.assertEqual(tries.model, B)
        self.assertRaises(UpstreamError, tries.afterFailure, slow)

    def test_callersFault(self) -> None:
        """
        An invalid request is not sent to another model, and neither is a cancelled one.
        """
        for error in (
            InvalidRequest("Nonsense.", param="messages"),
            UpstreamRefused("Nonsense."),
            ContextTooLong("Too much."),
            RunCancelled("The run was cancelled."),
        ):
            tries = attempts(A, B)
            self.assertEqual(waits(tries, error), [])
            self.assertEqual(tries.model, A)

    @given(
        st.integers(1, 4),
        st.lists(
            st.sampled_from(
                [UpstreamError, UpstreamRateLimited, UpstreamTimeout, UpstreamTruncated]
            )
        ),
        st.none() | st.floats(0, 20),
        st.floats(0, 1, exclude_max=True),
    )
    def test_bounds(
        self,
        count: int,
        kinds: Sequence[type[UpstreamError]],
        retryAfter: float | None,
        jitter: float,
    ) -> None:
        """
        In all cases the waits are within the budget, and the attempts within the limit.
        """
        tries = attempts(*[A] * count, jitter=lambda: jitter)
        waited = []
        try:
            for kind in [*kinds, *[UpstreamError] * 20]:
                waited.append(tries.afterFailure(kind("No.", retryAfter=retryAfter)))
        except UpstreamError:
            pass
        else:
            self.fail("It goes on for ever.")
        self.assertLessEqual(sum(waited), BUDGET_SECONDS)
        self.assertLess(len(waited), count * (1 + RETRIES))


class RefusedKeysTests(SynchronousTestCase):
    """
    A provider that rejected its key is not called for a short time.
    """

    def setUp(self) -> None:
        """
        Let a provider reject its key.
        """
        self.clock = Clock()
        self.refused = RefusedKeys(self.clock)
        self.provider = ScriptedProvider("a")
        self.refused.check(self.provider)
        self.refused.remember(self.provider)

    def test_remembered(self) -> None:
        """
        The error is raised without a call, and prevents retries of the SDKs.
        """
        error = self.assertRaises(UpstreamAuthFailed, self.refused.check, self.provider)
        self.assertIn("'a'", error.message)
        self.assertIs(error.shouldRetry, False)

    def test_forgotten(self) -> None:
        """
        A corrected key works soon.
        """
        self.clock.advance(REMEMBERED_SECONDS - 0.1)
        self.assertRaises(UpstreamAuthFailed, self.refused.check, self.provider)
        self.clock.advance(0.1)
        self.refused.check(self.provider)

    def test_again(self) -> None:
        """
        The time starts over with each rejection.
        """
        self.clock.advance(REMEMBERED_SECONDS)
        self.refused.remember(self.provider)
        self.clock.advance(REMEMBERED_SECONDS - 0.1)
        self.assertRaises(UpstreamAuthFailed, self.refused.check, self.provider)

    def test_others(self) -> None:
        """
        Other providers are not affected.
        """
        self.refused.check(ScriptedProvider("b"))

    def test_anotherKey(self) -> None:
        """
        A provider of the same name with another key is not affected, either.
        """
        self.refused.check(ScriptedProvider("a"))
