"""
Tests of L{openclaw.sessions.store.owners}.
"""

import os
import subprocess
import sys
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from openclaw.sessions.store.owners import Owner


class KnowsDeadTests(SynchronousTestCase):
    """
    A claim is only taken from an owner who is certainly dead.
    """

    def setUp(self) -> None:
        """
        Start a process that waits for its input to end, to be an owner's.
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
        An owner whose process was killed is dead, and already before its parent
        has taken note.
        """
        self.child.kill()
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(self.here.isProcessGone(self.other))
        self.child.wait()
        self.assertTrue(self.here.isProcessGone(self.other))

    def test_sameProcess(self) -> None:
        """
        Two stores of one process are two owners, both alive.
        """
        other = Owner.current()
        self.assertNotEqual(str(other), str(self.here))
        self.assertFalse(self.here.isProcessGone(str(other)))

    def test_numberUsedAgain(self) -> None:
        """
        A process that has a dead one's number is not taken for it.
        """
        earlier = replace(self.here, started="1")
        self.assertTrue(self.here.isProcessGone(str(earlier)))

    def test_startUnknown(self) -> None:
        """
        When it is unknown when a process started, a process with the same number counts
        as the owner.
        """
        earlier = replace(self.here, started="")
        self.assertFalse(self.here.isProcessGone(str(earlier)))

    def test_elsewhere(self) -> None:
        """
        Of a process on another host, or in another container, nothing is known.
        """
        self.child.kill()
        self.child.wait()
        elsewhere = replace(self.here, host="elsewhere/1")
        self.assertFalse(elsewhere.isProcessGone(self.other))

    def test_noOwner(self) -> None:
        """
        A text that names no owner is not known to be dead.
        """
        for text in ["", "a:b", f"{self.here.host}:x:1:n", f"{self.here.host}:0:1:n"]:
            self.assertFalse(self.here.isProcessGone(text), text)
