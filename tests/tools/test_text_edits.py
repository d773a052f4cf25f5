"""
Tests for L{openclaw.tools.text_edits} and L{openclaw.tools.edit_hints}: the place and
the line ends of an edit.
"""

import time
import unicodedata
from threading import Event

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.tools import text_edits as edits
from openclaw.tools.edit_hints import describeNearest
from openclaw.tools.text_edits import EditRefused, planEdit
from tests.tools.file_case import FileToolTestCase

TEXT = st.text(st.sampled_from("ab\n"), max_size=12)
MIXED = st.lists(st.sampled_from(["a", "b", "\n", "\r\n"]), max_size=16).map("".join)


class PlanTests(SynchronousTestCase):
    """
    The places to replace are found.
    """

    @given(TEXT, TEXT.filter(bool), TEXT, TEXT, st.booleans())
    def test_exactly(self, before, old, new, after, replaceAll):
        """
        Only the given text is replaced, and never one of several.
        """
        text = before + old + after
        places = [n for n in range(len(text)) if text.startswith(old, n)]
        try:
            edit = planEdit(text, old, new, replaceAll, Event())
        except EditRefused:
            self.assertGreater(len(places), 1)
            self.assertFalse(replaceAll)
            return
        self.assertTrue(replaceAll or len(places) == 1)
        self.assertEqual(edit.count, text.count(old))
        self.assertEqual(edit.apply(text), text.replace(old, new))
        self.assertEqual(edit.overlapping, replaceAll and len(places) > edit.count)

    @given(MIXED, TEXT.filter(bool), TEXT)
    def test_mixed(self, text, old, new):
        """
        In a text of LF and CRLF a model sees one kind of line end.  Each occurrence is
        replaced, and no line end changes that is not replaced.
        """
        plain = text.replace("\r\n", "\n")
        edit = planEdit(text, old, new, True, Event())
        self.assertEqual(edit.count, plain.count(old))
        after = edit.apply(text)
        self.assertEqual(after.replace("\r\n", "\n"), plain.replace(old, new))
        if "\n" not in text.replace("\r\n", ""):
            self.assertEqual(
                after.count("\r\n") and after.count("\n"), after.count("\r\n")
            )


class LineEndTests(FileToolTestCase):
    """
    A file keeps its line ends wherever text is put in.
    """

    async def check(self, before, old, new, after, **more):
        path = self.put("a", before)
        await self.edit("a", old, new, **more)
        self.assertEqual(path.read_bytes(), after)

    async def test_matched(self):
        """
        A model's LF matches CRLF in the file, which stays.
        """
        await self.check(
            b"1\r\n2\r\n3\r\n", "1\n2\n", "one\ntwo\n", b"one\r\ntwo\r\n3\r\n"
        )

    async def test_inserted(self):
        """
        So do line ends that are new, in every occurrence.
        """
        await self.check(b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n")
        await self.check(
            b"x\r\nx\r\n", "x", "y\nz", b"y\r\nz\r\ny\r\nz\r\n", replaceAll=True
        )
        await self.check(b"a\r\nb\r\n", "a\r\n", "c\n", b"c\r\nb\r\n")
        await self.check(b"\r\nb", "\nb", "\n\nc", b"\r\n\r\nc")

    async def test_LF(self):
        """
        A file of LF stays one, also if a model writes CRLF throughout.
        """
        await self.check(b"a\nb\n", "a\r\nb", "c\r\nd", b"c\nd\n")
        await self.check(b"a\nb\n", "b", "b\nc", b"a\nb\nc\n")

    async def test_mixed(self):
        """
        In a file of both, a line end is that of its place.
        """
        await self.check(b"a\nb\r\nc\n", "b", "b\nx", b"a\nb\r\nx\r\nc\n")
        await self.check(b"a\nb\r\nc\n", "a", "a\nx", b"a\nx\nb\r\nc\n")
        await self.check(
            b"a\nb\r\na\r\nb\r\n",
            "a\nb",
            "c\nd",
            b"c\nd\r\nc\r\nd\r\n",
            replaceAll=True,
        )

    async def test_mixedAmbiguous(self):
        """
        Occurrences with other line ends count.
        """
        path = self.put("a", b"a\nb\r\na\r\nb\r\n")
        told = await self.failing(self.edit("a", "a\nb", "c"))
        self.assertIn("oldText occurs 2 times", told)
        self.assertEqual(path.read_bytes(), b"a\nb\r\na\r\nb\r\n")

    async def test_manyMixed(self):
        """
        The number of occurrences that are replaced one by one is limited.
        """
        self.patch(edits, "MAX_MIXED", 2)
        self.put("a", b"x\nx\r\nx")
        told = await self.failing(self.edit("a", "x", "y\n", replaceAll=True))
        self.assertIn("occurs 3 times in a file that has both LF and CRLF", told)


class OverlapTests(FileToolTestCase):
    """
    Overlapping occurrences are occurrences.
    """

    async def test_ambiguous(self):
        """
        Two that overlap are ambiguous, and the file stays.
        """
        for text, old in [("foo\n" * 3, "foo\nfoo\n"), ("aaa", "aa"), ("ababa", "aba")]:
            path = self.put("a", text)
            told = await self.failing(self.edit("a", old, "x"))
            self.assertIn("oldText occurs 2 times", told)
            self.assertEqual(path.read_text(), text)

    async def test_all(self):
        """
        C{replaceAll} replaces from the left, and the result says so.
        """
        path = self.put("a", "\n\n\n\n\nx")
        told = await self.edit("a", "\n\n", "\n", replaceAll=True)
        self.assertEqual(
            told, "Changed a: replaced 2 times, from the left, since some overlap."
        )
        self.assertEqual(path.read_text(), "\n\n\nx")
        told = await self.edit("a", "\n", "-", replaceAll=True)
        self.assertEqual(told, "Changed a: replaced 3 times.")

    async def test_many(self):
        """
        No more are counted than are of use.
        """
        self.put("a", "x" * 5000)
        told = await self.failing(self.edit("a", "x", "y"))
        self.assertIn("oldText occurs more than 1000 times", told)


class HintTests(FileToolTestCase):
    """
    If the text is not found, the nearest lines are shown with what differs.
    """

    async def check(self, text, old, *parts):
        path = self.put("a", text)
        told = await self.failing(self.edit("a", old, "x"))
        self.assertTrue(
            told.startswith("a: oldText is not in the file\nNearest:\n"), told
        )
        for part in parts:
            self.assertIn(part, told)
        self.assertEqual(path.read_text(), text)

    async def test_overlooked(self):
        """
        Differences that can't be seen are named.
        """
        nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
        for text, old, *parts in [
            (
                "a\nx = 1  \ny\n",
                "x = 1\ny",
                "line 2: at column 6 the file has 2 times U+0020 SPACE, oldText has"
                " nothing",
            ),
            ("a\u00a0b\n", "a b", "U+00A0 NO-BREAK SPACE, oldText has U+0020 SPACE"),
            (
                "\tif x:\n",
                "    if x:",
                "the file has U+0009 TAB, oldText has 4 times U+0020 SPACE",
            ),
            (
                "say \u201chi\u201d\n",
                'say "hi"',
                "U+201C LEFT DOUBLE QUOTATION MARK",
                "U+201D RIGHT",
            ),
            ("it\u2019s\n", "it's", "U+2019 RIGHT SINGLE QUOTATION MARK"),
            ("a \u2013 b \u2014 c\n", "a - b - c", "U+2013 EN DASH", "U+2014 EM DASH"),
            (f"{nfd}\n", nfc, "U+0301 COMBINING ACUTE ACCENT"),
            (f"{nfc}\n", nfd, "U+00E9 LATIN SMALL LETTER E WITH ACUTE"),
            ("a\u200bb\n", "ab", "U+200B ZERO WIDTH SPACE, oldText has nothing"),
            ("end\u2026\n", "end...", "U+2026 HORIZONTAL ELLIPSIS"),
            ("a\x1b[1mb\n", "a\\x1b[1mb", "U+001B"),
        ]:
            await self.check(text, old, *parts)

    async def test_several(self):
        """
        Several places are shown, with their lines.
        """
        await self.check(
            "f(\u00a0)\n-\nf(\u00a0)\n", "f( )", "\n1: f(\u00a0)", "\n3: f(\u00a0)"
        )

    async def test_similar(self):
        """
        Else the most similar lines are shown.
        """
        await self.check(
            "import os\n\ndef compute_total(items):\n    return sum(items)\n",
            "def compute_totals(items):\n    return sum(items)",
            "\n3: def compute_total(items):\n4:     return sum(items)\n",
            "at column 18 the file has nothing, oldText has 's'",
        )

    async def test_lineEnd(self):
        """
        The end of a file without a line end is a difference.
        """
        await self.check("a\nlast", "last\n", "only the blank lines or line ends")

    async def test_same(self):
        """
        An edit that changes nothing is refused.
        """
        self.put("a", "text")
        told = await self.failing(self.edit("a", "text", "text"))
        self.assertEqual(told, "a: oldText and newText are the same")

    async def test_nothingLike(self):
        """
        Nothing is shown of a file that has nothing like it.
        """
        self.put("a", "one\ntwo\n")
        told = await self.failing(self.edit("a", "completely different", "x"))
        self.assertEqual(told, "a: oldText is not in the file")

    def test_bounded(self):
        """
        A large file takes no longer than the limit, and a long line is cut.
        """
        began = time.monotonic()
        describeNearest("some line of text here\n" * 300_000, "another line, not there")
        describeNearest("x" * 8_000_000, "y" * 2_000_000)
        describeNearest("}\n" * 200_000, "}\n" * 50_000 + "x\n}\n")
        describeNearest(" a\n" * 200_000, "a\n" * 100_000 + "a")
        told = describeNearest("a\u00a0" * 1_000_000, "a " * 1_000_000)
        self.assertLess(time.monotonic() - began, 20)
        self.assertLess(len(told), 2000)

    @given(st.text(), st.text(min_size=1))
    def test_anything(self, text, old):
        """
        Any text can be compared.
        """
        self.assertIsInstance(describeNearest(text, old), str)
