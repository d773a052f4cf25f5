"""
Signals that come before the daemon has started.
"""

import errno
import os
import shlex
import signal
from pathlib import Path
from typing import BinaryIO

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.daemon_case import LOOPBACK
from tests.integration.test_daemon_start import StartTestCase


class EarlyHangupTests(StartTestCase):
    """
    SIGHUP, where the daemon is started with it ignored.
    """

    async def test_whileIgnored(self) -> None:
        """
        A daemon that is started with the signal ignored survives it also before any
        code of ours runs, and reads its configuration once more for one that comes
        while it reads it.
        """
        fifo = self.folder / "fifo.yaml"
        os.mkfifo(fifo)
        command = [*self.foreground(), "openclaw", "--config", str(fifo)]
        command += ["--listen", LOOPBACK]
        program = self.start(
            "/bin/sh", "-c", f"trap '' HUP; kill -HUP $$; exec {shlex.join(command)}"
        )
        with await self.whenRead(fifo) as writer:
            program.send("HUP")
            writer.write(self.config.read_bytes())
        await program.line("Ready at")
        with await self.whenRead(fifo) as writer:
            writer.write(self.config.read_bytes())
        await program.line("The configuration was read again")
        await program.stop()
        self.assertEqual(program.signal, signal.SIGTERM)

    async def whenRead(self, fifo: Path) -> BinaryIO:
        """
        Open a FIFO once somebody reads it.
        """
        while True:
            try:
                return open(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "wb")
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
            await deferLater(reactor, 0.01)
