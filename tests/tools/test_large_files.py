"""
Tests of the tools for files with very large input: nothing is built, read or listed
beyond its limit.
"""

import os
from pathlib import Path
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from openclaw.interfaces import ToolError
from openclaw.net.threads import Stopped
from openclaw.tools import file_contents as contents
from openclaw.tools import file_reading as reading
from openclaw.tools import file_tools as files
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import MAX_EDIT_BYTES
from openclaw.tools.file_reading import (
    BLOCK_BYTES,
    MAX_SCAN_BYTES,
    MAX_TEXT_BYTES,
    readLines,
)
from tests.tools.file_case import FileToolTestCase


class EditTests(FileToolTestCase):
    """
    The size of the result is computed before it is built.
    """

    async def test_tooLarge(self):
        """
        A replacement that would make the file too large is refused with the size, and
        the file stays.
        """
        path = self.put("a.txt", "x" * MAX_EDIT_BYTES)
        told = await self.failing(self.edit("a.txt", "x", "y" * 300, replaceAll=True))
        self.assertIn(str(300 * MAX_EDIT_BYTES), told)
        self.assertIn(str(MAX_EDIT_BYTES), told)
        self.assertEqual(path.read_text(), "x" * MAX_EDIT_BYTES)
        self.assertEqual(self.names(), ["a.txt"])

    async def test_fits(self):
        """
        A result of exactly the limit is written.
        """
        path = self.put("a.txt", "ab" * 1000)
        self.patch(files, "MAX_EDIT_BYTES", 3000)
        await self.edit("a.txt", "a", "cc", replaceAll=True)
        self.assertEqual(path.read_text(), "ccb" * 1000)
        told = await self.failing(self.edit("a.txt", "b", "dd", replaceAll=True))
        self.assertIn("4000 bytes after 1000 replacements", told)

    async def test_write(self):
        """
        A file of exactly the limit can be written, and no larger one.
        """
        self.patch(contents, "MAX_EDIT_BYTES", 3000)
        await self.write("a.txt", "x" * 3000)
        told = await self.failing(self.write("a.txt", "y" * 3001))
        self.assertIn("3001", told)
        self.assertEqual((self.workspace / "a.txt").read_text(), "x" * 3000)


class ReadTests(FileToolTestCase):
    """
    Lines are counted by blocks.
    """

    def lines(self, path: str, first: int, count: int = 1, stop=None) -> str:
        space = Workspace(self.workspace)
        return readLines(space, path, first, count, stop or Event())

    def sparse(self, size: int) -> Path:
        """
        Make a sparse file with text at its beginning.
        """
        path = self.put("large", "x" * 100_000)
        os.truncate(path, size)
        return path

    def test_sparse(self):
        """
        A file is read only as far as needed.
        """
        self.sparse(10 * 2**30)
        error = self.assertRaises(ToolError, self.lines, "large", 10**9)
        self.assertIn("too far into the file", str(error))
        shown = self.lines("large", 1)
        self.assertEqual(len(shown.partition("\n")[0]), MAX_TEXT_BYTES)
        self.assertIn("go on with offset 1 and column 65537;", shown)

    def test_longLine(self):
        """
        The line after a very long one is found.
        """
        self.put("a.txt", "x" * (3 * BLOCK_BYTES) + "\nnext\n")
        self.assertEqual(self.lines("a.txt", 2), "next\n")

    def test_far(self):
        """
        A line far into the file is found, and the last one, with and without its end.
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
        Line numbers of any size are accepted.
        """
        self.put("a.txt", "1\n2")
        self.assertEqual(self.lines("a.txt", 1, 10**30), "1\n2")
        self.assertRaises(ToolError, self.lines, "a.txt", 10**30)

    def test_stopped(self):
        """
        Reading can be stopped between two blocks.
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
        Lines are found for any block size.
        """
        self.patch(reading, "BLOCK_BYTES", size)
        self.put("a.txt", "\n".join([*lines, "end"]))
        if first <= len(lines):
            shown = self.lines("a.txt", first)
            self.assertEqual(shown.partition("\n")[0], lines[first - 1])
        elif first > len(lines) + 1:
            error = self.assertRaises(ToolError, self.lines, "a.txt", first)
            self.assertIn(f"only {len(lines) + 1} lines", str(error))


class ListTests(FileToolTestCase):
    """
    Some names of a very large directory are returned.
    """

    async def test_bounded(self):
        """
        The number of entries read is limited, and the result says so.
        """
        self.patch(files, "MAX_SCANNED", 20)
        self.patch(files, "MAX_ENTRIES", 10)
        for number in range(30):
            self.put(f"f{number:02}", "")
        lines = (await self.ls()).splitlines()
        self.assertEqual(len(lines), 11)
        self.assertEqual(lines[:10], sorted(lines[:10]))
        self.assertEqual(lines[-1], "[more than 20 entries; only some are shown]")
