"""
Tests for L{openclaw.tools.file_tools}: reading files and directories.
"""

import os

from openclaw.interfaces import ToolError
from openclaw.tools.file_tools import (
    MAX_ENTRIES,
    MAX_LINES,
    ReadTool,
)
from tests.tools.file_case import FileToolTestCase
from tests.tools.tool_case import ToolTestCase


class ReadTests(FileToolTestCase):
    """
    Text is returned unchanged, in parts if it is long.
    """

    async def test_whole(self):
        """
        A short file is returned completely.
        """
        self.put("a.txt", "one\n  two\r\nthree")
        self.assertEqual(await self.read("a.txt"), "one\n  two\r\nthree")

    async def test_pieces(self):
        """
        A part says where the next one begins, except for the last one.
        """
        self.put("a.txt", "1\n2\n3\n4\n5\n")
        self.assertEqual(
            await self.read("a.txt", offset=2, limit=2),
            "2\n3\n[lines 2 to 3; go on with offset 4; the file has 10 bytes]",
        )
        self.assertEqual(await self.read("a.txt", offset=4, limit=2), "4\n5\n")

    async def test_manyLines(self):
        """
        There is a default limit.
        """
        self.put("a.txt", "x\n" * (MAX_LINES + 1))
        text = await self.read("a.txt")
        self.assertIn(f"go on with offset {MAX_LINES + 1};", text)

    async def test_hugeFile(self):
        """
        The beginning of a huge file can be read; lines too far into it cannot.
        """
        path = self.put("huge", "first\n")
        with path.open("ab") as file:
            file.write((b"y" * 999 + b"\n") * 100)
            file.truncate(1 << 40)
        self.assertTrue((await self.read("huge", limit=1)).startswith("first\n["))
        self.assertIn(
            "is too far into the file",
            await self.failing(self.read("huge", offset=1_000_000)),
        )

    async def test_beyond(self):
        """
        An offset beyond the end is an error.
        """
        self.put("a.txt", "1\n2\n")
        told = await self.failing(self.read("a.txt", offset=9))
        self.assertEqual(told, "a.txt: it has only 2 lines")

    async def test_empty(self):
        """
        An empty file gives a note.
        """
        self.put("a.txt")
        self.assertEqual(await self.read("a.txt"), "[the file is empty]")

    async def test_binary(self):
        """
        A binary file is an error.
        """
        self.put("a.bin", b"\x7fELF\0\1\2")
        told = await self.failing(self.read("a.bin"))
        self.assertEqual(told, "a.bin: it is a binary file of 7 bytes")

    async def test_unreadable(self):
        """
        The error message says why a file cannot be read, without absolute paths.
        """
        self.put("d/x", "")
        (self.workspace / "link").symlink_to(self.outside / "secret")
        for path, why in [
            ("none", "No such file or directory"),
            ("d", "it is a directory"),
            ("../outside/secret", "it is outside the workspace"),
            ("link", "it is outside the workspace"),
            (str(self.outside / "secret"), "it is outside the workspace"),
        ]:
            told = await self.failing(self.read(path))
            self.assertEqual(told, f"{path}: {why}")

    async def test_noWorkspace(self):
        """
        An agent without a workspace cannot read files.
        """
        context = self.context(workspace=None)
        told = await self.failing(ReadTool().run({"path": "a"}, context))
        self.assertEqual(told, "This agent has no workspace.")


class ListTests(FileToolTestCase):
    """
    A directory is listed.
    """

    async def test_kinds(self):
        """
        Each entry has a line that shows its kind.
        """
        self.put("b.txt", "12345")
        self.put("a/x")
        (self.workspace / "out").symlink_to(self.outside)
        self.assertEqual(await self.ls(), "a/\nb.txt  5\nout@")
        self.assertEqual(await self.ls(path="a"), "x  0")

    async def test_empty(self):
        """
        An empty directory gives a note.
        """
        self.assertEqual(await self.ls(path="."), "[the directory is empty]")

    async def test_strangeNames(self):
        """
        A name cannot span lines or break the result.
        """
        self.put("a\nb")
        self.put("文件")
        (self.workspace / os.fsdecode(b"\xff")).write_text("")
        self.assertEqual(await self.ls(), "a\\nb  0\n文件  0\n\\xff  0")

    async def test_many(self):
        """
        The list of a very full directory is truncated.
        """
        for number in range(MAX_ENTRIES + 3):
            self.put(f"{number:05}")
        lines = (await self.ls()).split("\n")
        self.assertEqual(len(lines), MAX_ENTRIES + 1)
        self.assertEqual(lines[-1], "[3 more are not shown]")

    async def test_outside(self):
        """
        Nothing outside is listed.
        """
        (self.workspace / "out").symlink_to(self.outside)
        for path in ["..", "/", "out", str(self.outside)]:
            told = await self.failing(self.ls(path=path))
            self.assertEqual(told, f"{path}: it is outside the workspace")

    async def test_file(self):
        """
        A file cannot be listed.
        """
        self.put("a")
        self.assertEqual(await self.failing(self.ls(path="a")), "a: Not a directory")


class ThreadTests(ToolTestCase):
    """
    Errors in a thread are raised unchanged.
    """

    def test_failure(self):
        """
        The call fails with the error that the thread raised.
        """
        call = ReadTool().run({"path": "none"}, self.context())
        return self.assertFailure(call, ToolError)
