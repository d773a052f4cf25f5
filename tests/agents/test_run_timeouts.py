"""
Tests of L{openclaw.agents.run}: nobody waits for ever.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run import CLAIM_RETRY_SECONDS
from openclaw.events import RunStarted
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage
from tests.agents.run_harness import (
    CLAIM_WAIT_SECONDS,
    HELLO,
    KEY,
    LIMITS,
    TIMEOUT_SECONDS,
    RunHarness,
)

FOREIGN = Claim(KEY, "of another process")


class WaitsAreBoundedTests(SynchronousTestCase):
    """
    No run waits for ever.
    """

    def test_session(self) -> None:
        """
        A run that waits too long for its session is sent away, while the one that
        has it goes on.
        """
        harness = RunHarness()
        first, second = harness.begin(), harness.begin()
        harness.clock.advance(LIMITS.waitSeconds)
        self.assertEqual(second.error.code, "session_busy")
        self.assertEqual(second.error.status, 429)
        harness.call.say("Hi.")
        harness.call.finish()
        self.assertEqual(first.result.text, "Hi.")
        self.assertEqual(harness.clock.getDelayedCalls(), [])

    def test_sessionQueue(self) -> None:
        """
        A run for a session with a long queue is sent away at once.
        """
        harness = RunHarness()
        for _ in range(1 + LIMITS.perSession):
            harness.begin()
        self.assertEqual(harness.begin().error.code, "session_busy")

    def test_place(self) -> None:
        """
        A run that waits too long for a place is sent away, and its session is free.
        """
        harness = RunHarness()
        others = [harness.begin(kept=False) for _ in range(LIMITS.running)]
        waiting = harness.begin()
        harness.clock.advance(LIMITS.waitSeconds)
        self.assertEqual(waiting.error.code, "gateway_busy")
        for call in harness.provider.calls:
            call.say("Hi.")
            call.finish()
        for other in others:
            self.assertEqual(other.result.text, "Hi.")
        self.assertEqual(harness.begin().batches, [[RunStarted()]])

    def test_claim(self) -> None:
        """
        So is a run whose session another process keeps for itself.
        """
        harness = RunHarness()
        harness.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = harness.begin()
        for _ in range(round(CLAIM_WAIT_SECONDS / CLAIM_RETRY_SECONDS) + 1):
            self.assertEqual(run.outcomes, [])
            harness.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.error.code, "session_busy")
        self.assertIsNotNone(run.error.retryAfter)
        self.assertEqual(run.batches, [])
        self.assertEqual(harness.kept(), [HELLO])
        self.assertEqual(harness.clock.getDelayedCalls(), [])

    def test_claimOfSlowStore(self) -> None:
        """
        The wait for another process is bounded in time, also if the store takes long
        to say that it is not over.
        """
        harness = RunHarness()
        harness.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = harness.begin()
        harness.store.held.add("beginTurn")
        for _ in range(3):
            harness.clock.advance(CLAIM_WAIT_SECONDS / 2)
            if harness.store.waiting:
                harness.store.letOneGo()
        self.assertEqual(run.error.code, "session_busy")

    def test_claimBecomesFree(self) -> None:
        """
        A run that waits for another process goes on when that one is done, with all
        that was said there.
        """
        harness = RunHarness()
        harness.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = harness.begin()
        harness.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.batches, [])
        answer = AssistantMessage("Hi.")
        harness.store.endTurn(FOREIGN, [answer])
        harness.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.batches, [[RunStarted()]])
        self.assertEqual(list(harness.call.request.messages)[:2], [HELLO, answer])

    def test_timeDoesNotCountInTheQueue(self) -> None:
        """
        The time of a run is its own: waiting for others does not use it up.
        """
        harness = RunHarness()
        harness.begin()
        run = harness.begin()
        harness.clock.advance(LIMITS.waitSeconds - 1)
        harness.call.say("Hi.")
        harness.call.finish()
        harness.clock.advance(TIMEOUT_SECONDS - 1)
        self.assertEqual(run.outcomes, [])
        harness.clock.advance(1)
        self.assertEqual(run.error.code, "run_timeout")
