"""
Tests of L{openclaw.metrics.tally}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.messages import Usage
from openclaw.metrics.tally import OTHER, DurationHistogram, LabelledCounter, Tally
from tests.metrics.ended_runs import account, embeddings


class LabelledCounterTests(SynchronousTestCase):
    """
    Sums by labels.
    """

    def test_add(self):
        """
        Each combination of labels has its own sum.
        """
        counts = LabelledCounter()
        counts.add(("a", "x"))
        counts.add(("a", "y"), 3)
        counts.add(("a", "x"), 2)
        self.assertEqual(counts.sums, {("a", "x"): 3, ("a", "y"): 3})

    @given(st.lists(st.tuples(st.text(), st.text())))
    def test_bounded(self, keys):
        """
        With any number of labels, memory is bounded and no count is lost.
        """
        counts = LabelledCounter(limit=3)
        for key in keys:
            counts.add(key)
        self.assertLessEqual(len(counts.sums), 4)
        self.assertEqual(sum(counts.sums.values()), len(keys))
        if len({*keys, (OTHER, OTHER)}) > 4:
            self.assertIn((OTHER, OTHER), counts.sums)


class DurationHistogramTests(SynchronousTestCase):
    """
    Buckets of durations.
    """

    def test_bounds(self):
        """
        A duration equal to a bound is within it, as in Prometheus.
        """
        durations = DurationHistogram((1.0, 2.0))
        for seconds in (0.0, 1.0, 1.5, 2.0, 2.1):
            durations.add(seconds)
        self.assertEqual(durations.counts, [2, 2, 1])
        self.assertAlmostEqual(durations.sum, 6.6)


class RunTests(SynchronousTestCase):
    """
    The metrics of a run.
    """

    def test_success(self):
        """
        The run, its tokens and its times are counted.
        """
        tally = Tally()
        tally.countRun(account(usage=Usage(11, 4, 8, 3), queueSeconds=0.2))
        self.assertEqual(tally.runs.sums, {("main", "stop"): 1})
        self.assertEqual(
            tally.tokens.sums,
            {
                ("main", "prompt"): 11,
                ("main", "completion"): 4,
                ("main", "cached"): 8,
                ("main", "reasoning"): 3,
            },
        )
        sums = tally.durations.sum, tally.firstTokens.sum, tally.queueing.sum
        self.assertEqual(sums, (1.5, 0.3, 0.2))

    def test_silent(self):
        """
        A run without output is not counted as a fast one.
        """
        tally = Tally()
        tally.countRun(account(outcome="gateway_busy", firstSeconds=None))
        self.assertEqual(sum(tally.firstTokens.counts), 0)
        self.assertEqual(sum(tally.durations.counts), 1)
        self.assertEqual(tally.tokens.sums, {})


class EmbeddingTests(SynchronousTestCase):
    """
    The metrics of a request for embeddings.
    """

    def test_counted(self):
        """
        The request, its tokens and its time are counted, and no run.
        """
        tally = Tally()
        tally.countEmbedding(embeddings())
        tally.countEmbedding(embeddings(outcome="gateway_busy", tokens=0))
        self.assertEqual(
            tally.embeddings.sums, {("main", "done"): 1, ("main", "gateway_busy"): 1}
        )
        self.assertEqual(tally.tokens.sums, {("main", "embedding"): 12})
        self.assertEqual(tally.embeddingDurations.sum, 1.0)
        self.assertEqual((tally.runs.sums, tally.durations.sum), ({}, 0.0))
