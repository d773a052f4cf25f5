"""
Tests of L{openclaw.tools.temporary}.
"""

import fcntl
import os
import signal
import subprocess
import sys

from openclaw.tools.confinement import Workspace
from openclaw.tools.temporary import removeLeftovers, temporaryFile
from tests.tools.file_case import FileToolTestCase

STEM = ".openclaw-0123456789abcdef"

WRITER = """
import os, sys
from pathlib import Path
from openclaw.tools.confinement import Workspace
from openclaw.tools.temporary import temporaryFile

with Workspace(Path(sys.argv[1])).target(sys.argv[2], makeParents=True) as place:
    with temporaryFile(place) as (name, descriptor):
        os.write(descriptor, b"half of it")
        print(name, flush=True)
        sys.stdin.read()
"""


class LeftoverTests(FileToolTestCase):
    """
    A killed daemon's temporary files are removed.
    """

    def begin(self, path: str) -> subprocess.Popen:
        """
        Start to write a file in another process.
        """
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(self.workspace), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        self.assertTrue(process.stdout.readline().startswith(b".openclaw-"))
        return process

    def files(self) -> list[str]:
        """
        Return all files of the workspace.
        """
        found = []
        for folder, _, names in os.walk(self.workspace):
            found += [os.path.relpath(f"{folder}/{n}", self.workspace) for n in names]
        return sorted(found)

    def test_killed(self) -> None:
        """
        They are found in any directory, but only after the process is dead.
        """
        for path in ("a.txt", "sub/deep/a.txt"):
            process = self.begin(path)
            self.assertEqual(len(self.files()), 2)
            self.assertEqual(removeLeftovers(self.workspace), 0)
            self.assertEqual(len(self.files()), 2, "they are in use")
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.assertEqual(len(self.files()), 2)
            self.assertEqual(removeLeftovers(self.workspace), 1)
            self.assertEqual(self.files(), [])

    def test_nothingStays(self) -> None:
        """
        A process that is not killed removes them itself.
        """
        self.put("sub/b.txt", "")
        with Workspace(self.workspace).target("sub/a.txt") as place:
            try:
                with temporaryFile(place) as (name, _):
                    self.assertIn(f"sub/{name}", self.files())
                    raise ValueError
            except ValueError:
                pass
        self.assertEqual(self.files(), ["sub/b.txt"])

    def test_others(self) -> None:
        """
        Other files stay, with any name; so does anything that is not a file.
        """
        self.put(".openclaw-notes.tmp", "")
        self.put(f"{STEM}.tmp.txt", "")
        self.put(f"x{STEM}.tmp", "")
        (self.workspace / f"{STEM}.tmp").mkdir()
        os.mkfifo(self.workspace / f"{STEM}.note")
        before = self.names()
        self.assertEqual(removeLeftovers(self.workspace), 0)
        self.assertEqual(self.names(), before)
        self.assertEqual(removeLeftovers(self.workspace / "gone"), 0)

    def test_withoutNote(self) -> None:
        """
        A temporary file in the root without a note is removed.
        """
        self.put(f"{STEM}.tmp", "half")
        self.assertEqual(removeLeftovers(self.workspace), 1)
        self.assertEqual(self.files(), [])

    def test_lies(self) -> None:
        """
        A forged note leads only to a temporary file of the same stem within the
        workspace.
        """
        outside = self.workspace.parent / f"{STEM}.tmp"
        outside.write_text("mine")
        self.addCleanup(outside.unlink)
        self.put("kept.txt", "mine")
        (self.workspace / "out").symlink_to(self.workspace.parent.absolute())
        for path in (
            "kept.txt",
            f"../{STEM}.tmp",
            str(outside.absolute()),
            f"out/{STEM}.tmp",
            "",
            "\0",
            "x/" * 5000 + f"{STEM}.tmp",
        ):
            self.put(f"{STEM}.note", path)
            self.assertEqual(removeLeftovers(self.workspace), 0, path)
        self.assertEqual(outside.read_text(), "mine")
        self.assertEqual(self.names(), ["kept.txt", "out"])

    def test_linkedNote(self) -> None:
        """
        A note that is a link is ignored.
        """
        self.put("sub/real", f"{STEM}.tmp")
        (self.workspace / f"{STEM}.note").symlink_to("sub/real")
        self.assertEqual(removeLeftovers(self.workspace), 0)
        self.assertIn("sub/real", self.files())

    def test_locked(self) -> None:
        """
        A lock of another open file of the same process is respected, too.
        """
        note = self.put(f"{STEM}.note", f"{STEM}.tmp")
        self.put(f"{STEM}.tmp", "half")
        with open(note) as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertEqual(removeLeftovers(self.workspace), 0)
        self.assertEqual(removeLeftovers(self.workspace), 1)
        self.assertEqual(self.files(), [])
