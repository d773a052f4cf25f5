"""
Tests of L{openclaw.agents.run}: another try, and other models.
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
The longest that the waits between two tries can be.
"""


def failing(error: Callable[[], OpenClawError]) -> Callable[[ScriptedCall], None]:
    """
    A model that always fails, before it has said a word.
    """
    return lambda call: call.fail(error())


def unreachable() -> UpstreamUnreachable:
    """
    Nobody is there.
    """
    return UpstreamUnreachable("Nobody is there.")


def broken() -> UpstreamError:
    """
    Return an error that may be gone in a moment.
    """
    return UpstreamError("The provider broke.")


def refusing() -> UpstreamAuthFailed:
    """
    The key is wrong.
    """
    return UpstreamAuthFailed("The key is wrong.", shouldRetry=False)


def answering(call: ScriptedCall) -> None:
    """
    A model that answers at once.
    """
    call.say("Hi.")
    call.finish()


class FailoverTestCase(SynchronousTestCase):
    """
    Two providers, and an agent with three models there.
    """

    def setUp(self) -> None:
        """
        Make a harness.
        """
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
        Begin a run of an agent with these models.
        """
        choice = ModelChoice(primary=primary, fallbacks=fallbacks)
        agent = msgspec.structs.replace(AGENT, model=choice)
        return self.harness.begin(agent=agent, **more)

    def asked(self, provider: ScriptedProvider) -> list[str]:
        """
        The models that a provider was asked for.
        """
        return [call.request.model for call in provider.calls]

    def assertOver(self, run: Watched) -> None:
        """
        Assert that a run ended once, and that nothing waits for it.
        """
        self.assertEqual(len(run.outcomes), 1)
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])
        self.assertTrue(self.harness.claim())


class FallbackTests(FailoverTestCase):
    """
    The agent's other models answer when the first can't.
    """

    def test_inOrder(self) -> None:
        """
        They are asked one after the other, and the caller sees one answer.
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
        The other model is asked the same.
        """
        self.a.answer = failing(unreachable)
        self.begin(FIRST, SECOND)
        first, second = self.a.calls[0].request, self.b.calls[0].request
        self.assertEqual(msgspec.structs.replace(first, model="m2"), second)

    def test_firstAnswers(self) -> None:
        """
        Nobody asks them as long as the first one answers.
        """
        self.a.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(self.b.calls, [])

    def test_allFail(self) -> None:
        """
        The caller hears what was wrong with the last one.
        """
        self.a.answer = failing(unreachable)
        self.b.answer = failing(lambda: UpstreamTimeout("It is silent."))
        run = self.begin(FIRST, SECOND)
        self.assertIsInstance(run.error, UpstreamTimeout)
        self.assertOver(run)

    def test_afterAWord(self) -> None:
        """
        A word can't be taken back: there is no other try.
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
        A provider that a reload took away is one that fails.
        """
        del self.providers["a"]
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")

    def test_override(self) -> None:
        """
        A request that asks for a certain model gets that one or an error.
        """
        self.a.answer = failing(unreachable)
        run = self.begin(SECOND, THIRD, model=FIRST)
        self.assertIsInstance(run.error, UpstreamUnreachable)
        self.assertEqual(self.asked(self.a), ["m1"])
        self.assertEqual(self.b.calls, [])

    def test_callersFault(self) -> None:
        """
        A wrong request is wrong everywhere.
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
        A reader who is slow is still slow for the next model.
        """
        run = self.begin(FIRST, SECOND)
        run.run.pauseProducing()
        self.a.calls[0].fail(unreachable())
        self.assertTrue(self.b.calls[0].paused)


class RetryTests(FailoverTestCase):
    """
    A provider that is broken for a moment is asked again.
    """

    def test_recovers(self) -> None:
        """
        The caller sees an answer, later.
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
        It is given some time, and more of it the second time.
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
        When that does not help, the next model is asked.
        """
        self.a.answer = failing(broken)
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.harness.clock.pump([FIRST_WAIT_SECONDS, SECOND_WAIT_SECONDS])
        self.assertEqual(len(self.a.calls), 3)
        self.assertEqual(run.result.text, "Hi.")

    def test_retryAfter(self) -> None:
        """
        A provider that says when to come back is asked then, not before.
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
        If that is too late, the caller is told at once when to come back.
        """
        run = self.begin()
        self.a.calls[0].fail(UpstreamRateLimited("Slow down.", retryAfter=9.0))
        self.assertIsInstance(run.error, UpstreamRateLimited)
        self.assertEqual(run.error.retryAfter, 9.0)
        self.assertOver(run)

    def test_rateLimitFallback(self) -> None:
        """
        With another model at hand nobody waits.
        """
        self.a.answer = failing(lambda: UpstreamRateLimited("No.", retryAfter=3.0))
        self.b.answer = answering
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")

    def test_othersGoOn(self) -> None:
        """
        Whoever waits for a broken provider holds up nobody in another session.
        """
        self.a.answer = failing(broken)
        self.b.answer = answering
        waiting = self.begin()
        other = self.begin(SECOND, sessionKey=OTHER_KEY)
        self.assertEqual(other.result.text, "Hi.")
        self.assertEqual(waiting.outcomes, [])

    def test_cancelled(self) -> None:
        """
        A caller who leaves meanwhile is not waited for.
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
        Nor is one who cancels what they hold.
        """
        run = self.begin(kept=False)
        self.a.calls[0].fail(broken())
        run.run.done.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertOver(run)

    def test_cancelledCall(self) -> None:
        """
        A call that is cancelled is not one that failed.
        """
        run = self.begin(FIRST, SECOND)
        run.run.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertEqual(self.b.calls, [])

    def test_timeIsUp(self) -> None:
        """
        The run's own time goes on during a wait.
        """
        run = self.begin()
        self.harness.clock.advance(TIMEOUT_SECONDS - 1)
        self.a.calls[0].fail(UpstreamRateLimited("Slow down.", retryAfter=3.0))
        self.harness.clock.advance(1)
        self.assertEqual(run.error.code, "run_timeout")
        self.assertOver(run)


class RefusedKeyTests(FailoverTestCase):
    """
    A provider that refuses its key is not asked for a while.
    """

    def setUp(self) -> None:
        """
        One does, and a run has found out.
        """
        super().setUp()
        self.a.answer = failing(refusing)
        self.b.answer = answering
        self.assertIsInstance(self.begin().error, UpstreamAuthFailed)
        self.assertEqual(len(self.a.calls), 1)

    def test_remembered(self) -> None:
        """
        The next run knows without asking.
        """
        run = self.begin()
        self.assertIsInstance(run.error, UpstreamAuthFailed)
        self.assertEqual(len(self.a.calls), 1)
        self.assertOver(run)

    def test_fallback(self) -> None:
        """
        It goes to its next model at once.
        """
        run = self.begin(FIRST, SECOND)
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(len(self.a.calls), 1)

    def test_others(self) -> None:
        """
        An agent that uses another provider notices nothing.
        """
        self.assertEqual(self.begin(SECOND).result.text, "Hi.")

    def test_forgotten(self) -> None:
        """
        It is asked again soon; to remember does not make it longer.
        """
        self.harness.clock.advance(REMEMBERED_SECONDS / 2)
        self.begin()
        self.harness.clock.advance(REMEMBERED_SECONDS / 2)
        self.a.answer = answering
        self.assertEqual(self.begin().result.text, "Hi.")

    def test_newKey(self) -> None:
        """
        A reload with another key helps at once.
        """
        self.providers["a"] = ScriptedProvider("a", answering)
        self.assertEqual(self.begin().result.text, "Hi.")
