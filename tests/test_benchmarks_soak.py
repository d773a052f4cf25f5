"""
Tests of the soak's detection of leaks.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.soak import GROWN_THINGS, INSIDE, Look, faultsOf

CANCELLED = "builtins.method twisted.internet.base.ReactorBase._cancelCallLater"


def look(runs: int, things: Mapping[str, int]) -> Look:
    """
    Return the census of a daemon whose memory does not grow.
    """
    return Look(
        runs=runs,
        rss=70_000,
        anonymous=50_000,
        pss=60_000,
        descriptors=13,
        threads=2,
        things=things,
        timers={},
    )


class FaultTests(SynchronousTestCase):
    """
    Tests of L{faultsOf}.
    """

    def faults(self, before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
        """
        Return the faults of 2,000 runs between two censuses.
        """
        return faultsOf([look(0, before), look(2000, after)])

    def test_leak(self) -> None:
        """
        A kind of object that grows by more than its tolerance is a fault.
        """
        few = {"a.Run": 3, "a.Call": 3}
        most = 3 + GROWN_THINGS
        self.assertEqual(self.faults(few, {"a.Run": most, "a.Call": 1}), [])
        self.assertEqual(
            self.faults(few, {"a.Run": most + 1, "a.Call": 3}), ["26 more of a.Run"]
        )

    def test_forgottenNowAndThen(self) -> None:
        """
        Cancelled timers that Twisted keeps for a while are tolerated up to a limit.
        """
        self.assertEqual(self.faults({}, {CANCELLED: 50 + GROWN_THINGS}), [])
        self.assertEqual(
            self.faults({}, {CANCELLED: 51 + GROWN_THINGS}), [f"76 more of {CANCELLED}"]
        )


class CensusTests(SynchronousTestCase):
    """
    Tests of the census that is taken in the daemon.
    """

    def test_leavesNothing(self) -> None:
        """
        A census leaves no objects for the next one.
        """
        paths = [Path(self.mktemp()).absolute() for _ in range(2)]
        for path in paths:
            path.parent.mkdir(exist_ok=True, parents=True)
        code = "import sys, sitecustomize as c; [c.takeCensus(p) for p in sys.argv[1:]]"
        subprocess.run(
            [sys.executable, "-c", code, *map(str, paths)],
            check=True,
            env={"PYTHONPATH": str(INSIDE)},
        )
        first, second = (
            Counter(json.loads(path.read_bytes())["things"]) for path in paths
        )
        self.assertGreater(first.total(), 1000)
        self.assertEqual(second - first, Counter())
