"""
Tests of the results of benchmarks: figures, a table, a page.
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load import Quantiles, Summary, atRank, quantiles
from benchmarks.processes import Cores, Memory, Used
from benchmarks.publish import BEGIN, END, NotPublished, publish
from benchmarks.report import (
    cpuPerRequest,
    cpuPerWord,
    cpuWithoutSending,
    duration,
    notes,
    once,
    table,
    workersByClock,
    workersByCPU,
)
from benchmarks.results import Held, Results, Sample, Spread, flaws, spread
from benchmarks.works import BURST, CARRIED, LATE, PLAIN, Subject


def summary(latency=1.0, requests=10, faults=None, perSecond=100.0, load=0.1):
    """
    Return the summary of a load with equal durations.

    @param latency: In milliseconds.
    """
    same = Quantiles(latency, latency, latency, latency)
    return Summary(
        requests=requests,
        faults=faults or {},
        seconds=1.0,
        perSecond=perSecond,
        load=load,
        latency=same,
        firstWord=same,
        gap=same,
        lateness=same,
    )


def sample(subject, work=PLAIN, index=0, cpu=0.02, upstream=0.001, **fields):
    """
    Return a sample of one round.

    @param cpu: The CPU time of ten requests, in seconds.
    """
    return Sample(
        subject=subject,
        work=work.name,
        round=index,
        words=work.words,
        summary=summary(**fields),
        used=None if cpu is None else Used(cpu, cpu),
        upstream=Used(upstream, upstream),
    )


def results(*samples, **fields):
    """
    Return the results of a run with these samples.
    """
    given = {
        "machine": {"CPU": "one"},
        "quick": False,
        "cores": Cores([0], [1], [1]),
        "subjects": [
            Subject(name="openclaw", url="http://a/v1", pid=1),
            Subject(name="relay", url="http://b/v1", pid=2),
            Subject(name="direct", url="http://c/v1"),
        ],
        "samples": samples,
        "standings": {},
        "held": {},
        "capacities": {},
        "shared": False,
        "skipped": {},
    }
    return Results(**{**given, **fields})


class SpreadTests(SynchronousTestCase):
    """
    Quantiles, and the spread over rounds.
    """

    def test_quantilesAreByNearestRank(self):
        """
        Of a hundred durations the 99th is the 99th percentile, and the last the
        maximum.
        """
        found = quantiles(second / 1000 for second in range(100, 0, -1))
        self.assertEqual(found, Quantiles(50.0, 90.0, 99.0, 100.0))

    def test_nothingHasNoQuantiles(self):
        """
        Without durations there is no quantile.
        """
        self.assertIsNone(quantiles([]))

    @given(
        st.lists(st.floats(0, 1e6), min_size=1),
        st.floats(0, 1, exclude_min=True),
    )
    def test_asManyAsAskedForDoNotExceedIt(self, values, share):
        """
        A quantile is the smallest sufficient one of the values.
        """
        found = atRank(sorted(values), share)
        wanted = math.ceil(share * len(values))
        self.assertIn(found, values)
        self.assertGreaterEqual(sum(value <= found for value in values), wanted)
        self.assertLess(sum(value < found for value in values), wanted)

    def test_spreadIsOfWhatIsKnown(self):
        """
        A round without a figure is left out; the middle is the median.
        """
        self.assertEqual(spread([3.0, None, 1.0, 2.0]), Spread(2.0, 1.0, 3.0))
        self.assertIsNone(spread([None]))


class FigureTests(SynchronousTestCase):
    """
    Figures computed from samples.
    """

    def test_cpuIsDividedByRequests(self):
        """
        Ten requests that take 20 ms take 2 ms each; the median round is shown.
        """
        found = results(
            sample("openclaw", cpu=0.02),
            sample("openclaw", index=1, cpu=0.03),
            sample("openclaw", index=2, cpu=0.09),
        )
        self.assertEqual(cpuPerRequest(PLAIN)(found, "openclaw"), Spread(3.0, 2.0, 9.0))

    def test_theWarmUpIsNotCounted(self):
        """
        The warm-up round is left out.
        """
        found = results(sample("openclaw", index=-1))
        self.assertIsNone(cpuPerRequest(PLAIN)(found, "openclaw"))

    def test_chunksShareTheCostOfTheirStream(self):
        """
        Ten streams of 200 chunks in 20 ms are 10 µs per chunk.
        """
        found = results(sample("openclaw", BURST, cpu=0.02))
        self.assertAlmostEqual(cpuPerWord(BURST)(found, "openclaw").middle, 10.0)

    def test_sendingIsTakenOff(self):
        """
        The cost of sending a long conversation can be subtracted.
        """
        found = results(
            sample("openclaw", LATE, cpu=0.050),
            sample("direct", CARRIED, cpu=None, load=0.009),
            sample("direct", PLAIN, cpu=None, load=0.001),
        )
        figure = cpuWithoutSending(LATE, CARRIED, PLAIN)
        self.assertAlmostEqual(figure(found, "openclaw").middle, 4.2)

    def test_latencyIsWhatWasAddedInTheSameRound(self):
        """
        A slow round does not make the server look slow.
        """
        found = results(
            sample("openclaw", latency=2.0),
            sample("direct", latency=1.0),
            sample("openclaw", index=1, latency=9.0),
            sample("direct", index=1, latency=8.0),
        )
        figure = duration(PLAIN, "latency", "p50")
        self.assertEqual(figure(found, "openclaw"), Spread(1.0, 1.0, 1.0))
        self.assertEqual(figure(found, "direct").high, 8.0)

    def test_heldStreams(self):
        """
        Memory is the increase divided by the streams; lateness is the maximum.
        """
        held = Held(
            streams=1000,
            summary=summary(latency=1500.0),
            before=Memory(50.0, 40.0, 50.0),
            open=Memory(75.0, 65.0, 75.0),
            share=0.5,
        )
        found = results(held={"openclaw": held})
        self.assertEqual(once("held.memory")(found, "openclaw").middle, 25.0)
        self.assertEqual(once("held.late")(found, "openclaw").middle, 1.5)

    def test_workersAreMeasuredByTheBusiest(self):
        """
        Two workers of which one does three quarters of the work serve at most 4/3 of
        what one does.
        """

        def capacity(busiest, perSecond):
            return Sample(
                subject="openclaw",
                work="cores",
                round=0,
                words=16,
                summary=summary(requests=100, perSecond=perSecond),
                used=Used(0.1, busiest),
                upstream=Used(0.01, 0.01),
            )

        one, two = capacity(0.1, 1000), capacity(0.075, 1200)
        found = results(capacities={1: [one], 2: [two]})
        self.assertAlmostEqual(workersByCPU(found, "openclaw").middle, 4 / 3)
        self.assertAlmostEqual(workersByClock(found, "openclaw").middle, 1.2)


class TableTests(SynchronousTestCase):
    """
    The table, and the notes below it.
    """

    def row(self, found, title="CPU of a request, ms"):
        """
        Return the cells of a row.
        """
        [line] = [line for line in table(found).splitlines() if f"| {title} |" in line]
        return [cell.strip() for cell in line.split("|")[1:-1]]

    def test_showsTheRatioToARelay(self):
        """
        The daemon's figure is shown as a multiple of the relay's, in bold if it misses
        the goal; goals do not apply to the relay.
        """
        found = results(sample("openclaw", cpu=0.03), sample("relay", cpu=0.012))
        self.assertEqual(
            self.row(found),
            ["CPU of a request, ms", "≤ 0.9", "**3.00**", "2.5", "1.20", "-"],
        )

    def test_aGoalThatIsMetIsNotBold(self):
        """
        Figures within the goal are plain, with their spread.
        """
        found = results(
            sample("openclaw", cpu=0.008), sample("openclaw", index=1, cpu=0.006)
        )
        self.assertEqual(self.row(found)[2], "0.70 (0.60 to 0.80)")

    def test_leavesOutWhatWasNotMeasured(self):
        """
        A work that was not measured has no row.
        """
        self.assertNotIn("session", table(results(sample("openclaw"))))

    def test_saysWhyARowIsMissing(self):
        """
        Skipped works are listed with the reason.
        """
        found = results(skipped={"nginx": "it is not installed"})
        self.assertIn("Not measured: nginx: it is not installed.", notes(found))


class FlawTests(SynchronousTestCase):
    """
    Flaws that make figures invalid.
    """

    def test_soundResultsHaveNone(self):
        """
        Right replies from a cheap upstream have no flaw.
        """
        self.assertEqual(flaws(results(sample("openclaw"))), [])

    def test_wrongReplies(self):
        """
        A wrong reply of one of our servers is a flaw; that of another server is only
        mentioned.
        """
        wrong = sample("openclaw", faults={"wrong text": 1})
        self.assertIn("wrong text", flaws(results(wrong))[0])
        other = Subject(name="openclaw", url="http://a/v1", foreign=True)
        found = results(wrong, subjects=[other])
        self.assertEqual(flaws(found), [])
        self.assertIn("wrong text", notes(found))

    def test_costlyUpstream(self):
        """
        The upstream must cost less than the daemon, but may cost more than a relay.
        """
        found = results(sample("openclaw", upstream=0.03))
        self.assertIn("mock upstream", flaws(found)[0])
        self.assertEqual(flaws(results(sample("relay", upstream=0.03))), [])


class PublishTests(SynchronousTestCase):
    """
    Publishing changes only the figures of the page.
    """

    def setUp(self):
        """
        Create a page with figures of an earlier run.
        """
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page = Path(folder.name) / "performance.md"
        self.page.write_text(f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")

    def test_writesThePage(self):
        """
        Publishing twice leaves one set of figures, and the text around them.
        """
        found = results(sample("openclaw"), sample("relay"))
        publish(found, self.page)
        publish(found, self.page)
        text = self.page.read_text()
        self.assertTrue(text.startswith("Before.") and text.endswith("After.\n"))
        self.assertEqual((text.count(BEGIN), text.count(END)), (1, 1))
        self.assertNotIn("old", text)

    def test_survivesTheFile(self):
        """
        Results are the same after they were written to a file and read again.
        """
        found = results(sample("openclaw"), sample("relay"))
        again = msgspec.json.decode(msgspec.json.encode(found), type=Results)
        self.assertEqual(table(again), table(found))
        self.assertEqual(notes(again), notes(found))

    def test_refusesWhatIsNotFit(self):
        """
        Neither a quick run nor one with a wrong reply can be published.
        """
        quick = results(sample("openclaw"), quick=True)
        wrong = results(sample("openclaw", faults={"wrong text": 1}))
        for found in (quick, wrong):
            self.assertRaises(NotPublished, publish, found, self.page)
        self.assertIn("old", self.page.read_text())

    def test_refusesAPageWithoutPlace(self):
        """
        A page without markers is not changed.
        """
        self.page.write_text("No marks.")
        found = results(sample("openclaw"))
        self.assertRaises(NotPublished, publish, found, self.page)
        self.assertEqual(self.page.read_text(), "No marks.")
