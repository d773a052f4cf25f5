"""
Tests for L{openclaw.tools.file_reading} and L{openclaw.tools.text_encoding}: pages,
long lines, and encodings.
"""

import re
import unicodedata
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from openclaw.tools import file_reading as reading
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import MAX_EDIT_BYTES
from openclaw.tools.file_reading import MAX_TEXT_BYTES, readLines
from tests.tools.file_case import FileToolTestCase

GOES_ON = re.compile(
    r"\n\[(.*?); go on with offset (\d+)(?: and column (\d+))?;.*\]$", re.S
)

ENCODED = [
    ("gb18030", "gb18030", "\u4f60\u597d\uff0c\u4e16\u754c\n" * 50),
    (
        "windows-1251",
        "cp1251",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440\n",
    ),
    ("euc-kr", "cp949", "# \uc8fc\uc11d \uc785\ub2c8\ub2e4\n"),
    ("windows-1252", "cp1252", "caf\u00e9 cr\u00e8me, na\u00efve fa\u00e7ade\n"),
    (
        "windows-1251",
        "cp1251",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440. "
        "\u041a\u0430\u043a \u0434\u0435\u043b\u0430?\n" * 3,
    ),
    (
        "gb18030",
        "gb18030",
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u8fd9\u662f\u4e00\u4e2a\u7f16\u7801\u6d4b\u8bd5\u6587\u4ef6\u3002\n"
        * 3,
    ),
    (
        "shift_jis",
        "cp932",
        "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3002\u3053\u308c\u306f\u30c6\u30b9\u30c8\u3067\u3059\u3002\n"
        * 3,
    ),
    ("ISO-2022-JP", "iso2022_jp", "\u65e5\u672c\u8a9e\u3067\u3059\n"),
    ("UTF-16-LE", "utf-16-le", "plain text without a mark\n"),
    ("UTF-16-BE", "utf-16-be", "plain text without a mark\n"),
]
MARKED = [("UTF-16", "utf-16"), ("UTF-32", "utf-32")]


class PagesTestCase(FileToolTestCase):
    """
    A test case that reads files in pages.
    """

    def page(self, offset=1, limit=2000, column=1):
        space = Workspace(self.workspace)
        return readLines(space, "a.txt", offset, limit, Event(), column)

    def pages(self, limit=2000):
        """
        Read a whole file by following the notes.

        @return: The text, and the notes.
        """
        parts, notes, offset, column = [], [], 1, 1
        while True:
            shown = self.page(offset, limit, column)
            match = GOES_ON.search(shown)
            if match is None:
                return "".join([*parts, shown]), notes
            notes.append(match[1])
            body = shown[: match.start()]
            offset, column = int(match[2]), int(match[3] or 1)
            parts.append(body if match[3] else f"{body}\n")


class PageTests(PagesTestCase):
    """
    A page has whole lines.
    """

    @given(
        st.text(st.sampled_from("ab\n\u00e9\u6587\U0001f600"), max_size=60),
        st.integers(1, 6),
        st.integers(4, 12),
    )
    def test_piecesAddUp(self, text, limit, size):
        """
        Following the offsets and columns reads the whole file exactly once, in pages of
        any size.
        """
        self.patch(reading, "MAX_TEXT_BYTES", size)
        self.patch(reading, "BLOCK_BYTES", 5)
        self.put("a.txt", text)
        shown, _ = self.pages(limit)
        self.assertEqual(shown.replace("[the file is empty]", ""), text)

    def test_wholeLines(self):
        """
        A page that ends by its size ends with a whole line, and says which.
        """
        lines = [f"{number:06} {'x' * 90}" for number in range(3000)]
        self.put("a.txt", "\n".join(lines))
        first = self.page(limit=5000)
        match = GOES_ON.search(first)
        shown = first[: match.start()].split("\n")
        self.assertEqual(shown, lines[: len(shown)])
        self.assertEqual(match[1], f"lines 1 to {len(shown)}")
        self.assertEqual(int(match[2]), len(shown) + 1)
        whole, _ = self.pages(5000)
        self.assertEqual(whole, "\n".join(lines))

    def test_longLine(self):
        """
        A long line is read in parts, from any character.
        """
        line = "".join(f"{number:07}\u00e9" for number in range(20_000))
        self.put("a.txt", f"before\n{line}\nafter\n")
        whole, notes = self.pages()
        self.assertEqual(whole, f"before\n{line}\nafter\n")
        self.assertEqual(notes[0], "lines 1 to 1")
        self.assertRegex(notes[1], r"^characters 1 to \d+ of line 2$")
        self.assertTrue(self.page(2, 1, 100_000).startswith(line[99_999:100_100]))

    def test_exactlyLong(self):
        """
        A line of just the limit is not cut.
        """
        self.put("a.txt", "x" * MAX_TEXT_BYTES + "\nnext\n")
        shown = self.page()
        self.assertIn("\n[lines 1 to 1; go on with offset 2;", shown)

    def test_columnBeyond(self):
        """
        A column beyond the line is an error.
        """
        self.put("a.txt", "abc\nd")
        for offset, told in [(1, "line 1 has only 3"), (2, "line 2 has only 1")]:
            with self.assertRaisesRegex(Exception, f"{told} characters"):
                self.page(offset, column=9)

    def test_combining(self):
        """
        A cut does not part a letter from its accent.
        """
        accented = unicodedata.normalize("NFD", "\u00e9")
        self.patch(reading, "MAX_TEXT_BYTES", 7)
        self.put("a.txt", accented * 9)
        whole, notes = self.pages()
        self.assertEqual(whole, accented * 9)
        self.assertEqual(notes[0], "characters 1 to 4 of line 1")

    async def test_controls(self):
        """
        Control characters are shown in a readable form, and the note says so; line ends
        and tabs are not changed.
        """
        self.put("a.txt", "a\x1b[31mb\x07\x7f\u009bc\n\td\r\n")
        self.assertEqual(
            self.page(),
            "a\\x1b[31mb\\x07\\x7f\\x9bc\n\td\r\n"
            "[control characters are shown as \\x1b and the like]",
        )
        self.put("a.txt", "x" * 9000 + "\0")
        self.assertIn("x\\x00\n[", self.page())
        self.put("a.txt", "\x01" * 100_000)
        whole, _ = self.pages()
        self.assertLess(len(self.page()), MAX_TEXT_BYTES + 300)
        self.assertEqual(whole.count("\\x01"), 100_000)


class EncodingTests(PagesTestCase):
    """
    A file that is not UTF-8 is shown decoded, and edited in its own encoding.
    """

    def test_decoded(self):
        """
        The text is decoded, and the note names the encoding.
        """
        for label, codec, text in ENCODED:
            self.put("a.txt", text.encode(codec))
            self.assertEqual(
                self.page(),
                f"{text.removesuffix(chr(10))}\n"
                f"[the file is in {label}; it is shown decoded]",
            )

    def test_marked(self):
        """
        So is UTF-16 and UTF-32, by the mark; that of UTF-8 is not shown as text.
        """
        for label, codec in MARKED:
            self.put("a.txt", "f\u00fcr \u6587\n".encode(codec))
            self.assertEqual(
                self.page(),
                f"f\u00fcr \u6587\n[the file is in {label}; it is shown decoded]",
            )
        self.put("a.txt", "\ufeff\u00e9\nb".encode())
        self.assertEqual(
            self.page(), "\u00e9\nb\n[the file begins with a byte order mark]"
        )
        self.assertTrue(self.page(1, 2, 2).startswith("\nb\n["))

    def test_paged(self):
        """
        Pages of it add up, too.
        """
        for label, codec, text in ENCODED:
            whole = "".join(f"{n} {text}" for n in range(9))
            self.put("a.txt", whole.encode(codec))
            parts = []
            for line in range(1, whole.count("\n") + 1):
                parts.append(self.page(line, 1).partition("\n[")[0] + "\n")
            self.assertEqual("".join(parts), whole, label)

    def test_damaged(self):
        """
        Bytes that are not valid among UTF-8 are shown as such.
        """
        self.put("a.txt", "f\u00fcr \u00fcber\n".encode() + b"x\xffy\n")
        self.assertEqual(
            self.page(),
            "f\u00fcr \u00fcber\nx\\xffy\n"
            "[bytes that are not UTF-8 are shown as \\xff and the like]",
        )

    def test_large(self):
        """
        A part of a very large file is decoded; UTF-16 of that size is refused.
        """
        line = "caf\u00e9 cr\u00e8me\n"
        path = self.put("a.txt", (line * 10).encode("cp1252"))
        with path.open("ab") as file:
            file.write(b"x\n" * (MAX_EDIT_BYTES // 2))
        self.assertTrue(self.page(limit=2).startswith(line * 2 + "[lines 1 to 2;"))
        path.write_bytes(b"\xff\xfe" + b"a\0" * (MAX_EDIT_BYTES // 2))
        with self.assertRaisesRegex(Exception, "it is UTF-16, and its 8388610 bytes"):
            self.page()

    async def test_binary(self):
        """
        Binary data is neither read nor edited.
        """
        for data in [b"\x7fELF\0\1\2", b"\0" * 100, bytes(range(256))]:
            path = self.put("a.bin", data)
            for call in [self.read("a.bin"), self.edit("a.bin", "a", "b")]:
                told = await self.failing(call)
                self.assertEqual(
                    told, f"a.bin: it is a binary file of {len(data)} bytes"
                )
            self.assertEqual(path.read_bytes(), data)

    async def test_edited(self):
        """
        An edit keeps the encoding and the mark; all else stays.
        """
        for _, codec, text in ENCODED:
            path = self.put("a.txt", (text + "key = old\n").encode(codec))
            await self.edit("a.txt", "key = old", f"key = {text[0]}new")
            self.assertEqual(
                path.read_bytes(), f"{text}key = {text[0]}new\n".encode(codec)
            )
        for codec in ["utf-8-sig", "utf-16", "utf-32"]:
            path = self.put("a.txt", "f\u00fcr\r\nold\r\n".encode(codec))
            await self.edit("a.txt", "f\u00fcr\nold", "f\u00fcr\n\u6587")
            self.assertEqual(path.read_bytes(), "f\u00fcr\r\n\u6587\r\n".encode(codec))
        path = self.put("a.txt", "\u00fc\u00fc".encode() + b"\xff old")
        await self.edit("a.txt", "old", "n\u00e9w")
        self.assertEqual(
            path.read_bytes(), "\u00fc\u00fc".encode() + b"\xff n\xc3\xa9w"
        )

    async def test_notInEncoding(self):
        """
        A character that the encoding does not have is refused by name.
        """
        data = "caf\u00e9\n".encode("cp1252")
        path = self.put("a.txt", data)
        told = await self.failing(self.edit("a.txt", "caf\u00e9", "\u6587"))
        self.assertIn("windows-1252, which does not have U+6587", told)
        self.assertEqual(path.read_bytes(), data)
