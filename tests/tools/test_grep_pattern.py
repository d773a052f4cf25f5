"""
Tests for L{openclaw.tools.grep_pattern}, and for the lines that C{grep} shows.
"""

import os
import re
import string
import subprocess
import sys
import warnings

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from openclaw.tools.file_tools import ReadTool
from openclaw.tools.grep import PACKAGES, GrepTool
from openclaw.tools.grep_pattern import BadPattern, LinePattern
from tests.tools.tool_case import ToolTestCase

PIECES = ["a", "b", "ab", "a*", "(b|c)", "[ab]", "[^a]", "a?", "b+", "a{2}", "|", "."]
PIECES += ["\\.", "\\w", "(?:ab)?", "^", "$", "(?=a)", "x", " "]


class PatternTests(SynchronousTestCase):
    """
    A pattern is one of Python's, or an error with the reason.
    """

    def test_classes(self):
        """
        The classes of POSIX work in sets, as ASCII.
        """
        for name, characters in {
            "alpha": string.ascii_letters,
            "digit": string.digits,
            "alnum": string.ascii_letters + string.digits,
            "upper": string.ascii_uppercase,
            "lower": string.ascii_lowercase,
            "space": string.whitespace,
            "blank": " \t",
            "punct": string.punctuation,
            "xdigit": string.hexdigits,
            "word": string.ascii_letters + string.digits + "_",
            "print": string.printable.strip() + " ",
            "graph": string.printable.strip(),
            "cntrl": "".join(map(chr, [*range(32), 127])),
        }.items():
            inside = LinePattern(f"^[[:{name}:]]$", False, False).search
            outside = LinePattern(f"^[[:^{name}:]]$", False, False).search
            negated = LinePattern(f"^[^[:{name}:]]$", False, False).search
            for code in range(1, 300):
                character = chr(code)
                if character == "\n":
                    continue
                expected = character in characters
                self.assertIs(bool(inside(character)), expected, (name, code))
                self.assertIs(bool(outside(character)), not expected, (name, code))
                self.assertIs(bool(negated(character)), not expected, (name, code))

    def test_sets(self):
        """
        Sets are those of Python, without its warnings.
        """
        for pattern, found, missed in [
            ("[[]", "[", "a"),
            ("[]a]", "]", "b"),
            ("[^]a]", "b", "]"),
            ("[[:digit:]a-]", "-", "b"),
            ("[\\]]", "]", "a"),
            ("[a&&b]", "&", "c"),
            ("x[[:space:]]+y", "x \ty", "xy"),
            ("\\[[:a]", "[:", "b"),
        ]:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                search = LinePattern(pattern, False, False).search
            self.assertTrue(search(found), pattern)
            self.assertFalse(search(missed), pattern)

    def test_refused(self):
        """
        A pattern that is not understood is refused.
        """
        for pattern, why in [
            ("(", "missing )"),
            ("[a", "unterminated character set"),
            ("*a", "nothing to repeat"),
            ("[:space:]", r"must be in a set: [[:space:]]"),
            ("[[:foo:]]", "there is no class [:foo:]"),
            ("[[.a.]]", "[.a.] is not supported"),
            ("[[=a=]]", "[=a=] is not supported"),
            ("\\p{L}", "bad escape \\p"),
            ("a\\nb", "can't match a line end"),
            ("a\nb", "can't match a line end"),
            ("a\\", "bad escape"),
            ("(?<n>a)", "unknown extension"),
        ]:
            with self.assertRaises(BadPattern, msg=pattern) as caught:
                LinePattern(pattern, False, False)
            self.assertIn(why, str(caught.exception))
        self.assertRaises(BadPattern, LinePattern, "a\nb", True, False)

    @given(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
        st.text(st.sampled_from("abcx. "), max_size=10),
    )
    def test_literal(self, pattern, line):
        """
        Each line that matches contains the literal.
        """
        try:
            made = LinePattern(pattern, False, False)
        except BadPattern:
            self.assertRaises(re.error, re.compile, pattern)
            return
        self.assertEqual(bool(made.search(line)), bool(re.search(pattern, line)))
        if re.search(pattern, line):
            self.assertIn(made.literal, line)

    def test_literals(self):
        """
        The longest required text is found.
        """
        for pattern, literal in [
            ("def foo", "def foo"),
            ("class \\w+Toolbox\\(", "Toolbox("),
            ("foos?bar", "foo"),
            ("a|b", ""),
            ("(a|bcd)ef", "ef"),
            ("(?i)abc", ""),
            ("ab{2}", "a"),
            ("\\x07abc\\u00e9", "abc"),
            ("a{12345}", ""),
        ]:
            self.assertEqual(LinePattern(pattern, False, False).literal, literal)
        self.assertEqual(LinePattern("a.c", True, False).literal, "a.c")
        self.assertEqual(LinePattern("abc", False, True).literal, "")


class LineTests(ToolTestCase):
    """
    Lines are shown with their match, and numbered as C{read} numbers them.
    """

    def grep(self, pattern, **more):
        return GrepTool().run({"pattern": pattern, **more}, self.context())

    async def test_longLine(self):
        """
        The match is shown in a long line, with marks where it is cut.
        """
        for before, after in [(0, 900), (5000, 5000), (900, 0), (0, 0), (90, 900)]:
            line = "<" * before + "needle" + ">" * after
            self.put("a.txt", line)
            shown = (await self.grep("needle")).removeprefix("a.txt:1:")
            self.assertIn("needle", shown)
            self.assertEqual(shown.startswith("[...]"), before > 100)
            self.assertEqual("[...] [columns" in shown, after > 300)
            if before + after:
                first, last = map(
                    int, re.search(r"columns (\d+) to (\d+)", shown).groups()
                )
                part = line[first - 1 : last]
                self.assertIn(part, shown)
                self.assertTrue(
                    (
                        await ReadTool().run(
                            {"path": "a.txt", "column": first}, self.context()
                        )
                    ).startswith(part)
                )

    async def test_numbers(self):
        """
        Only LF ends a line.
        """
        text = "a\rb\n\x0bc\x0c\n\x1cd\x85\u2028e\r\nneedle"
        self.put("a.txt", text)
        self.assertEqual(await self.grep("needle"), "a.txt:4:needle")
        read = await ReadTool().run({"path": "a.txt", "offset": 4}, self.context())
        self.assertEqual(read, "needle")

    async def test_emptyLines(self):
        """
        No line follows the last line end, and an empty file has none.
        """
        self.put("a.txt", "x\n\n")
        self.put("b.txt", "")
        self.assertEqual(await self.grep("^$"), "a.txt:2:")

    async def test_controls(self):
        """
        Control characters are shown in a readable form; CR at a line's end is only
        there for patterns about it.
        """
        self.put("a.txt", "x\x1b[1m\x00\r\n")
        self.assertEqual(
            await self.grep("x"), "[nothing found]\n[binary files left out: 1]"
        )
        self.put("a.txt", "x\x1b[1m\x07\r\n")
        self.assertEqual(await self.grep("x"), "a.txt:1:x\\x1b[1m\\x07")
        self.assertEqual(await self.grep("\\x07$"), "a.txt:1:x\\x1b[1m\\x07")
        self.assertEqual(await self.grep("\\r$"), "a.txt:1:x\\x1b[1m\\x07\\r")

    async def test_encodings(self):
        """
        Files in other encodings are searched as C{read} shows them.
        """
        for number, codec in enumerate(["cp1252", "utf-16", "utf-16-le", "utf-8-sig"]):
            self.put(f"{number}.txt", "caf\u00e9 cr\u00e8me\n".encode(codec))
        self.assertEqual(
            await self.grep("^caf\\w cr\u00e8"),
            "\n".join(f"{number}.txt:1:caf\u00e9 cr\u00e8me" for number in range(4)),
        )

    async def test_hints(self):
        """
        If nothing is found, what other programs understand otherwise is explained.
        """
        self.put("a.txt", "foo\nbar\n")
        for pattern, hint in [("foo\\|bar", "write | for"), ("\\<foo\\>", "write \\b")]:
            told = await self.grep(pattern)
            self.assertTrue(told.startswith("[nothing found: "), told)
            self.assertIn(hint, told)

    async def test_errors(self):
        """
        A wrong pattern is an error without anything of Python's.
        """
        self.put("a.txt", "x y")
        told = await self.failing(self.grep("[:space:]"))
        self.assertEqual(
            told,
            "The pattern is not a valid regular expression: the class [:space:] must be"
            " in a set: [[:space:]]",
        )
        self.assertEqual(await self.grep("x[[:space:]]y"), "a.txt:1:x y")
        self.assertEqual(await self.grep("[[]|x"), "a.txt:1:x y")

    async def test_unreadable(self):
        """
        Files that can't be read are counted.
        """
        if os.geteuid() == 0:
            raise SkipTest("the superuser can read all files")
        self.put("a.txt", "x").chmod(0)
        self.assertEqual(
            await self.grep("x"), "[nothing found]\n[unreadable files left out: 1]"
        )


class ProgramTests(SynchronousTestCase):
    """
    The program imports only what it needs, since it is started for each call.
    """

    def test_imports(self):
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]);"
            " from openclaw.tools import grep_main; print(*sys.modules)"
        )
        listed = subprocess.run(
            [sys.executable, "-I", "-S", "-c", script, str(PACKAGES)],
            capture_output=True,
            text=True,
            check=True,
        )
        ours = {name for name in listed.stdout.split() if name.startswith("openclaw")}
        self.assertEqual(
            ours,
            {"openclaw", "openclaw.tools"}
            | {f"openclaw.tools.grep_{part}" for part in ("main", "pattern")}
            | {f"openclaw.tools.{part}" for part in ("printable", "text_encoding")},
        )
        self.assertNotIn("charset_normalizer", listed.stdout)
