"""
Tests of L{openclaw.agents.runtime}.
"""

from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, formatEvent

from openclaw.agents.embedding_runs import EmbeddingCall
from openclaw.agents.run import CLAIM_RETRY_SECONDS
from openclaw.errors import (
    AuthenticationFailed,
    ShuttingDown,
    StoreError,
    UpstreamRefused,
)
from openclaw.interfaces import Claim, EmbeddingReply, EmbeddingRequest
from tests.agents.run_harness import AGENT, KEY, HeldStore
from tests.agents.runtime_case import ANSWER, QUESTION, RuntimeTestCase, configured


class BeginningTests(RuntimeTestCase):
    """
    The runtime tracks the runs in progress.
    """

    def test_known(self) -> None:
        """
        A run is tracked while it is in progress, also in the queue.
        """
        first, second = self.begin(), self.begin()
        self.assertEqual(
            self.runtime.runs,
            {first.run.runID: first.run, second.run.runID: second.run},
        )
        self.answer()
        self.assertEqual(self.runtime.runs, {second.run.runID: second.run})
        second.run.cancel()
        self.assertEqual(self.runtime.runs, {})

    def test_overAtOnce(self) -> None:
        """
        A run can end before C{begin} returns.
        """
        self.provider.answer = lambda call: self.answer()
        run = self.begin()
        self.assertEqual(run.result.text, ANSWER)
        self.assertEqual(self.runtime.runs, {})

    def test_manyInOneSession(self) -> None:
        """
        Runs of a session that end immediately are serialised, and none is left.
        """
        runs = [self.begin() for _ in range(3)]
        self.provider.answer = lambda call: self.answer()
        self.answer()
        for run in runs:
            self.assertEqual(run.result.text, ANSWER)
        self.assertEqual(self.runtime.runs, {})

    def test_knownUntilItsTransactionEnds(self) -> None:
        """
        A run whose client has disconnected is tracked until its claim is released.
        """
        self.store.held.add("beginTurn")
        run = self.begin()
        run.run.done.cancel()
        self.assertEqual(len(run.outcomes), 1)
        self.assertEqual(len(self.runtime.runs), 1)
        self.store.release()
        self.assertEqual(self.runtime.runs, {})

    def test_limits(self) -> None:
        """
        The configured limits apply.
        """
        runs = [self.begin(kept=False) for _ in range(5)]
        self.assertEqual(len(self.provider.calls), 2)
        self.assertEqual(runs[4].error.code, "gateway_busy")

    def test_longQueue(self) -> None:
        """
        If a provider fails for which a long queue waits, all runs of the queue end.
        """
        self.runtime.reconfigure(configured(maxConcurrent=1, maxQueued=1000))
        runs = [self.begin(kept=False) for _ in range(1001)]
        self.provider.answer = lambda call: call.fail(UpstreamRefused("No."))
        self.provider.calls[0].fail(UpstreamRefused("No."))
        self.assertEqual({type(run.error) for run in runs}, {UpstreamRefused})
        self.assertEqual(self.runtime.runs, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RevokedTests(RuntimeTestCase):
    """
    Revoked tokens.
    """

    def setUp(self) -> None:
        """
        Begin without a revoked token.
        """
        super().setUp()
        self.revoked: set[str] = set()
        self.runtime.isRevoked = self.revoked.__contains__

    def embed(self, namespace: str) -> "Deferred[EmbeddingReply]":
        """
        Request embeddings.
        """
        return self.runtime.embed(
            EmbeddingCall(
                provider="scripted",
                request=EmbeddingRequest("m1", ("hi",), None, False),
                agent=AGENT,
                caller=namespace,
                requestID="req_1",
                arrivedAt=self.clock.seconds(),
                namespace=namespace,
            )
        )

    def test_ends(self) -> None:
        """
        Their runs end, including queued ones, and so do their requests for embeddings;
        all others continue.
        """
        mine = [self.begin("agent:main:a", namespace="token:ci") for _ in range(2)]
        other = self.begin("agent:main:b", namespace="token:cd")
        embeddings = [self.embed("token:ci"), self.embed("token:cd")]
        self.runtime.endRevoked()
        self.assertEqual(len(self.runtime.runs), 3)
        self.revoked.add("token:ci")
        self.runtime.endRevoked()
        for run in mine:
            self.assertIs(type(run.error), AuthenticationFailed)
        self.failureResultOf(embeddings[0], AuthenticationFailed)
        self.assertNoResult(embeddings[1])
        embeddings[1].addErrback(lambda failure: failure.trap(ShuttingDown))
        self.assertEqual(list(self.runtime.runs), [other.run.runID])

    def test_begins(self) -> None:
        """
        Their requests that were authenticated before start no run.
        """
        self.revoked.add("token:ci")
        self.assertRaises(AuthenticationFailed, self.begin, namespace="token:ci")
        self.assertRaises(AuthenticationFailed, self.embed, "token:ci")
        self.assertEqual((self.runtime.runs, self.provider.calls), ({}, []))
        self.assertEqual(self.provider.embeddings, [])


class LogTests(RuntimeTestCase):
    """
    Each run has a log line.
    """

    def test_success(self) -> None:
        """
        The line has the run, its outcome, duration and tokens.
        """
        run = self.begin()
        self.clock.advance(1.5)
        self.answer()
        self.assertEqual(
            self.logged,
            [
                f"run={run.run.runID} request=- caller=- agent=main session={KEY}"
                " model=scripted/m1 outcome=stop gone=no queue_ms=0.0 first_ms=1500.0"
                " total_ms=1500.0 tokens_in=11 tokens_out=4"
            ],
        )
        self.assertIs(self.events[0]["log_level"], LogLevel.info)

    def test_failure(self) -> None:
        """
        A failed run has the reason.
        """
        run = self.begin()
        self.provider.calls[0].fail(UpstreamRefused("Too hot."))
        self.assertEqual(
            self.logged,
            [
                f"run={run.run.runID} request=- caller=- agent=main session={KEY}"
                " model=scripted/m1 outcome=upstream_refused gone=no queue_ms=0.0"
                " first_ms=- total_ms=0.0 tokens_in=0 tokens_out=0"
                ' error="Too hot."'
            ],
        )

    def test_cancelled(self) -> None:
        """
        A disconnect is logged, too.
        """
        self.begin().run.done.cancel()
        self.assertIn("outcome=run_cancelled gone=yes", self.logged[0])

    def test_noWords(self) -> None:
        """
        No text of the conversation is in a log line or log event.
        """
        self.begin()
        self.answer()
        self.begin()
        self.provider.calls[1].say(ANSWER)
        self.provider.calls[1].fail(UpstreamRefused("Too hot."))
        self.begin().run.cancel()
        self.assertEqual(len(self.events), 3)
        for event in self.events:
            for words in (QUESTION.content, ANSWER):
                self.assertNotIn(words, formatEvent(event))
                self.assertNotIn(words, repr(event))


class FailingRenewal(HeldStore):
    """
    A store that can't renew claims.
    """

    def renew(self, claims):
        self.asked.append("renew")
        return fail(StoreError("disk full"))


class ClaimTests(RuntimeTestCase):
    """
    The claims of runs are renewed.
    """

    def setUp(self) -> None:
        """
        Start the runtime.
        """
        super().setUp()
        self.runtime.start()

    def assertHeld(self, held: bool) -> None:
        """
        Assert whether a run holds the session.
        """
        claim = Claim(KEY, "of another process")
        begun = self.successResultOf(self.store.beginTurn(claim, "main", [], []))
        self.assertEqual(begun is None, held)

    def test_renewed(self) -> None:
        """
        A run that lasts longer than a lease keeps its session.
        """
        run = self.begin()
        for _ in range(30):
            self.clock.advance(self.store.leaseSeconds / 10)
            self.assertHeld(True)
        self.answer()
        self.assertEqual(run.result.text, ANSWER)
        self.assertHeld(False)

    def test_idle(self) -> None:
        """
        Without claims the store is not called.
        """
        self.begin(kept=False)
        self.clock.pump([self.store.leaseSeconds / 3] * 6)
        self.assertEqual(self.store.asked, [])

    def test_ended(self) -> None:
        """
        A released claim is not renewed.
        """
        self.begin()
        self.answer()
        self.clock.pump([self.store.leaseSeconds / 3] * 6)
        self.assertNotIn("renew", self.store.asked)

    def test_slowStore(self) -> None:
        """
        A slow store is not called again before it has replied.
        """
        self.begin()
        self.store.held.add("renew")
        self.clock.pump([self.store.leaseSeconds / 3] * 6)
        self.assertEqual(self.store.waiting, ["renew"])


class FailingRenewalTests(RuntimeTestCase):
    """
    Claims can't be renewed.
    """

    def makeStore(self) -> HeldStore:
        """
        Return a store that fails renewals.
        """
        return FailingRenewal(self.clock)

    def test_goesOn(self) -> None:
        """
        This is logged and retried, and the run continues.
        """
        self.runtime.start()
        run = self.begin()
        self.clock.pump([self.store.leaseSeconds / 3] * 2)
        self.assertEqual(self.store.asked.count("renew"), 2)
        self.assertEqual(self.logged, ["Claims can't be renewed"] * 2)
        self.answer()
        self.assertEqual(run.result.text, ANSWER)
        self.successResultOf(self.runtime.stop())


class ReconfiguringTests(RuntimeTestCase):
    """
    A new configuration applies to new runs.
    """

    def test_limits(self) -> None:
        """
        More runs may start and wait.
        """
        runs = [self.begin(kept=False) for _ in range(5)]
        self.runtime.reconfigure(configured(maxConcurrent=4))
        more = [self.begin(kept=False) for _ in range(2)]
        self.assertEqual(len(self.provider.calls), 4)
        for index in range(6):
            self.answer(index)
        for run in runs[:4] + more:
            self.assertEqual(run.result.text, ANSWER)

    def test_waiting(self) -> None:
        """
        A new time limit applies to queued runs.
        """
        self.runtime.reconfigure(configured(waitSeconds=5.0))
        self.begin()
        waiting = self.begin()
        self.clock.advance(5)
        self.assertEqual(waiting.error.code, "session_busy")

    def test_waitingForProcesses(self) -> None:
        """
        It also applies to the wait for another process.
        """
        self.store.beginTurn(Claim(KEY, "of another process"), "main", [], [])
        before = self.begin()
        self.runtime.reconfigure(configured(waitSeconds=1.0))
        before.run.cancel()
        after = self.begin()
        self.clock.pump([CLAIM_RETRY_SECONDS] * 11)
        self.assertEqual(after.error.code, "session_busy")

    def test_runsInProgress(self) -> None:
        """
        Runs in progress continue.
        """
        run = self.begin()
        self.runtime.reconfigure(configured(maxConcurrent=1))
        self.answer()
        self.assertEqual(run.result.text, ANSWER)
