"""
Tests of L{openclaw.sessions.store.owners}.
"""

import os
import subprocess
import sys
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from openclaw.sessions.store.owners import Owner


class ProcessGoneTests(SynchronousTestCase):
    """
    Only claims of processes that are certainly gone can be taken over.
    """

    def setUp(self) -> None:
        """
        Start a process that waits for the end of its input.
        """
        self.here = Owner.current()
        self.child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from openclaw.sessions.store.owners import Owner\n"
                "print(Owner.current(), flush=True)\n"
                "input()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.child.communicate)
        self.addCleanup(self.child.kill)
        self.other = self.child.stdout.readline().strip()

    def test_running(self) -> None:
        """
        An owner whose process runs is alive.
        """
        self.assertFalse(self.here.isProcessGone(self.other))

    def test_killed(self) -> None:
        """
        An owner whose process was killed is dead, even before its parent has reaped it.
        """
        self.child.kill()
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(self.here.isProcessGone(self.other))
        self.child.wait()
        self.assertTrue(self.here.isProcessGone(self.other))

    def test_sameProcess(self) -> None:
        """
        Two stores of one process are two owners, and both are alive.
        """
        other = Owner.current()
        self.assertNotEqual(str(other), str(self.here))
        self.assertFalse(self.here.isProcessGone(str(other)))

    def test_numberUsedAgain(self) -> None:
        """
        A process with the reused id of a dead one is not taken for it.
        """
        earlier = replace(self.here, started="1")
        self.assertTrue(self.here.isProcessGone(str(earlier)))

    def test_startUnknown(self) -> None:
        """
        If the start time of a process is unknown, a process with the same id counts as
        the owner.
        """
        earlier = replace(self.here, started="")
        self.assertFalse(self.here.isProcessGone(str(earlier)))

    def test_elsewhere(self) -> None:
        """
        A process on another host, or in another container, counts as alive.
        """
        self.child.kill()
        self.child.wait()
        elsewhere = replace(self.here, host="elsewhere/1")
        self.assertFalse(elsewhere.isProcessGone(self.other))

    def test_noOwner(self) -> None:
        """
        The owner of an invalid text counts as alive.
        """
        for text in ["", "a:b", f"{self.here.host}:x:1:n", f"{self.here.host}:0:1:n"]:
            self.assertFalse(self.here.isProcessGone(text), text)
