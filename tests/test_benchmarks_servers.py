"""
Tests of the benchmarks' accounting and placement of servers.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.processes import (
    CPU,
    Used,
    cpuOf,
    descendants,
    memoryOf,
    oneCoreFor,
    startingOn,
    twoCoresFor,
    usable,
    usedBetween,
)
from benchmarks.run import arguments
from benchmarks.servers import MOST_STREAMS, configuration
from benchmarks.works import BURST, FIRST, MODES, PLAIN, subjectFrom
from openclaw.config.loading import loadConfig


class AccountingTests(SynchronousTestCase):
    """
    CPU time and memory of process trees.
    """

    def test_sumsUpTheTree(self):
        """
        A server includes its workers, and the busiest is known.
        """
        before = CPU({1: 1.0, 2: 5.0, 3: 5.0})
        after = CPU({1: 1.5, 2: 7.0, 3: 6.0})
        self.assertEqual(usedBetween(before, after), Used(3.5, 2.0))

    def test_aProcessThatBeganMeanwhileIsCharged(self):
        """
        A new process counts completely.
        """
        used = usedBetween(CPU({1: 1.0}), CPU({1: 1.0, 2: 0.5}))
        self.assertEqual(used, Used(0.5, 0.5))

    def test_aProcessThatEndedMeanwhileIsCharged(self):
        """
        The CPU time of an ended process is in its parent's; its earlier time is
        subtracted.
        """
        used = usedBetween(CPU({1: 1.0, 2: 3.0}), CPU({1: 1.0}, ended=3.25))
        self.assertEqual(used, Used(0.25, 0.25))

    def test_readsTheClockOfAProcess(self):
        """
        The CPU time of this process between two readings is in the difference.
        """
        before, burnt = cpuOf(os.getpid()), time.process_time()
        while time.process_time() < burnt + 0.05:
            pass
        used = usedBetween(before, cpuOf(os.getpid()))
        self.assertGreaterEqual(used.tree, 0.05)

    def test_findsChildrenAndTheirMemory(self):
        """
        A child counts while it lives, and its CPU time afterwards, too.
        """
        alone = memoryOf(os.getpid())
        child = subprocess.Popen(
            [sys.executable, "-c", "x = bytearray(20_000_000); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertIn(child.pid, descendants(os.getpid()))
        before = cpuOf(os.getpid())
        child.communicate(b"\n")
        after = cpuOf(os.getpid())
        self.assertNotIn(child.pid, descendants(os.getpid()))
        self.assertIn(child.pid, before.clocks)
        self.assertGreater(after.ended, before.ended)
        self.assertGreater(alone.resident, 0)
        self.assertGreaterEqual(alone.peak, alone.resident)
        self.assertLessEqual(alone.proportional, alone.resident)

    def test_whoIsGoneCanNotBeAsked(self):
        """
        A process that does not exist is an error.
        """
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        self.assertRaises(OSError, cpuOf, child.pid)
        self.assertRaises(OSError, memoryOf, child.pid)


class CoreTests(SynchronousTestCase):
    """
    The cores of each part.
    """

    def test_theServerHasACoreForItself(self):
        """
        With two cores or more the server has one of its own.
        """
        for available in ([0, 1], [0, 1, 2], [4, 5, 6, 7]):
            self.assertTrue(oneCoreFor(available).pinned)
        self.assertEqual(oneCoreFor([0, 1]).testers, 1)
        self.assertEqual(oneCoreFor([0, 1, 2]).testers, 2)

    def test_aSingleCoreIsShared(self):
        """
        With one core all share it, which is reported.
        """
        self.assertFalse(oneCoreFor([0]).pinned)

    def test_twoWorkersNeedFourCores(self):
        """
        With fewer than four cores the workers have none of their own.
        """
        self.assertTrue(twoCoresFor([0, 1, 2, 3]).pinned)
        self.assertFalse(twoCoresFor([0, 1, 2]).pinned)

    def test_onlyWhatIsStartedIsPlaced(self):
        """
        A child has the cores of its start; this process keeps its own.
        """
        before = usable()
        with startingOn(before[:1]):
            told = subprocess.check_output(
                [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"]
            )
        self.assertEqual(told.decode().strip(), str(set(before[:1])))
        self.assertEqual(usable(), before)


class SubjectTests(SynchronousTestCase):
    """
    Other servers can be measured.
    """

    def test_aServerInOneWord(self):
        """
        The argument has its name, address, token, process, and models.
        """
        subject = subjectFrom(
            "lite=http://127.0.0.1:4000/v1/,token=sk-1,pid=42,sessions=yes,"
            "model=mock/{mode},burst-200=quick"
        )
        self.assertEqual(
            (subject.name, subject.url, subject.token, subject.pid, subject.sessions),
            ("lite", "http://127.0.0.1:4000/v1", "sk-1", 42, True),
        )
        self.assertEqual(BURST.plan(subject, 1, 1).model, "quick")
        self.assertEqual(PLAIN.plan(subject, 1, 1).model, "mock/instant-16")

    def test_nameAndAddressAreEnough(self):
        """
        By default, the model has the mode's name, and no process is measured.
        """
        subject = subjectFrom("a=http://127.0.0.1:1/v1")
        self.assertEqual(FIRST.plan(subject, 1, 1).model, "paced-4-2")
        self.assertIsNone(subject.pid)

    def test_nonsenseIsRefused(self):
        """
        An invalid argument is an error before the measurements.
        """
        for text in ("a", "a=ftp://x", "=http://x/v1", "a=http://x/v1,pidd=4"):
            self.assertRaises(ValueError, subjectFrom, text)

    def test_severalAtOnce(self):
        """
        The command accepts any number of them.
        """
        words = ["--against", "a=http://x/v1", "--against", "b=http://y/v1"]
        names = [subject.name for subject in arguments(words).against]
        self.assertEqual(names, ["a", "b"])

    def test_theDaemonKnowsEachMode(self):
        """
        The daemon's configuration is valid, and has an agent for each mode of the
        upstream.
        """
        content = configuration("t" * 48, "http://127.0.0.1:1/v1")
        with TemporaryDirectory() as folder:
            path = Path(folder) / "openclaw.yaml"
            path.write_text(yaml.safe_dump(content))
            path.chmod(0o600)
            loaded = loadConfig(path, {"HOME": folder})
        config = loaded.config
        self.assertEqual(loaded.warnings, ())
        self.assertEqual([agent.id for agent in config.agents.list], list(MODES))
        self.assertEqual(config.agents.defaults.maxConcurrent, MOST_STREAMS)
