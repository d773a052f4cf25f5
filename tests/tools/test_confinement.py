"""
Tests for L{openclaw.tools.confinement}.
"""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.tools.confinement import (
    MAX_DEPTH,
    MAX_LINKS,
    PathRefused,
    Workspace,
)
from tests.tools.tool_case import openFiles

SWAP_DIRECTORY = """
import os, sys
os.symlink(sys.argv[1], "link")
print("swapping", flush=True)
while True:
    os.rename("d", "spare")
    os.rename("link", "d")
    os.rename("d", "link")
    os.rename("spare", "d")
"""

SWAP_FILE = """
import os, sys
os.link("f", "spare")
print("swapping", flush=True)
while True:
    os.symlink(sys.argv[1] + "/file", "next")
    os.rename("next", "f")
    os.link("spare", "next")
    os.rename("next", "f")
"""

OUTSIDE = "it is outside the workspace"
NO_PATH = "it is not a valid path"


class WorkspaceTestCase(SynchronousTestCase):
    """
    A workspace, and a secret file outside of it.
    """

    def setUp(self):
        top = Path(self.mktemp()).absolute()
        self.root = top / "workspace"
        (self.root / "sub").mkdir(parents=True)
        (self.root / "sub" / "file").write_text("inner")
        (self.root / "file").write_text("own")
        self.outside = top / "outside"
        self.outside.mkdir()
        (self.outside / "file").write_text("secret")
        self.space = Workspace(self.root)
        self.addCleanup(lambda: self.assertEqual(openFiles(top), []))

    def contents(self, path):
        """
        Return the content of a file of the workspace.
        """
        with open(self.space.openFile(path)) as file:
            return file.read()

    def assertRefused(self, path, why):
        """
        Assert that a path can be neither read, listed nor created.
        """
        for attempt in [
            self.contents,
            lambda path: self.space.directory(path).__enter__(),
            lambda path: self.space.target(path).__enter__(),
            lambda path: self.space.target(path, makeParents=True).__enter__(),
        ]:
            with self.assertRaises(PathRefused) as caught:
                attempt(path)
            self.assertEqual(str(caught.exception), why)


class InsideTests(WorkspaceTestCase):
    """
    Paths within the workspace are found in any spelling.
    """

    def test_relative(self):
        """
        Paths are relative to the workspace.
        """
        for path in ["file", "./file", "sub/../file", "sub//..//file", ".//./file"]:
            self.assertEqual(self.contents(path), "own", path)
        self.assertEqual(self.contents("sub/file"), "inner")

    def test_absolute(self):
        """
        Absolute paths within the workspace are accepted.
        """
        self.assertEqual(self.contents(f"{self.root}/sub/file"), "inner")

    def test_rootBehindLink(self):
        """
        The workspace may be reached through a link, and absolute paths may use either
        name.
        """
        link = self.root.parent / "link"
        link.symlink_to(self.root)
        self.space = Workspace(link)
        for path in ["file", f"{link}/file", f"{self.root}/file"]:
            self.assertEqual(self.contents(path), "own")

    def test_root(self):
        """
        The workspace itself can be opened.
        """
        for path in [".", "sub/..", str(self.root), f"{self.root}/"]:
            with self.space.directory(path) as directory:
                self.assertEqual(sorted(os.listdir(directory)), ["file", "sub"])

    def test_unicode(self):
        """
        Names may be in any script, and may be invalid Unicode.
        """
        for name in ["Füße", "文件", "a b\n", "-rf", "~", os.fsdecode(b"\xff\xfe")]:
            (self.root / name).write_text("this one")
            self.assertEqual(self.contents(name), "this one", ascii(name))

    def test_links(self):
        """
        Links within the workspace work: relative and absolute ones, to files and
        directories.
        """
        (self.root / "a").symlink_to("sub")
        (self.root / "sub" / "b").symlink_to("../file")
        (self.root / "c").symlink_to(self.root / "sub" / "b")
        for path, expected in [
            ("a/file", "inner"),
            ("a/b", "own"),
            ("c", "own"),
            ("a/../file", "own"),
        ]:
            self.assertEqual(self.contents(path), expected, path)

    def test_missing(self):
        """
        A new file can be created in an existing directory.
        """
        with self.space.target("sub/new") as place:
            self.assertEqual(place.name, "new")
        with self.assertRaises(FileNotFoundError), self.space.target("no/new"):
            pass
        with self.space.target("no/such/new", makeParents=True) as place:
            self.assertEqual(place.name, "new")
        self.assertTrue((self.root / "no" / "such").is_dir())


class EscapeTests(WorkspaceTestCase):
    """
    Paths outside of the workspace are refused in any spelling.
    """

    def test_parents(self):
        """
        C{..} does not leave the workspace.
        """
        for path in [
            "..",
            "../outside/file",
            "sub/../../outside/file",
            "./../workspace/file",
            f"{self.root}/../outside/file",
        ]:
            self.assertRefused(path, OUTSIDE)

    def test_absolute(self):
        """
        Other absolute paths are refused, also with a common prefix.
        """
        beside = Path(f"{self.root}2")
        beside.mkdir()
        for path in ["/", "/etc/passwd", "//etc", str(self.outside), str(beside)]:
            self.assertRefused(path, OUTSIDE)

    def test_links(self):
        """
        Links out of the workspace are refused: to a file, to a directory, with C{..},
        to another such link, and to a missing file.
        """
        (self.root / "file2").symlink_to(self.outside / "file")
        (self.root / "dir").symlink_to(self.outside)
        (self.root / "dots").symlink_to("../outside")
        (self.root / "twice").symlink_to("dir")
        (self.root / "new").symlink_to(self.outside / "new")
        for path in ["file2", "dir/file", "dots/file", "twice/file", "new", "dir"]:
            self.assertRefused(path, OUTSIDE)
        self.assertEqual(os.listdir(self.outside), ["file"])

    def test_proc(self):
        """
        The links in C{/proc} of every process are refused.
        """
        for target in ["/proc/self/root", "/proc/self/cwd", "/proc/self/fd"]:
            link = self.root / "link"
            link.symlink_to(target)
            self.assertRefused("link/etc", OUTSIDE)
            self.assertRefused(f"{target}/etc", OUTSIDE)
            link.unlink()

    def test_circles(self):
        """
        Circular links are refused.
        """
        (self.root / "a").symlink_to("b")
        (self.root / "b").symlink_to("a")
        self.assertRefused("a", "it leads through too many symbolic links")
        self.assertRefused("a/x", "it leads through too many symbolic links")

    def test_manyLinks(self):
        """
        As many links as Linux follows are followed, and no more.
        """
        (self.root / "0").symlink_to("file")
        for number in range(MAX_LINKS):
            (self.root / str(number + 1)).symlink_to(str(number))
        self.assertEqual(self.contents(str(MAX_LINKS - 1)), "own")
        self.assertRefused(str(MAX_LINKS), "it leads through too many symbolic links")

    def test_noPaths(self):
        """
        Invalid paths are refused.
        """
        for path in ["", "a\0b", "\0", "a/" * 3000, "\ud800"]:
            self.assertRefused(path, NO_PATH)

    def test_deep(self):
        """
        The depth is limited, since each level costs an open file.
        """
        deep = "/".join(["d"] * (MAX_DEPTH + 2))
        (self.root / deep).mkdir(parents=True)
        self.assertRefused(f"{deep}/x", "it is too deep below the workspace")

    def test_swappedDirectory(self):
        """
        A directory that is repeatedly replaced by a link to the outside never leads
        there.
        """
        (self.root / "d").mkdir()
        (self.root / "d" / "file").write_text("own")
        self.assertNeverOutside(SWAP_DIRECTORY, "d/file")

    def test_swappedFile(self):
        """
        A file that is repeatedly replaced by a link to the outside never leads there.
        """
        (self.root / "f").write_text("own")
        self.assertNeverOutside(SWAP_FILE, "f")

    def assertNeverOutside(self, script, path):
        """
        Assert that only files inside are read while another process replaces them.
        """
        swapping = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", script, str(self.outside)],
            cwd=self.root,
            stdout=subprocess.PIPE,
        )
        try:
            swapping.stdout.readline()
            read = {self._attempt(path) for _ in range(10_000)}
            # On a busy machine it can be long until the other has its turn.
            for _ in range(1_000_000):
                if {"own", None} <= read:
                    break
                read.add(self._attempt(path))
        finally:
            swapping.kill()
            swapping.communicate()
        self.assertEqual(read, {"own", None})

    def _attempt(self, path):
        try:
            return self.contents(path)
        except (PathRefused, OSError):
            return None

    @given(
        st.lists(
            st.sampled_from(
                ["..", ".", "", "sub", "file", "out", "in", "up", "new", "/", "~"]
            ),
            max_size=8,
        )
    )
    def test_anyPath(self, parts):
        """
        No path leaves the workspace.
        """
        for name, target in [("out", "../outside"), ("in", "sub"), ("up", "sub/..")]:
            if not os.path.lexists(self.root / name):
                (self.root / name).symlink_to(target)
        try:
            contents = self.contents("/".join(parts))
        except (PathRefused, OSError):
            return
        self.assertIn(contents, ["own", "inner"])


class KindTests(WorkspaceTestCase):
    """
    Only regular files are opened.
    """

    def refusal(self, path):
        """
        Return the reason why a path is refused.
        """
        with self.assertRaises(PathRefused) as caught:
            self.contents(path)
        return str(caught.exception)

    def test_directory(self):
        """
        A directory is refused.
        """
        self.assertEqual(self.refusal("sub"), "it is a directory")
        self.assertEqual(self.refusal("."), "it is a directory")

    def test_pipe(self):
        """
        A pipe is refused, since opening it could block.
        """
        os.mkfifo(self.root / "pipe")
        self.assertEqual(self.refusal("pipe"), "it is not a regular file")

    def test_fileAsDirectory(self):
        """
        A path below a file is refused.
        """
        with self.assertRaises(NotADirectoryError):
            self.contents("file/x")
        with self.assertRaises(NotADirectoryError), self.space.directory("file"):
            pass
