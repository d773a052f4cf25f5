"""
Tests for L{openclaw.tools.file_tools}: changing files.
"""

import os
import stat
from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.threads import TOOL_THREADS, Stopped, runInToolThread
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import (
    MAX_EDIT_BYTES,
    replaceFile,
)
from tests.tools.file_case import FileToolTestCase
from tests.tools.tool_case import openFiles


class WriteTests(FileToolTestCase):
    """
    A file is written completely or not at all.
    """

    async def test_new(self):
        """
        A new file is created, with its parent directories.
        """
        told = await self.write("a/b/c.txt", "Füße")
        self.assertEqual(told, "Created a/b/c.txt: 6 bytes.")
        path = self.workspace / "a" / "b" / "c.txt"
        self.assertEqual(path.read_text(), "Füße")
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o666 & ~mask)

    async def test_replaced(self):
        """
        An existing file is replaced and keeps its mode; no temporary file is left.
        """
        path = self.put("run.sh", "old and long")
        path.chmod(0o750)
        told = await self.write("run.sh", "new")
        self.assertEqual(told, "Replaced run.sh: 3 bytes.")
        self.assertEqual(path.read_text(), "new")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o750)
        self.assertEqual(self.names(), ["run.sh"])

    async def test_throughLink(self):
        """
        A link within the workspace stays, and its target is written.
        """
        path = self.put("real", "old")
        (self.workspace / "link").symlink_to("real")
        await self.write("link", "new")
        self.assertEqual(path.read_text(), "new")
        self.assertTrue((self.workspace / "link").is_symlink())

    async def test_outside(self):
        """
        Nothing outside is created or changed: not by C{..}, an absolute path, a link to
        a file or to a directory, or a hard link.
        """
        secret = self.outside / "secret"
        (self.workspace / "file").symlink_to(secret)
        (self.workspace / "new").symlink_to(self.outside / "new")
        (self.workspace / "dir").symlink_to(self.outside)
        os.link(secret, self.workspace / "hard")
        for path in ["../outside/secret", str(secret), "file", "new", "dir/new"]:
            told = await self.failing(self.write(path, "changed"))
            self.assertEqual(told, f"{path}: it is outside the workspace")
        await self.write("hard", "changed")
        await self.edit("hard", "changed", "changed again")
        self.assertEqual(secret.read_text(), "the secret")
        self.assertEqual(os.listdir(self.outside), ["secret"])

    async def test_notAFile(self):
        """
        Only a regular file can be replaced.
        """
        self.put("d/x", "")
        os.mkfifo(self.workspace / "pipe")
        for path in ["d", "pipe", "."]:
            told = await self.failing(self.write(path, "x"))
            self.assertEqual(told, f"{path}: it is not a regular file")
        self.assertEqual(self.names(), ["d", "pipe"])

    async def test_diskFails(self):
        """
        After a failed write the old file is complete and no temporary file is left.
        """
        self.put("a", "old")
        told = await self.failing(self.write("a", "new", sync=self._fail))
        self.assertEqual(told, "a: No space left on device")
        self.assertEqual((self.workspace / "a").read_text(), "old")
        self.assertEqual(self.names(), ["a"])

    def _fail(self, _):
        raise OSError(28, "No space left on device")

    async def test_lateCancel(self):
        """
        A write that is cancelled during its sync leaves the old file and no temporary
        file, and ends only then.
        """
        self.put("a", "old")
        writing, going = Deferred(), Event()

        def hang(_):
            reactor.callFromThread(writing.callback, None)
            going.wait(30)

        call = self.write("a", "new", sync=hang)
        ended = []
        call.addBoth(ended.append)
        await writing
        call.cancel()
        self.assertEqual(ended, [])
        going.set()
        await call
        ended[0].trap(CancelledError)
        self.assertEqual((self.workspace / "a").read_text(), "old")
        self.assertEqual(self.names(), ["a"])
        self.assertEqual(openFiles(self.workspace), [])

    async def test_earlyCancel(self):
        """
        A write that waits for a thread ends at once when it is cancelled.
        """
        going = Event()
        busy = [
            runInToolThread(
                self.context(shareKey=f"caller{number}"), lambda stop: going.wait(30)
            )
            for number in range(TOOL_THREADS)
        ]
        try:
            await self.cancelling(self.write("a", "new"))
        finally:
            going.set()
        for each in busy:
            await each
        self.assertEqual(self.names(), [])


class StoppedWriteTests(SynchronousTestCase):
    """
    A stopped write changes nothing.
    """

    def test_stopped(self):
        """
        The old contents stay.
        """
        root = self.mktemp()
        os.mkdir(root)
        stop = Event()
        stop.set()
        space = Workspace(os.path.abspath(root))
        with space.target("a") as place, self.assertRaises(Stopped):
            replaceFile(place, b"new", stop)
        self.assertEqual(os.listdir(root), [])


class EditTests(FileToolTestCase):
    """
    Text is replaced.
    """

    async def test_once(self):
        """
        A text that occurs once is replaced; everything else stays, including invalid
        bytes.
        """
        path = self.put("a", b"one\r\ntwo\xff\nthree")
        path.chmod(0o600)
        told = await self.edit("a", "two", "2")
        self.assertEqual(told, "Changed a: replaced once.")
        self.assertEqual(path.read_bytes(), b"one\r\n2\xff\nthree")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    async def test_ambiguous(self):
        """
        A text that occurs twice is only replaced with C{replaceAll}.
        """
        path = self.put("a", "x y x")
        told = await self.failing(self.edit("a", "x", "z"))
        self.assertIn("oldText occurs 2 times", told)
        self.assertEqual(path.read_text(), "x y x")
        told = await self.edit("a", "x", "z", replaceAll=True)
        self.assertEqual(told, "Changed a: replaced 2 times.")
        self.assertEqual(path.read_text(), "z y z")

    async def test_missing(self):
        """
        A missing text and a missing file are errors.
        """
        self.put("a", "text")
        told = await self.failing(self.edit("a", "Text", "x"))
        self.assertEqual(
            told,
            "a: oldText is not in the file\nNearest:\n1: text\nline 1: at column 1 the"
            " file has 't', oldText has 'T'",
        )
        told = await self.failing(self.edit("b", "Text", "x"))
        self.assertEqual(told, "b: No such file or directory")
        self.assertEqual(self.names(), ["a"])

    async def test_tooLarge(self):
        """
        A very large file is refused.
        """
        path = self.put("a", "x")
        os.truncate(path, MAX_EDIT_BYTES + 1)
        told = await self.failing(self.edit("a", "x", "y"))
        self.assertEqual(told, "a: it is too large to be edited here")
