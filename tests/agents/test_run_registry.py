"""
Tests of L{openclaw.agents.run_registry}.
"""

from openclaw.agents.run_registry import (
    EVENT_CHARACTERS,
    KEPT_SECONDS,
    MAX_CHARACTERS,
    RECORD_CHARACTERS,
    RequestFingerprint,
    RunRegistry,
)
from openclaw.errors import IdempotencyConflict, UpstreamError
from tests.agents.runtime_case import QUESTION
from tests.agents.test_recorded_run import RecordTestCase

ONCE = RequestFingerprint(caller="operator", fingerprint=b"1", key="k")
KEYLESS = RequestFingerprint(caller="operator", fingerprint=b"1")
AGAIN = RequestFingerprint(caller="operator", fingerprint=b"1", again=True)


class RegistryTestCase(RecordTestCase):
    """
    A test case with a registry.
    """

    def setUp(self):
        super().setUp()
        self.registry = RunRegistry(self.clock)

    def keep(self, asked, **wishes):
        """
        Start a recorded run.
        """
        record = self.record(recorded=True, **wishes)
        self.listening, _ = self.listen(record)
        self.begin(record)
        self.registry.add(asked, record)
        return record

    def finish(self, text="Hi."):
        """
        Let the latest run succeed.
        """
        self.call.say(text)
        self.call.finish()


class KeyTests(RegistryTestCase):
    """
    An idempotency key identifies a run of its caller.
    """

    def test_live(self):
        """
        A run in progress is found.
        """
        record = self.keep(ONCE)
        self.assertIs(self.registry.find(ONCE), record)
        self.finish()

    def test_over(self):
        """
        A finished run is found for a while.
        """
        record = self.keep(ONCE)
        self.finish()
        self.clock.advance(KEPT_SECONDS - 1)
        self.assertIs(self.registry.find(ONCE), record)
        self.clock.advance(1)
        self.assertIsNone(self.registry.find(ONCE))
        self.assertIsNone(self.registry.get(record.request.runID))

    def test_otherRequest(self):
        """
        The key of another request is rejected, without a retry.
        """
        self.keep(ONCE)
        other = RequestFingerprint(caller="operator", fingerprint=b"2", key="k")
        error = self.assertRaises(IdempotencyConflict, self.registry.find, other)
        self.assertEqual((error.status, error.shouldRetry), (409, False))
        self.finish()

    def test_otherCaller(self):
        """
        Keys of other callers are separate.
        """
        self.keep(ONCE)
        other = RequestFingerprint(caller="somebody", fingerprint=b"1", key="k")
        self.assertIsNone(self.registry.find(other))
        self.finish()

    def test_failed(self):
        """
        A run that failed without effects may be retried.
        """
        self.keep(ONCE)
        self.call.fail(UpstreamError("Down.", shouldRetry=None))
        self.clock.advance(0.5)
        self.call.fail(UpstreamError("Down."))
        self.clock.advance(1)
        self.call.fail(UpstreamError("Down."))
        self.failureResultOf(self.listening.done, UpstreamError)
        self.assertIsNone(self.registry.find(ONCE))
        self.keep(ONCE)
        self.finish()
        self.assertIsNotNone(self.registry.find(ONCE))

    def test_failedForGood(self):
        """
        A failed run with effects is found: its error is the response.
        """
        record = self.keep(ONCE)
        self.call.fail(UpstreamError("Down.", shouldRetry=False))
        self.failureResultOf(self.listening.done, UpstreamError)
        self.assertIs(self.registry.find(ONCE), record)


class KeylessTests(RegistryTestCase):
    """
    Retries of a client library are recognised without a key.
    """

    def test_again(self):
        """
        A retry finds the run in progress, but only if it is marked as a retry.
        """
        record = self.keep(KEYLESS)
        self.assertIsNone(self.registry.find(KEYLESS))
        self.assertIs(self.registry.find(AGAIN), record)
        self.finish()

    def test_over(self):
        """
        A finished run is not found, since its caller got the response.
        """
        record = self.keep(KEYLESS)
        self.finish()
        self.assertIsNone(self.registry.find(AGAIN))
        self.assertIsNone(self.registry.get(record.request.runID))

    def test_others(self):
        """
        Runs of other callers or requests are not found.
        """
        self.keep(KEYLESS)
        for caller, fingerprint in (("somebody", b"1"), ("operator", b"2")):
            other = RequestFingerprint(
                caller=caller, fingerprint=fingerprint, again=True
            )
            self.assertIsNone(self.registry.find(other))
        self.finish()

    def test_newest(self):
        """
        Of two identical runs the newer is found, also after the older has ended.
        """
        self.keep(KEYLESS)
        newer = self.keep(KEYLESS)
        self.provider.calls[0].finish("length")
        self.assertIs(self.registry.find(AGAIN), newer)
        self.finish()


class ForgettingTests(RegistryTestCase):
    """
    Memory is bounded.
    """

    def test_byID(self):
        """
        A run that continues alone is found by its id, in progress and finished.
        """
        record = self.keep(KEYLESS, keepsRunning=True)
        self.assertIs(self.registry.get(record.request.runID), record)
        self.listening.stopProducing()
        self.finish()
        self.assertIs(self.registry.get(record.request.runID), record)

    def test_tooMany(self):
        """
        The runs that ended first are removed first.
        """
        # Each has two events, the start and two characters.
        size = RECORD_CHARACTERS + 2 * EVENT_CHARACTERS + 2
        records = []
        for number in range(MAX_CHARACTERS // size + 2):
            asked = RequestFingerprint(
                caller="operator", fingerprint=b"1", key=str(number)
            )
            records.append(self.keep(asked))
            self.finish("Hi")
        found = [self.registry.get(record.request.runID) for record in records]
        self.assertEqual(found, [None, None, *records[2:]])
        forgotten = RequestFingerprint(caller="operator", fingerprint=b"1", key="1")
        self.assertIsNone(self.registry.find(forgotten))

    def test_tooMuch(self):
        """
        Runs are removed when the recorded events exceed the total limit.
        """
        first = self.keep(
            RequestFingerprint(caller="operator", fingerprint=b"1", key="1")
        )
        self.finish("x" * (MAX_CHARACTERS // 2))
        second = self.keep(
            RequestFingerprint(caller="operator", fingerprint=b"1", key="2")
        )
        self.finish("x" * (MAX_CHARACTERS // 2 - RECORD_CHARACTERS))
        self.assertIsNone(self.registry.get(first.request.runID))
        self.assertIs(self.registry.get(second.request.runID), second)

    def test_small(self):
        """
        A reply of many small pieces takes more memory than its text.
        """
        first = self.keep(
            RequestFingerprint(caller="operator", fingerprint=b"1", key="1")
        )
        self.call.say(*"x" * (MAX_CHARACTERS // EVENT_CHARACTERS))
        self.finish()
        self.assertIsNone(self.registry.get(first.request.runID))

    def test_greedy(self):
        """
        A caller with many runs loses its own, and not those of others, even older ones.
        """
        other = self.keep(RequestFingerprint(caller="other", fingerprint=b"1", key="k"))
        self.finish()
        greedy = []
        for number in range(MAX_CHARACTERS // RECORD_CHARACTERS + 1):
            asked = RequestFingerprint(
                caller="greedy", fingerprint=b"1", key=str(number)
            )
            greedy.append(self.keep(asked))
            self.finish()
        self.assertIs(self.registry.get(other.request.runID), other)
        self.assertIsNone(self.registry.get(greedy[0].request.runID))
        self.assertIs(self.registry.get(greedy[-1].request.runID), greedy[-1])

    def test_asked(self):
        """
        The request of a run is freed: only the reply and the caller are kept.
        """
        record = self.keep(ONCE)
        before = record.request
        self.assertEqual(before.opening, [QUESTION])
        self.finish()
        kept = record.request
        self.assertEqual((kept.opening, kept.following), ((), ()))
        self.assertEqual(
            (kept.runID, kept.caller, kept.sessionKey),
            (before.runID, before.caller, before.sessionKey),
        )
        self.assertIsNone(record.run)

    def test_inProgressStays(self):
        """
        A run in progress is never removed.
        """
        record = self.keep(ONCE)
        self.clock.advance(50)
        self.assertIs(self.registry.find(ONCE), record)
        self.finish()
