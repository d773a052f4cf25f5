"""
Tests of L{openclaw.agents.run}: retries and fallbacks.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import ModelChoice, ModelRef
from openclaw.errors import (
    InvalidRequest,
    OpenClawError,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from openclaw.events import RunStarted
from openclaw.messages import AssistantMessage
from openclaw.models.failover import REMEMBERED_SECONDS
from openclaw.testing import ScriptedCall, ScriptedProvider
from tests.agents.run_harness import (
    AGENT,
    HELLO,
    OTHER_KEY,
    TIMEOUT_SECONDS,
    RunHarness,
    Watched,
)

FIRST, SECOND, THIRD = ModelRef("a", "m1"), ModelRef("b", "m2"), ModelRef("a", "m3")
FIRST_WAIT_SECONDS = 0.5
SECOND_WAIT_SECONDS = 1.0
"""
The maximum of the wait between two attempts.
"""


def failing(error: Callable[[], OpenClawError]) -> Callable[[ScriptedCall], None]:
    """
    Return a model that always fails before its first output.
    """
    return lambda call: call.fail(error())


def unreachable() -> UpstreamUnreachable:
    """
    Return an error of a failed connection.
    """
    return UpstreamUnreachable("Nobody is there.")


def broken() -> UpstreamError:
    """
    Return a transient error.
    """
    return UpstreamError("The provider broke.")


def refusing() -> UpstreamAuthFailed:
    """
    Return an error of an invalid key.
    """
    return UpstreamAuthFailed("The key is wrong.", shouldRetry=False)


def answering(call: ScriptedCall) -> None:
    """
    Return a model that replies immediately.
    """
    call.say("Hi.")
    call.finish()


class FailoverTestCase(SynchronousTestCase):
    """
    Two providers, and an agent with three of their models.
    """

    def setUp(self) -> None:
        self.harness = RunHarness()
        self.a, self.b = ScriptedProvider("a"), ScriptedProvider("b")
        self.providers = {"a": self.a, "b": self.b}
        self.harness.services = replace(
            self.harness.services, providers=lambda name: self.providers.get(name)
        )

    def begin(
        self,
        primary: ModelRef = FIRST,
        *fallbacks: ModelRef,
        **more: Any,
    ) -> Watched:
        """
        Start a run of an agent with these models.
        """
        choice = ModelChoice(primary=primary, fallbacks=fallbacks)
        agent = msgspec.structs.replace(AGENT, model=choice)
        return self.harness.begin(agent=agent, **more)

    def asked(self, provider: ScriptedProvider) -> list[str]:
        """
        Return the models that were requested from a provider.
        """
        return [call.request.model for call in provider.calls]

    def assertOver(self, run: Watched) -> None:
        """
        Assert that a run ended once, and that no delayed call is left.
        """
        self.assertEqual(len(run.outcomes), 1)
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])
        self.assertTrue(self.harness.claim())


class FallbackTests(FailoverTestCase):
    """
    The agent's other models replace a failing one.
    """

    def test_inOrder(self) -> None:
        """
        They are called in order, and the caller gets one reply.
        """
        self.a.answer = lambda call: (
            call.fail(unreachable()) if call.request.model == "m1" else answering(call)
        )
        self.b.answer = failing(unreachable)
        run = self.begin(FIRST, SECOND, THIRD)
        self.assertEqual(self.asked(self.a), ["m1", "m3"])
        self.assertEqual(self.asked(self.b), ["m2"])
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(run.text, "Hi.")
        self.assertEqual(run.batches.count([RunStarted()]), 1)
        self.assertEqual(self.harness.kept(), [HELLO, AssistantMessage("Hi.")])
        self.assertOver(run)

    def test_sameQuestion(self) -> None:
        """
        The other model gets the same request.
        """
        self.a.answer = failing(unreachable)
        self.begin(FIRST, SECOND)
        first, second = self.a.calls[0].request, self.b.calls[0].request
        self.assertEqual(msgspec.structs.replace(first, model="m2"), second)

    def test_firstAnswers(self) -> None:
        """
        They are not called if the first one replies.
        """
        self.a.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(self.b.calls, [])

    def test_allFail(self) -> None:
        """
        The caller gets the error of the last one.
        """
        self.a.answer = failing(unreachable)
        self.b.answer = failing(lambda: UpstreamTimeout("It is silent."))
        run = self.begin(FIRST, SECOND)
        self.assertIsInstance(run.error, UpstreamTimeout)
        self.assertOver(run)

    def test_afterAWord(self) -> None:
        """
        After the first output there is no retry.
        """
        for error in (unreachable(), broken()):
            run = self.begin(FIRST, SECOND)
            self.a.calls[-1].say("I th")
            self.a.calls[-1].fail(error)
            self.assertIs(run.error, error)
            self.assertEqual(run.text, "I th")
            self.assertOver(run)
        self.assertEqual(self.b.calls, [])
        self.assertEqual(len(self.a.calls), 2)

    def test_providerGone(self) -> None:
        """
        A provider that a reload removed counts as failing.
        """
        del self.providers["a"]
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")

    def test_override(self) -> None:
        """
        A request for a certain model gets that model or an error.
        """
        self.a.answer = failing(unreachable)
        run = self.begin(SECOND, THIRD, model=FIRST)
        self.assertIsInstance(run.error, UpstreamUnreachable)
        self.assertEqual(self.asked(self.a), ["m1"])
        self.assertEqual(self.b.calls, [])

    def test_callersFault(self) -> None:
        """
        An invalid request is not retried.
        """
        for error in (InvalidRequest("Nonsense."), UpstreamRefused("Nonsense.")):
            run = self.begin(FIRST, SECOND)
            self.a.calls[-1].fail(error)
            self.assertIs(run.error, error)
            self.assertOver(run)
        self.assertEqual(len(self.a.calls), 2)
        self.assertEqual(self.b.calls, [])

    def test_slowReader(self) -> None:
        """
        A pause also applies to the next model.
        """
        run = self.begin(FIRST, SECOND)
        run.run.pauseProducing()
        self.a.calls[0].fail(unreachable())
        self.assertTrue(self.b.calls[0].paused)


class RetryTests(FailoverTestCase):
    """
    Transient errors are retried.
    """

    def test_recovers(self) -> None:
        """
        The caller gets a reply, later.
        """
        run = self.begin()
        self.a.calls[0].fail(broken())
        self.assertEqual(len(self.a.calls), 1)
        self.harness.clock.advance(FIRST_WAIT_SECONDS)
        answering(self.a.calls[1])
        self.assertEqual(run.result.text, "Hi.")
        self.assertOver(run)

    def test_backOff(self) -> None:
        """
        The wait increases.
        """
        self.a.answer = failing(broken)
        run = self.begin()
        self.harness.clock.advance(FIRST_WAIT_SECONDS / 2 - 0.01)
        self.assertEqual(len(self.a.calls), 1)
        self.harness.clock.advance(FIRST_WAIT_SECONDS / 2 + 0.01)
        self.assertEqual(len(self.a.calls), 2)
        self.harness.clock.advance(SECOND_WAIT_SECONDS / 2 - 0.01)
        self.assertEqual(len(self.a.calls), 2)
        self.assertEqual(run.outcomes, [])
        self.harness.clock.advance(SECOND_WAIT_SECONDS / 2 + 0.01)
        self.assertEqual(len(self.a.calls), 3)
        self.assertIs(type(run.error), UpstreamError)
        self.assertOver(run)

    def test_thenFallback(self) -> None:
        """
        If retries fail, the next model is called.
        """
        self.a.answer = failing(broken)
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.harness.clock.pump([FIRST_WAIT_SECONDS, SECOND_WAIT_SECONDS])
        self.assertEqual(len(self.a.calls), 3)
        self.assertEqual(run.result.text, "Hi.")

    def test_retryAfter(self) -> None:
        """
        The provider's C{Retry-After} is respected.
        """
        run = self.begin()
        self.a.calls[0].fail(UpstreamRateLimited("Slow down.", retryAfter=3.0))
        self.harness.clock.advance(2.9)
        self.assertEqual(len(self.a.calls), 1)
        self.harness.clock.advance(0.1)
        answering(self.a.calls[1])
        self.assertEqual(run.result.text, "Hi.")

    def test_retryAfterTooLong(self) -> None:
        """
        If it is too long, the caller gets it with the error immediately.
        """
        run = self.begin()
        self.a.calls[0].fail(UpstreamRateLimited("Slow down.", retryAfter=9.0))
        self.assertIsInstance(run.error, UpstreamRateLimited)
        self.assertEqual(run.error.retryAfter, 9.0)
        self.assertOver(run)

    def test_rateLimitFallback(self) -> None:
        """
        If there is another model, there is no wait.
        """
        self.a.answer = failing(lambda: UpstreamRateLimited("No.", retryAfter=3.0))
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")

    def test_othersGoOn(self) -> None:
        """
        Waiting for a provider does not affect other sessions.
        """
        self.a.answer = failing(broken)
        self.b.answer = answering
        waiting = self.begin()
        other = self.begin(SECOND, sessionKey=OTHER_KEY)
        self.assertEqual(other.result.text, "Hi.")
        self.assertEqual(waiting.outcomes, [])

    def test_cancelled(self) -> None:
        """
        A disconnect ends the wait.
        """
        run = self.begin(FIRST, SECOND)
        self.a.calls[0].fail(broken())
        run.run.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertOver(run)
        self.harness.clock.advance(TIMEOUT_SECONDS)
        self.assertEqual(len(self.a.calls), 1)
        self.assertEqual(self.b.calls, [])

    def test_cancelledByHolder(self) -> None:
        """
        Cancelling the run's Deferred ends the wait.
        """
        run = self.begin(kept=False)
        self.a.calls[0].fail(broken())
        run.run.done.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertOver(run)

    def test_cancelledCall(self) -> None:
        """
        A cancelled call is not a failed one.
        """
        run = self.begin(FIRST, SECOND)
        run.run.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertEqual(self.b.calls, [])

    def test_timeIsUp(self) -> None:
        """
        The run's time limit includes waits.
        """
        run = self.begin()
        self.harness.clock.advance(TIMEOUT_SECONDS - 1)
        self.a.calls[0].fail(UpstreamRateLimited("Slow down.", retryAfter=3.0))
        self.harness.clock.advance(1)
        self.assertEqual(run.error.code, "run_timeout")
        self.assertOver(run)


class RefusedKeyTests(FailoverTestCase):
    """
    A provider that rejects its API key is not called for a while.
    """

    def setUp(self) -> None:
        """
        Let a run find a rejected key.
        """
        super().setUp()
        self.a.answer = failing(refusing)
        self.b.answer = answering
        self.assertIsInstance(self.begin().error, UpstreamAuthFailed)
        self.assertEqual(len(self.a.calls), 1)

    def test_remembered(self) -> None:
        """
        The next run fails without a call.
        """
        run = self.begin()
        self.assertIsInstance(run.error, UpstreamAuthFailed)
        self.assertEqual(len(self.a.calls), 1)
        self.assertOver(run)

    def test_fallback(self) -> None:
        """
        It calls the next model immediately.
        """
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(len(self.a.calls), 1)

    def test_others(self) -> None:
        """
        Agents with other providers are not affected.
        """
        self.assertEqual(self.begin(SECOND).result.text, "Hi.")

    def test_forgotten(self) -> None:
        """
        It is called again soon; failures without a call do not prolong that.
        """
        self.harness.clock.advance(REMEMBERED_SECONDS / 2)
        self.begin()
        self.harness.clock.advance(REMEMBERED_SECONDS / 2)
        self.a.answer = answering
        self.assertEqual(self.begin().result.text, "Hi.")

    def test_newKey(self) -> None:
        """
        A reload with another key takes effect immediately.
        """
        self.providers["a"] = ScriptedProvider("a", answering)
        self.assertEqual(self.begin().result.text, "Hi.")
