"""
Tests of L{openclaw.agents.run}: time limits.
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
    All waits of a run are limited.
    """

    def test_session(self) -> None:
        """
        A run that waits too long for its session is rejected, while the one that holds
        it continues.
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
        A run for a session with a full queue is rejected immediately.
        """
        harness = RunHarness()
        for _ in range(1 + LIMITS.perSession):
            harness.begin()
        self.assertEqual(harness.begin().error.code, "session_busy")

    def test_place(self) -> None:
        """
        A run that waits too long for a slot is rejected, and its session is free.
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
        A run whose session another process holds for too long is rejected.
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
        That wait is limited in time, even if the store is slow.
        """
        harness = RunHarness()
        harness.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = harness.begin()
        harness.store.held.add("beginTurn")
        for _ in range(3):
            harness.clock.advance(CLAIM_WAIT_SECONDS / 2)
            if harness.store.waiting:
                harness.store.releaseOne()
        self.assertEqual(run.error.code, "session_busy")

    def test_claimBecomesFree(self) -> None:
        """
        A run that waits for another process continues when the session is free, with
        all of its messages.
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
        The time limit of a run does not include the queue.
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
