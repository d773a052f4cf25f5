"""
Tests for L{openclaw.tools.grep}.
"""

import os

from openclaw.tools.grep import DEFAULT_FOUND, MAX_FOUND, GrepTool
from openclaw.tools.grep_main import (
    MAX_FILE_BYTES,
    MAX_LINE_CHARACTERS,
    MAX_OUTPUT_CHARACTERS,
)
from tests.tools.tool_case import ToolTestCase, appearing, childProcesses, openFiles

CATASTROPHE = r"(a+)+$"
"""
Takes a time that doubles with each character of a line that has many of them.
"""


class GrepTestCase(ToolTestCase):
    """
    A test case with C{grep}.
    """

    def tearDown(self):
        """
        Check that no process is left.
        """
        self.assertEqual(childProcesses(), [])
        self.assertEqual(openFiles(self.workspace), [])

    def grep(self, pattern, settings=None, **more):
        """
        Call the tool.
        """
        arguments = {"pattern": pattern, **more}
        return GrepTool().run(arguments, self.context(settings=settings))


class FindingTests(GrepTestCase):
    """
    Matching lines are found.
    """

    async def test_tree(self):
        """
        Matches are sorted, with their paths and line numbers.
        """
        self.put("b/y.txt", "no\nneedle 2\n")
        self.put("b/x.txt", "needle 1")
        self.put("a.txt", "one\ntwo needles\r\n")
        self.assertEqual(
            await self.grep("needle"),
            "a.txt:2:two needles\nb/x.txt:1:needle 1\nb/y.txt:2:needle 2",
        )

    async def test_below(self):
        """
        A search can be of a directory or a file; paths stay relative to the workspace.
        """
        self.put("a.txt", "needle")
        self.put("b/c/x.txt", "needle")
        self.put("a/z", "hay")
        for path in ["b", "b/c", "./b/", "b/c/x.txt", "a/../b"]:
            self.assertEqual(await self.grep("needle", path=path), "b/c/x.txt:1:needle")

    async def test_nothing(self):
        """
        No match gives a note.
        """
        self.put("a.txt", "hay")
        self.assertEqual(await self.grep("needle"), "[nothing found]")

    async def test_expression(self):
        """
        A pattern is a regular expression unless it is literal, and case-sensitive
        unless case is ignored.
        """
        self.put("a.txt", "a.c\nabc\nA.C\n")
        self.assertEqual(await self.grep("^a.c"), "a.txt:1:a.c\na.txt:2:abc")
        self.assertEqual(await self.grep("a.c", literal=True), "a.txt:1:a.c")
        self.assertEqual(
            await self.grep("a.c", literal=True, ignoreCase=True),
            "a.txt:1:a.c\na.txt:3:A.C",
        )

    async def test_include(self):
        """
        Files can be selected by name or path.
        """
        self.put("a.py", "needle")
        self.put("a.txt", "needle")
        self.put("b/a.py", "needle")
        self.assertEqual(
            await self.grep("needle", include="*.py"), "a.py:1:needle\nb/a.py:1:needle"
        )
        self.assertEqual(await self.grep("needle", include="b/*"), "b/a.py:1:needle")

    async def test_wrongExpression(self):
        """
        The error message says what is wrong with the pattern.
        """
        told = await self.failing(self.grep("(a"))
        self.assertIn("not a valid regular expression: missing )", told)

    async def test_unicode(self):
        """
        Names and text may be in any script; a name cannot span lines.
        """
        self.put("文件\n.txt", "Füße")
        (self.workspace / os.fsdecode(b"\xff")).write_bytes(b"F\xfc\xdfe F\xc3\xbc")
        self.assertEqual(
            await self.grep("Fü"),
            "\\u6587\\u4ef6\\n.txt:1:Füße\n\\xff:1:F\\xfc\\xdfe Fü",
        )


class BoundsTests(GrepTestCase):
    """
    A search is limited.
    """

    async def test_count(self):
        """
        The number of lines is limited.
        """
        self.put("a.txt", "x\n" * (MAX_FOUND + 1))
        lines = (await self.grep("x")).split("\n")
        self.assertEqual(len(lines), DEFAULT_FOUND + 1)
        self.assertEqual(lines[-1], "[there is more; narrow the search]")
        lines = (await self.grep("x", limit=2)).split("\n")
        self.assertEqual(lines[:2], ["a.txt:1:x", "a.txt:2:x"])
        self.assertEqual(len(lines), 3)

    async def test_size(self):
        """
        Long lines are truncated, and the output is limited.
        """
        self.put("a.txt", ("x" * 10_000 + "\n") * MAX_FOUND)
        text = await self.grep("x", limit=MAX_FOUND)
        self.assertLess(len(text), MAX_OUTPUT_CHARACTERS + MAX_LINE_CHARACTERS + 100)
        self.assertIn("[there is more; narrow the search]", text)

    async def test_leftOut(self):
        """
        Binary and very large files, pipes and version control are skipped; the first
        two are counted.
        """
        self.put("a.bin", b"needle\0")
        os.truncate(self.put("b.log", "needle"), MAX_FILE_BYTES + 1)
        os.mkfifo(self.workspace / "pipe")
        self.put(".git/x", "needle")
        self.put("c", "needle")
        self.assertEqual(
            await self.grep("needle"),
            "c:1:needle\n[binary files left out: 1]\n[very large files left out: 1]",
        )

    async def test_catastrophe(self):
        """
        A pattern that takes forever is stopped; its matches so far are returned.
        """
        self.put("a.txt", "aaa\n")
        self.put("b.txt", "a" * 60 + "b\n")
        text = await self.grep(CATASTROPHE, {"timeoutSeconds": 1})
        self.assertEqual(
            text, "a.txt:1:aaa\n[the search was stopped after 1 s; narrow it]"
        )

    async def test_fruitlessCatastrophe(self):
        """
        Without a match before the time-out, the call fails.
        """
        self.put("b.txt", "a" * 60 + "b\n")
        told = await self.failing(self.grep(CATASTROPHE, {"timeoutSeconds": 0.3}))
        self.assertEqual(told, "[the search was stopped after 0.3 s; narrow it]")

    async def test_cancel(self):
        """
        A cancelled search, waiting or running, has ended when the call has.
        """
        self.put("b.txt", "a" * 60 + "b\n")
        await self.cancelling(self.grep(CATASTROPHE))
        call = self.grep(CATASTROPHE)
        await appearing(childProcesses)
        await self.cancelling(call)
        self.assertEqual(childProcesses(), [])


class ConfinedTests(GrepTestCase):
    """
    A search stays in the workspace.
    """

    async def test_outside(self):
        """
        Paths outside of the workspace are refused.
        """
        (self.workspace / "dir").symlink_to(self.outside)
        (self.workspace / "file").symlink_to(self.outside / "secret")
        for path in ["..", "/", "dir", "file", str(self.outside)]:
            told = await self.failing(self.grep("secret", path=path))
            self.assertEqual(told, f"{path}: it is outside the workspace")

    async def test_links(self):
        """
        Links below the start are not followed.
        """
        (self.workspace / "dir").symlink_to(self.outside)
        (self.workspace / "file").symlink_to(self.outside / "secret")
        self.assertEqual(await self.grep("secret"), "[nothing found]")

    async def test_missing(self):
        """
        A missing path is an error.
        """
        told = await self.failing(self.grep("x", path="none"))
        self.assertEqual(told, "none: No such file or directory")
