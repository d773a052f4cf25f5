"""
A session store that fails while the daemon runs: C{/readyz} says so, and when that is
over.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import HouseTestCase

SESSION = {"x-openclaw-session-key": "talk"}
PAGE_BYTES = 4096


class FailingStoreTests(HouseTestCase):
    """
    A disk that is full, and a file that is damaged.
    """

    def setUp(self) -> None:
        """
        Let the provider answer.
        """
        super().setUp()
        self.upstream.says("so")

    async def turn(self, daemon: Daemon, words: str = "hi") -> int:
        """
        Have a turn in a session.

        @return: The status.
        """
        answer = await self.caller(daemon).ask(words, headers=SESSION)
        await answer.whole()
        return answer.status

    async def health(self, daemon: Daemon, path: str = "/readyz") -> tuple[int, Any]:
        """
        What the daemon says of itself.
        """
        answer = await self.caller(daemon).get(path)
        return answer.status, await answer.json()

    async def assertFails(self, daemon: Daemon, reason: str) -> None:
        """
        Assert that it says what fails, everywhere but at C{/healthz}.
        """
        for path in ("/readyz", "/ready", "/startupz"):
            status, document = await self.health(daemon, path)
            self.assertEqual((status, document["ok"]), (503, False))
            [failing] = document["failing"]
            self.assertIn(reason, failing)
        self.assertEqual((await self.health(daemon, "/healthz"))[0], 200)
        # What needs no session goes on.
        answer = await self.caller(daemon).ask("hi")
        self.assertEqual((answer.status, await answer.words()), (200, "so"))

    async def test_fullDisk(self) -> None:
        """
        A full disk; it is well again as soon as there is room, without a run.
        """
        self.state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(self.state)]
        if os.geteuid() != 0 or subprocess.run(mount, stderr=-3).returncode != 0:
            raise SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.state)], check=True)
        daemon = await self.startDaemon()
        self.assertEqual(await self.turn(daemon), 200)
        self.assertEqual((await self.health(daemon))[0], 200)
        ballast = self.state / "ballast"
        with ballast.open("wb", 0) as file, self.assertRaises(OSError):
            for _ in range(10_000):
                file.write(bytes(1000))
        while await self.turn(daemon, "word " * 2000) == 200:
            pass
        await self.assertFails(daemon, "full")
        ballast.unlink()
        while (await self.health(daemon))[0] != 200:
            await deferLater(reactor, 0.1)
        self.assertEqual(await self.turn(daemon), 200)
        self.assertIn("The session store works again.", daemon.text)

    async def test_damaged(self) -> None:
        """
        A damaged file: waiting does not mend it.
        """
        daemon = await self.startDaemon()
        for number in range(20):
            answer = await self.caller(daemon).ask(
                "word " * 3000, headers={"x-openclaw-session-key": f"talk {number}"}
            )
            await answer.whole()
        await daemon.stop()
        path: Path = self.state / "sessions.sqlite"
        size = path.stat().st_size
        self.assertGreater(size, 10 * PAGE_BYTES)
        with path.open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(os.urandom(size - PAGE_BYTES))
        daemon = await self.startDaemon()
        self.assertEqual((await self.health(daemon))[0], 200)
        self.assertGreaterEqual(await self.turn(daemon), 500)
        await self.assertFails(daemon, "malformed")
        await deferLater(reactor, 1.2)
        for _ in range(2):
            await self.assertFails(daemon, "malformed")
