"""
Tests of L{openclaw.metrics.exposition} and L{openclaw.metrics.prometheus_families}.
"""

import re
import sys
from pathlib import Path
from subprocess import run

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parseOpenMetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw import __version__
from openclaw.messages import Usage
from openclaw.metrics.exposition import MetricsPage
from openclaw.metrics.tally import Tally
from tests.metrics.ended_runs import account

DOCUMENTED = Path(__file__).parents[2] / "docs/observability.md"


class CostTests(SynchronousTestCase):
    """
    A daemon without scrapes has no cost.
    """

    def test_imports(self):
        """
        The library is imported at the first scrape.
        """
        program = (
            "import sys\n"
            "import openclaw.tap\n"
            "print([each for each in sys.modules if each.startswith('prometheus')])\n"
        )
        done = run([sys.executable, "-c", program], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"[]\n")


class DocumentationTests(SynchronousTestCase):
    """
    The documentation of metrics.
    """

    def test_allOfThem(self):
        """
        C{docs/observability.md} lists all metrics, and no others.
        """
        page = MetricsPage(Tally(), lambda: (0, 0), Clock())
        self.addCleanup(page.stop)
        text, _ = page.render(0)
        shown = set(re.findall(r"^# TYPE (openclaw_\S+)", text.decode(), re.M))
        listed = set(re.findall(r"^\| `(openclaw_\w+)`", DOCUMENTED.read_text(), re.M))
        self.assertEqual(listed, shown)


class PageTests(SynchronousTestCase):
    """
    The exposition for Prometheus.
    """

    def setUp(self):
        """
        Begin without runs.
        """
        self.clock = Clock()
        self.tally = Tally()
        self.failures = {}
        self.page = MetricsPage(
            self.tally, lambda: (3, 2), self.clock, lambda: self.failures
        )
        self.addCleanup(self.page.stop)

    def value(self, name, **labels):
        """
        Return the current value of a sample, or C{None}.
        """
        text, _ = self.page.render(connections=7)
        samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in parse(text.decode())
            for sample in family.samples
        }
        return samples.get((name, frozenset(labels.items())))

    def test_moment(self):
        """
        The gauges: runs in progress, queued runs, connections.
        """
        self.assertEqual(self.value("openclaw_runs_in_progress"), 3)
        self.assertEqual(self.value("openclaw_runs_queued"), 2)
        self.assertEqual(self.value("openclaw_connections"), 7)
        self.assertEqual(self.value("openclaw_build_info", version=__version__), 1)

    def test_failing(self):
        """
        Each part that can fail has a value, also while it works; of several workers,
        one failure suffices.
        """

        def shown():
            parts = ("sessions", "embedded_model", "draining")
            return [self.value("openclaw_failing", what=part) for part in parts]

        self.assertEqual(shown(), [0, 0, 0])
        self.failures["sessions"] = "the disk is full"
        self.assertEqual(shown(), [1, 0, 0])
        other = self.page.snapshot(0)
        self.failures.clear()
        text, _ = self.page.render(0, others=[other, other])
        self.assertIn(b'openclaw_failing{what="sessions"} 1.0\n', text)
        self.assertIn(b'openclaw_failing{what="draining"} 0.0\n', text)

    def test_counters(self):
        """
        Counters have labels, and increase.
        """
        for _ in range(2):
            self.tally.countRun(account(usage=Usage(11, 4)))
            runs = self.value("openclaw_runs_total", agent="main", outcome="stop")
        self.assertEqual(runs, 2)
        tokens = self.value("openclaw_tokens_total", agent="main", kind="prompt")
        self.assertEqual(tokens, 22)
        self.tally.countUpstreamError("acme", "upstream_error")
        self.tally.countToolCall("read", "ok")
        self.tally.storeErrors += 1
        failed = self.value(
            "openclaw_upstream_errors_total", provider="acme", code="upstream_error"
        )
        self.assertEqual(failed, 1)
        calls = self.value("openclaw_tool_calls_total", tool="read", outcome="ok")
        self.assertEqual(calls, 1)
        self.assertEqual(self.value("openclaw_session_store_errors_total"), 1)

    def test_histograms(self):
        """
        Durations are in cumulative buckets, for quantiles.
        """
        for seconds in (0.02, 0.3, 1000.0):
            self.tally.countRun(account(totalSeconds=seconds))
        name = "openclaw_run_duration_seconds"
        found = [self.value(f"{name}_bucket", le=le) for le in ("0.01", "0.025", "0.5")]
        self.assertEqual(found, [0, 1, 2])
        self.assertEqual(self.value(f"{name}_bucket", le="600.0"), 2)
        self.assertEqual(self.value(f"{name}_bucket", le="+Inf"), 3)
        self.assertEqual(self.value(f"{name}_count"), 3)
        self.assertAlmostEqual(self.value(f"{name}_sum"), 1000.32)
        for name in ("time_to_first_token", "queue"):
            self.assertEqual(self.value(f"openclaw_{name}_seconds_count"), 3)

    def test_lag(self):
        """
        The reactor's lag is measured from the first scrape on.
        """
        self.assertEqual(self.value("openclaw_reactor_lag_seconds"), 0)
        self.clock.advance(1.5)
        self.assertEqual(self.value("openclaw_reactor_lag_seconds"), 0.5)
        self.clock.advance(1)
        self.assertEqual(self.value("openclaw_reactor_lag_seconds"), 0)
        self.assertEqual(self.value("openclaw_reactor_lag_max_seconds"), 0.5)

    def test_process(self):
        """
        The memory, start time and descriptors of the process are included, if the
        system provides them.
        """
        if self.value("process_resident_memory_bytes") is None:
            self.skipTest("the system does not tell about its processes")
        self.assertGreater(self.value("process_resident_memory_bytes"), 1e6)
        self.assertGreater(self.value("process_start_time_seconds"), 1e9)
        self.assertGreater(self.value("process_open_fds"), 0)

    def test_forms(self):
        """
        The format follows content negotiation; the default is Prometheus's text format.
        """
        self.tally.countRun(account())
        _, kind = self.page.render(0)
        self.assertTrue(kind.startswith("text/plain; version="), kind)
        text, kind = self.page.render(0, "application/openmetrics-text; version=1.0.0")
        self.assertTrue(kind.startswith("application/openmetrics-text"), kind)
        names = {family.name for family in parseOpenMetrics(text.decode())}
        self.assertIn("openclaw_runs", names)
