"""
Tests of the tools for files with what is very large: nothing is built, read or listed
beyond its bound.
"""

import os
from pathlib import Path
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from openclaw.interfaces import ToolError
from openclaw.net.threads import Stopped
from openclaw.tools import file_contents as contents
from openclaw.tools import file_tools as files
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import (
    BLOCK_BYTES,
    MAX_EDIT_BYTES,
    MAX_SCAN_BYTES,
    readLines,
)
from tests.tools.file_case import FileToolTestCase


class EditTests(FileToolTestCase):
    """
    The size of what comes of it is known before it is made.
    """

    async def test_tooLarge(self):
        """
        A replacement that would make the file too large is refused with the figure,
        and the file stays.
        """
        path = self.put("a.txt", "x" * MAX_EDIT_BYTES)
        told = await self.failing(self.edit("a.txt", "x", "y" * 300, replaceAll=True))
        self.assertIn(str(300 * MAX_EDIT_BYTES), told)
        self.assertIn(str(MAX_EDIT_BYTES), told)
        self.assertEqual(path.read_text(), "x" * MAX_EDIT_BYTES)
        self.assertEqual(self.names(), ["a.txt"])

    async def test_fits(self):
        """
        One that just fits is made.
        """
        path = self.put("a.txt", "ab" * 1000)
        self.patch(files, "MAX_EDIT_BYTES", 3000)
        await self.edit("a.txt", "a", "cc", replaceAll=True)
        self.assertEqual(path.read_text(), "ccb" * 1000)
        told = await self.failing(self.edit("a.txt", "b", "dd", replaceAll=True))
        self.assertIn("4000 bytes after 1000 replacements", told)

    async def test_write(self):
        """
        So much can be written, too, and no more.
        """
        self.patch(contents, "MAX_EDIT_BYTES", 3000)
        await self.write("a.txt", "x" * 3000)
        told = await self.failing(self.write("a.txt", "y" * 3001))
        self.assertIn("3001", told)
        self.assertEqual((self.workspace / "a.txt").read_text(), "x" * 3000)


class ReadTests(FileToolTestCase):
    """
    Lines are counted a block at a time.
    """

    def lines(self, path: str, first: int, count: int = 1, stop=None) -> str:
        """
        Read some lines.
        """
        space = Workspace(self.workspace)
        return readLines(space, path, first, count, stop or Event())

    def sparse(self, size: int) -> Path:
        """
        A file of text at its beginning, and of nothing behind it.
        """
        path = self.put("large", "x" * 10_000)
        os.truncate(path, size)
        return path

    def test_sparse(self):
        """
        The size of a file does not matter: it is read as far as needed.
        """
        self.sparse(10 * 2**30)
        error = self.assertRaises(ToolError, self.lines, "large", 10**9)
        self.assertIn("too far into the file", str(error))
        shown = self.lines("large", 1)
        self.assertIn("line 1 is too long and cut here", shown)

    def test_longLine(self):
        """
        The line behind a very long one is found.
        """
        self.put("a.txt", "x" * (3 * BLOCK_BYTES) + "\nnext\n")
        self.assertEqual(self.lines("a.txt", 2), "next\n")

    def test_far(self):
        """
        So is one far behind, and the last one, with and without its end.
        """
        count = 1_000_000
        self.put("a.txt", "\n" * (count - 1) + "last")
        self.assertEqual(self.lines("a.txt", count), "last")
        error = self.assertRaises(ToolError, self.lines, "a.txt", count + 1)
        self.assertEqual(str(error), f"a.txt: it has only {count} lines")
        self.put("a.txt", "\n" * count)
        error = self.assertRaises(ToolError, self.lines, "a.txt", count + 1)
        self.assertEqual(str(error), f"a.txt: it has only {count} lines")

    def test_hugeNumbers(self):
        """
        Numbers of any size are numbers of lines.
        """
        self.put("a.txt", "1\n2")
        self.assertEqual(self.lines("a.txt", 1, 10**30), "1\n2")
        self.assertRaises(ToolError, self.lines, "a.txt", 10**30)

    def test_stopped(self):
        """
        It stops between two blocks.
        """
        self.sparse(MAX_SCAN_BYTES)
        stop = Event()
        stop.set()
        self.assertRaises(Stopped, self.lines, "large", 10**9, stop=stop)

    @given(
        st.lists(st.sampled_from(["", "a", "bcd"]), min_size=1, max_size=30),
        st.integers(1, 31),
        st.integers(1, 7),
    )
    def test_blocks(self, lines, first, size):
        """
        Wherever blocks end, a line is found where it is.
        """
        self.patch(contents, "BLOCK_BYTES", size)
        self.put("a.txt", "\n".join([*lines, "end"]))
        if first <= len(lines):
            shown = self.lines("a.txt", first)
            self.assertEqual(shown.partition("\n")[0], lines[first - 1])
        elif first > len(lines) + 1:
            error = self.assertRaises(ToolError, self.lines, "a.txt", first)
            self.assertIn(f"only {len(lines) + 1} lines", str(error))


class ListTests(FileToolTestCase):
    """
    Of a very large directory some names are shown.
    """

    async def test_bounded(self):
        """
        No more entries are looked at than there may be; that there are more is said.
        """
        self.patch(files, "MAX_SCANNED", 20)
        self.patch(files, "MAX_ENTRIES", 10)
        for number in range(30):
            self.put(f"f{number:02}", "")
        lines = (await self.ls()).splitlines()
        self.assertEqual(len(lines), 11)
        self.assertEqual(lines[:10], sorted(lines[:10]))
        self.assertEqual(lines[-1], "[more than 20 entries; only some are shown]")
