"""
Signals before and during the daemon's start.
"""

import os
import re
import signal
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

import tests
from tests.integration.daemon_case import LOOPBACK
from tests.integration.processes import missingProcesses, workers
from tests.integration.test_daemon_start import StartTestCase

UNIT = Path(tests.__file__).parents[1] / "etc/systemd/openclaw.service"


class EarlyHangupTests(StartTestCase):
    """
    SIGHUP, with a daemon that is started with it ignored.
    """

    async def assertSurvives(self, *guard: str) -> None:
        """
        Assert that a daemon survives signals from the beginning, and reloads its
        configuration for those during its start.

        @param guard: The command that starts it, before its own.
        """
        command = [*guard, *self.foreground(), "openclaw", "--config", str(self.config)]
        program = self.start(*command, "--listen", LOOPBACK)
        # The guard itself takes a millisecond.
        while not self.ignoresHangups(program.pid):
            await deferLater(reactor, 0)
        while "Ready at" not in program.text:
            program.send("HUP")
            await deferLater(reactor, 0.002)
        await program.line("The configuration was reloaded")
        await program.stop()
        self.assertEqual(program.signal, signal.SIGTERM)

    async def test_whileIgnored(self) -> None:
        """
        Started by a shell that ignores the signal.
        """
        await self.assertSurvives("/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh")

    async def test_unit(self) -> None:
        """
        Started like in systemd's unit.
        """
        [line] = re.findall("^ExecStart=(.*)", UNIT.read_text(), re.M)
        program = line.split().index("/opt/openclaw/bin/twistd")
        await self.assertSurvives(*line.split()[:program])

    def ignoresHangups(self, pid: int) -> bool:
        """
        Return whether a process ignores the signal.
        """
        status = Path(f"/proc/{pid}/status").read_text()
        [ignored] = re.findall(r"^SigIgn:\s*(\w+)", status, re.M)
        return bool(int(ignored, 16) & 1)


class EarlyWorkerSignalTests(StartTestCase):
    """
    Signals to the processes of a starting daemon.
    """

    workers = 2

    async def test_workers(self) -> None:
        """
        Early signals end no worker.
        """
        if missing := missingProcesses():
            raise SkipTest(missing)
        daemon = self.spawn()
        seen: set[int] = set()
        while "Ready at" not in daemon.text:
            self.assertFalse(daemon.ended.called, daemon.text)
            for pid in workers(daemon.pid):
                seen.add(pid)
                for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                    os.kill(pid, number)
            await deferLater(reactor, 0.002)
        self.assertEqual(len(seen), 2, daemon.text)
        self.assertEqual(set(workers(daemon.pid)), seen)
        await daemon.stop()
