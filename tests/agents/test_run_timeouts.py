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
    Stage,
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
        stage = Stage()
        first, second = stage.begin(), stage.begin()
        stage.clock.advance(LIMITS.waitSeconds)
        self.assertEqual(second.error.code, "session_busy")
        self.assertEqual(second.error.status, 429)
        stage.call.say("Hi.")
        stage.call.finish()
        self.assertEqual(first.result.text, "Hi.")
        self.assertEqual(stage.clock.getDelayedCalls(), [])

    def test_sessionQueue(self) -> None:
        """
        A run for a session with a long queue is sent away at once.
        """
        stage = Stage()
        for _ in range(1 + LIMITS.perSession):
            stage.begin()
        self.assertEqual(stage.begin().error.code, "session_busy")

    def test_place(self) -> None:
        """
        A run that waits too long for a place is sent away, and its session is free.
        """
        stage = Stage()
        others = [stage.begin(kept=False) for _ in range(LIMITS.running)]
        waiting = stage.begin()
        stage.clock.advance(LIMITS.waitSeconds)
        self.assertEqual(waiting.error.code, "gateway_busy")
        for call in stage.provider.calls:
            call.say("Hi.")
            call.finish()
        for other in others:
            self.assertEqual(other.result.text, "Hi.")
        self.assertEqual(stage.begin().batches, [[RunStarted()]])

    def test_claim(self) -> None:
        """
        So is a run whose session another process keeps for itself.
        """
        stage = Stage()
        stage.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = stage.begin()
        for _ in range(round(CLAIM_WAIT_SECONDS / CLAIM_RETRY_SECONDS) + 1):
            self.assertEqual(run.outcomes, [])
            stage.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.error.code, "session_busy")
        self.assertIsNotNone(run.error.retryAfter)
        self.assertEqual(run.batches, [])
        self.assertEqual(stage.kept(), [HELLO])
        self.assertEqual(stage.clock.getDelayedCalls(), [])

    def test_claimOfSlowStore(self) -> None:
        """
        The wait for another process is bounded in time, also if the store takes long
        to say that it is not over.
        """
        stage = Stage()
        stage.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = stage.begin()
        stage.store.held.add("beginTurn")
        for _ in range(3):
            stage.clock.advance(CLAIM_WAIT_SECONDS / 2)
            if stage.store.waiting:
                stage.store.letOneGo()
        self.assertEqual(run.error.code, "session_busy")

    def test_claimBecomesFree(self) -> None:
        """
        A run that waits for another process goes on when that one is done, with all
        that was said there.
        """
        stage = Stage()
        stage.store.beginTurn(FOREIGN, "main", [HELLO], [])
        run = stage.begin()
        stage.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.batches, [])
        answer = AssistantMessage("Hi.")
        stage.store.endTurn(FOREIGN, [answer])
        stage.clock.advance(CLAIM_RETRY_SECONDS)
        self.assertEqual(run.batches, [[RunStarted()]])
        self.assertEqual(list(stage.call.request.messages)[:2], [HELLO, answer])

    def test_timeDoesNotCountInTheQueue(self) -> None:
        """
        The time of a run is its own: waiting for others does not use it up.
        """
        stage = Stage()
        stage.begin()
        run = stage.begin()
        stage.clock.advance(LIMITS.waitSeconds - 1)
        stage.call.say("Hi.")
        stage.call.finish()
        stage.clock.advance(TIMEOUT_SECONDS - 1)
        self.assertEqual(run.outcomes, [])
        stage.clock.advance(1)
        self.assertEqual(run.error.code, "run_timeout")
