"""
A session store that fails while the daemon runs: C{/readyz} reports the failure and the
recovery.
"""

import os
import resource
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.processes import workers

SESSION = {"x-openclaw-session-key": "talk"}
PAGE_BYTES = 4096


class FailingStoreTests(DaemonTestCase):
    """
    A disk that is full or read-only, and a file that is damaged or locked.
    """

    def setUp(self) -> None:
        """
        Let the provider reply.
        """
        super().setUp()
        self.upstream.says("so")

    async def turn(self, daemon: Daemon, words: str = "hi") -> int:
        """
        Complete a turn in a session.

        @return: The status.
        """
        answer = await self.caller(daemon).ask(words, headers=SESSION)
        await answer.whole()
        return answer.status

    async def health(self, daemon: Daemon, path: str = "/readyz") -> tuple[int, Any]:
        """
        Return the daemon's response to a probe.
        """
        answer = await self.caller(daemon).get(path)
        return answer.status, await answer.json()

    async def untilReady(self, daemon: Daemon) -> None:
        """
        Wait until it is ready, without starting runs, and assert that runs work.
        """
        while (await self.health(daemon))[0] != 200:
            await deferLater(reactor, 0.1)
        self.assertEqual((await self.health(daemon, "/startupz"))[0], 200)
        self.assertEqual(await self.gauge(daemon), 0)
        self.assertEqual(await self.turn(daemon), 200)

    async def gauge(self, daemon: Daemon) -> float:
        """
        Return the gauge of a failing store from C{/metrics}.
        """
        answer = await self.caller(daemon).get("/metrics")
        text = await answer.whole()
        (line,) = [
            each
            for each in text.splitlines()
            if each.startswith('openclaw_failing{what="sessions"}')
        ]
        return float(line.split()[1])

    async def assertFails(self, daemon: Daemon, reason: str) -> None:
        """
        Assert that all endpoints but C{/healthz} report the failure.
        """
        for path in ("/readyz", "/ready", "/startupz"):
            status, document = await self.health(daemon, path)
            self.assertEqual((status, document["ok"]), (503, False))
            [failing] = document["failing"]
            self.assertIn(reason, failing)
        self.assertEqual((await self.health(daemon, "/healthz"))[0], 200)
        self.assertEqual(await self.gauge(daemon), 1)
        # Requests without a session work.
        answer = await self.caller(daemon).ask("hi")
        self.assertEqual((answer.status, await answer.words()), (200, "so"))

    async def test_fullDisk(self) -> None:
        """
        A full disk; the store recovers as soon as there is space, without a run.
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
        await self.untilReady(daemon)
        self.assertIn("The session store works again.", daemon.text)

    async def test_unwritable(self) -> None:
        """
        A file system that accepts no more writes: the file's size limit is reached.
        """
        daemon = await self.startDaemon()
        self.assertEqual(await self.turn(daemon), 200)
        pids = [daemon.pid, *workers(daemon.pid)]
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        self.assertGreaterEqual(await self.turn(daemon), 500)
        await self.assertFails(daemon, "the session store fails")
        for pid in pids:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        await self.untilReady(daemon)

    async def test_locked(self) -> None:
        """
        Another program locks the file, and later unlocks it.
        """
        daemon = await self.startDaemon()
        self.assertEqual(await self.turn(daemon), 200)
        path = self.state / "sessions.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            self.assertGreaterEqual(await self.turn(daemon), 500)
            await self.assertFails(daemon, "locked")
            # Long enough for a probe that waits for the lock in vain.
            await deferLater(reactor, 8)
            await self.assertFails(daemon, "locked")
        began = reactor.seconds()
        await self.untilReady(daemon)
        self.assertLess(reactor.seconds() - began, 30)

    async def test_movedAway(self) -> None:
        """
        The file is moved away, which is detected without a run, and back.
        """
        daemon = await self.startDaemon()
        self.assertEqual(await self.turn(daemon), 200)
        path, aside = self.state / "sessions.sqlite", self.state / "aside"
        path.rename(aside)
        while (await self.health(daemon))[0] == 200:
            await deferLater(reactor, 0.1)
        await self.assertFails(daemon, "its file is gone")
        self.assertGreaterEqual(await self.turn(daemon), 500)
        aside.rename(path)
        await self.untilReady(daemon)

    async def assertRefused(self, reason: str) -> None:
        """
        Assert that the daemon does not start, with the reason.
        """
        daemon = self.spawn()
        await daemon.ended
        self.assertEqual(daemon.status, 1, daemon.text)
        self.assertIn(reason, daemon.text)
        self.assertNotIn("Ready at", daemon.text)
        self.assertNotIn("Traceback", daemon.text)

    async def test_lockedAtStart(self) -> None:
        """
        A daemon that starts meanwhile exits with the reason.
        """
        daemon = await self.startDaemon()
        await daemon.stop()
        path = self.state / "sessions.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await self.assertRefused("database is locked")

    async def test_readOnlyAtStart(self) -> None:
        """
        The same applies to a state directory on a read-only file system.
        """
        daemon = await self.startDaemon()
        self.assertEqual(await self.turn(daemon), 200)
        await daemon.stop()
        path = str(self.state)
        bind = ["mount", "--bind", path, path]
        if os.geteuid() != 0 or subprocess.run(bind, stderr=-3).returncode != 0:
            raise SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)
        await self.assertRefused(path)

    async def test_damaged(self) -> None:
        """
        A damaged file remains a failure.
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
            self.assertEqual(await self.gauge(daemon), 1)


class FailingWorkersTests(FailingStoreTests):
    """
    The same with several workers, whichever responds.
    """

    workers = 2

    async def assertFails(self, daemon: Daemon, reason: str) -> None:
        """
        Assert this on enough connections to reach all workers.
        """
        for _ in range(8):
            await super().assertFails(daemon, reason)
